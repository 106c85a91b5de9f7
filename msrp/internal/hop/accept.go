package hop

import (
	"errors"
	"log/slog"
	"net"
	"time"
)

// acceptPause is between two attempts while the system has no connection to give: it is out of file descriptors, for example.
const acceptPause = 50 * time.Millisecond

// Accept serves each connection that comes to l, until l or done is closed.
func Accept(l net.Listener, done <-chan struct{}, log *slog.Logger, serve func(net.Conn)) {
	for {
		nc, err := l.Accept()
		if err == nil {
			serve(nc)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		log.Warn("msrp: accept", "error", err)
		select {
		case <-done:
			return
		case <-time.After(acceptPause):
		}
	}
}
