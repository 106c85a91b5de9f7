package desktop

import (
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/notify"
)

// A socket that another user has taken over gets nothing, not even our name.
func TestBusOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		foreign.Missing(t, "root, to be another user")
	}
	name := "@otrchat-" + rand.Text()
	l := listenAs(t, 65534, name)
	received := make(chan int, 1)
	go func() {
		defer close(received)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		n, _ := conn.Read(make([]byte, 1))
		received <- n
	}()
	n, err := New(&Options{AppName: "Chat", Bus: "unix:abstract=" + name[1:]})
	require.NoError(t, err)
	defer n.Close()
	err = n.Notify(t.Context(), notify.Notification{Title: "title"})
	require.ErrorIs(t, err, ErrUnavailable)
	assert.ErrorContains(t, err, "it belongs to another user")
	assert.Zero(t, <-received)
}

// listenAs opens a socket as another user.
func listenAs(t *testing.T, uid uintptr, name string) net.Listener {
	const same = ^uintptr(0)
	runtime.LockOSThread()
	_, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, same, uid, same) // of this thread alone
	require.Zero(t, errno)
	l, err := net.Listen("unix", name)
	_, _, errno = syscall.RawSyscall(syscall.SYS_SETRESUID, same, 0, same)
	require.Zero(t, errno)
	runtime.UnlockOSThread()
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func TestBusOfOurs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer l.Close()
	conn, err := dialUnix(t.Context(), path)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, checkPeer(conn))
	require.NoError(t, conn.Close())
	require.Error(t, checkPeer(conn))
}
