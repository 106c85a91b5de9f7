package desktop

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// checkPeer refuses a bus of another user's, other than root. Its socket may be left to anybody once the user's own bus has ended: a name in the
// abstract namespace, or in a folder for all.
func checkPeer(raw net.Conn) error {
	socket, ok := raw.(*net.UnixConn)
	if !ok {
		return nil
	}
	c, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var peer *syscall.Ucred
	failed := c.Control(func(fd uintptr) {
		peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err := errors.Join(failed, err); err != nil {
		return err
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return errors.New("it belongs to another user")
	}
	return nil
}
