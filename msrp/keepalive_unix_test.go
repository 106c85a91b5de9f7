//go:build unix

package msrp

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Both ends of a connection probe a silent peer: one that is gone without a word does not hold its session for ever.
func TestTCPKeepAlive(t *testing.T) {
	e := loopback(t)
	pair := idlePairs(t, e, 1)[0]
	for _, s := range pair {
		raw, err := s.conn.nc.(*net.TCPConn).SyscallConn()
		require.NoError(t, err)
		on := 0
		require.NoError(t, raw.Control(func(fd uintptr) {
			on, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
		}))
		require.NoError(t, err)
		require.NotZero(t, on)
	}
}
