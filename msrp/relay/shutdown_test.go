package relay

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// Shutdown lets clients go on that have a URI, gives out no more, and returns when the last one has left.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		alice, bob := g.pair()
		late := g.stranger()
		synctest.Wait()
		over := make(chan error, 1)
		go func() { over <- g.r.Shutdown(context.Background()) }()
		synctest.Wait()
		_, err := g.n.DialContext(within(t), "tcp", "relay.example.com:2855")
		require.Error(t, err)
		f, err := late.Auth(within(t), bareHost, "carol", users["carol"])
		require.NoError(t, err)
		require.Equal(t, msrp.StatusForbidden, f.Status)
		g.serves(alice, bob)
		f, err = alice.Auth(within(t), alice.use, "alice", users["alice"]) // prolongs its URI
		require.NoError(t, err)
		require.Equal(t, msrp.StatusOK, f.Status)
		time.Sleep(time.Minute)
		g.serves(alice, bob)
		require.ErrorIs(t, g.r.Serve(listener{}), ErrClosed)
		require.NoError(t, alice.Conn.Close())
		synctest.Wait()
		require.Empty(t, over)
		require.NoError(t, bob.Conn.Close())
		require.NoError(t, <-over)
		require.ErrorIs(t, g.r.Err(), ErrClosed)
		late.gone()
	})
}

type listener struct{ net.Listener }

func (listener) Close() error { return nil }

// When its time is over Shutdown gives what it has accepted a second to be written.
func TestShutdownInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		alice, bob := g.pair()
		begun := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		over := make(chan error, 1)
		go func() { over <- g.r.Shutdown(ctx) }()
		time.Sleep(time.Minute - time.Nanosecond)
		alice.send("last01", "hello")
		alice.expect("last01", msrp.StatusOK)
		f := bob.next()
		time.Sleep(500 * time.Millisecond)
		bob.answer(f, msrp.StatusStopSending)
		require.Equal(t, "000 413 Stop Sending", string(alice.next().StatusHeader))
		require.ErrorIs(t, <-over, context.DeadlineExceeded)
		require.Equal(t, time.Minute+500*time.Millisecond, time.Since(begun).Round(time.Millisecond))
		alice.gone()
		bob.gone()
		require.NoError(t, g.r.Shutdown(context.Background()), "again")
	})
}

// Close is idempotent, ends everything at once and leaves nothing behind, whatever happens meanwhile.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		alice, bob := g.pair()
		go alice.flood(1000, 1000, "")
		synctest.Wait()
		require.Nil(t, g.r.Err())
		require.NoError(t, g.r.Close())
		require.NoError(t, g.r.Close())
		<-g.r.Done()
		require.ErrorIs(t, g.r.Err(), net.ErrClosed)
		require.Equal(t, Stats{}, g.holds())
		alice.gone()
		bob.gone()
		ours, theirs := net.Pipe()
		g.r.ServeConn(theirs)
		_, err := ours.Read(make([]byte, 1))
		require.Error(t, err)
	})
}

// A listener that fails for a moment, out of file descriptors for example, goes on.
func TestListenerFailsForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		l, err := g.n.Listen("relay.example.com:9000")
		require.NoError(t, err)
		require.NoError(t, g.r.Serve(&flaky{l, 3}))
		nc, err := g.n.DialContext(within(t), "tcp", "relay.example.com:9000")
		require.NoError(t, err)
		begun := time.Now()
		for g.holds().Connections == 0 {
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, 150*time.Millisecond, time.Since(begun))
		nc.Close()
		g.r.Close()
	})
}

type flaky struct {
	net.Listener
	failures int
}

func (l *flaky) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}
