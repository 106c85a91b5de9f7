package msrptest

import (
	"context"
	"net"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestNetwork(t *testing.T) {
	n := &Network{}
	_, err := n.DialContext(t.Context(), "tcp", "a:1")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	l, err := n.Listen("a:1")
	require.NoError(t, err)
	require.Equal(t, "a:1", l.Addr().String())
	_, err = n.Listen("a:1")
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	c, err := n.DialContext(t.Context(), "tcp", "a:1")
	require.NoError(t, err)
	write(t, c, "hello")
	accepted, err := l.Accept()
	require.NoError(t, err)
	require.Equal(t, "hello", read(t, accepted))
	require.Equal(t, c.LocalAddr(), accepted.RemoteAddr())
	require.Equal(t, "a:1", accepted.LocalAddr().String())

	waits, err := n.DialContext(t.Context(), "tcp", "a:1")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	fails(t, waits, syscall.ECONNRESET)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = n.DialContext(t.Context(), "tcp", "a:1")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	write(t, accepted, "still open")
	require.Equal(t, "still open", read(t, c))
	_, err = n.Listen("a:1") // free again
	require.NoError(t, err)
	require.Len(t, n.Wires(), 2)
}

func TestDialWaitsForAFullListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Network{}
		l, err := n.Listen("a:1")
		require.NoError(t, err)
		for range backlog {
			_, err := n.DialContext(t.Context(), "tcp", "a:1")
			require.NoError(t, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 2)
		go func() {
			_, err := n.DialContext(ctx, "tcp", "a:1")
			failed <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-failed, context.Canceled)
		_, err = n.DialContext(ctx, "tcp", "a:1")
		require.ErrorIs(t, err, context.Canceled)
		go func() {
			_, err := n.DialContext(t.Context(), "tcp", "a:1")
			failed <- err
		}()
		synctest.Wait()
		require.NoError(t, l.Close())
		require.ErrorIs(t, <-failed, syscall.ECONNREFUSED)
	})
}

func TestNetworkHasFaultsFromTheStart(t *testing.T) {
	n := &Network{ToPassive: Faults{Split: 1}, ToActive: Faults{Split: 2}}
	l, err := n.Listen("a:1")
	require.NoError(t, err)
	a, err := n.DialContext(t.Context(), "tcp", "a:1")
	require.NoError(t, err)
	p, err := l.Accept()
	require.NoError(t, err)
	write(t, a, "abc")
	write(t, p, "abc")
	require.Equal(t, "a", read(t, p))
	require.Equal(t, "ab", read(t, a))
}
