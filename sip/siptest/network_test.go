package siptest

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// streams returns the ends of a stream from host 192.0.2.1 to host 192.0.2.2.
func streams(t *testing.T, n *Network) (a, b net.Conn) {
	t.Helper()
	l, err := n.Host("192.0.2.2").Listen(5060)
	require.NoError(t, err)
	a, err = n.Host("192.0.2.1").DialContext(t.Context(), "tcp", "192.0.2.2:5060")
	require.NoError(t, err)
	b, err = l.Accept()
	require.NoError(t, err)
	return a, b
}

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	n, err := io.WriteString(c, s)
	require.NoError(t, err)
	require.Equal(t, len(s), n)
}

func read(t *testing.T, c net.Conn) string {
	t.Helper()
	b := make([]byte, 1000)
	n, err := c.Read(b)
	require.NoError(t, err)
	return string(b[:n])
}

func fails(t *testing.T, c net.Conn, want error) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, want)
	require.Zero(t, n)
}

func TestAddresses(t *testing.T) {
	n := new(Network)
	a, b := streams(t, n)
	assert.Equal(t, "192.0.2.1:49152", a.LocalAddr().String())
	assert.Equal(t, "192.0.2.2:5060", a.RemoteAddr().String())
	assert.Equal(t, a.LocalAddr(), b.RemoteAddr())
	assert.IsType(t, new(net.TCPAddr), b.LocalAddr())
	assert.Same(t, n.Host("192.0.2.1"), n.Host("::ffff:192.0.2.1"))
	six, err := n.Host("2001:db8::1").ListenPacket(0)
	require.NoError(t, err)
	assert.Equal(t, "[2001:db8::1]:49152", six.LocalAddr().String())
	assert.Panics(t, func() { n.Host("example.com") })
}

func TestPortsInUse(t *testing.T) {
	h := new(Network).Host("192.0.2.1")
	l, err := h.Listen(5060)
	require.NoError(t, err)
	c, err := h.ListenPacket(5060)
	require.NoError(t, err)
	_, err = h.Listen(5060)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	_, err = h.ListenPacket(5060)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	for _, closer := range []io.Closer{l, c} {
		require.NoError(t, closer.Close())
		require.ErrorIs(t, closer.Close(), net.ErrClosed)
	}
	_, err = h.Listen(5060)
	require.NoError(t, err)
	_, err = h.ListenPacket(5060)
	require.NoError(t, err)
}

func TestDialErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(Network)
		alice, bob := n.Host("192.0.2.1"), n.Host("192.0.2.2")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := alice.DialContext(ctx, "tcp", "192.0.2.2:5060")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		_, err = alice.DialContext(ctx, "tcp", "bob.example.com:5060")
		require.Error(t, err)
		begin := time.Now()
		_, err = alice.DialContext(ctx, "tcp", "192.0.2.3:5060")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begin), "nothing has the address")

		l, err := bob.Listen(5060)
		require.NoError(t, err)
		bob.Unplug()
		time.AfterFunc(time.Minute, bob.Plug)
		begin = time.Now()
		_, err = alice.DialContext(t.Context(), "tcp", "192.0.2.2:5060")
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(begin))
		for range backlog - 1 {
			_, err = alice.DialContext(t.Context(), "tcp", "192.0.2.2:5060")
			require.NoError(t, err)
		}
		_, err = alice.DialContext(t.Context(), "tcp", "192.0.2.2:5060")
		require.ErrorIs(t, err, syscall.ECONNREFUSED, "nobody accepts")
		require.Equal(t, backlog, alice.Streams())
		require.NoError(t, l.Close())
		require.Zero(t, alice.Streams())
	})
}

func TestStreamCarriesEverything(t *testing.T) {
	a, b := streams(t, new(Network))
	sent := make([]byte, 1<<20)
	_, _ = rand.Read(sent)
	var wg sync.WaitGroup
	wg.Go(func() {
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 100_003)
			_, err := a.Write(rest[:n])
			assert.NoError(t, err)
			rest = rest[n:]
		}
		assert.NoError(t, a.Close())
	})
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent, got))
	wg.Wait()
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(Network)
		a, b := streams(t, n)
		begin := time.Now()
		require.NoError(t, b.SetDeadline(begin.Add(time.Second)))
		fails(t, b, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begin))
		_, err := b.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)

		require.NoError(t, b.SetDeadline(time.Time{}))
		time.AfterFunc(time.Second, func() { _ = b.SetReadDeadline(begin) }) // while Read waits
		fails(t, b, os.ErrDeadlineExceeded)
		require.NoError(t, b.SetReadDeadline(time.Time{}))
		write(t, a, "x")
		require.Equal(t, "x", read(t, b))

		require.NoError(t, a.SetWriteDeadline(time.Now().Add(time.Minute)))
		begin = time.Now()
		written, err := a.Write(make([]byte, streamBytes+1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "nobody reads")
		require.Equal(t, streamBytes, written)
		require.Equal(t, time.Minute, time.Since(begin))

		c, err := n.Host("192.0.2.1").ListenPacket(0)
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Second)))
		_, _, err = c.ReadFrom(nil)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(Network)
		a, b := streams(t, n)
		require.Equal(t, 1, n.Host("192.0.2.2").Streams())
		var wg sync.WaitGroup
		wg.Go(func() { fails(t, a, net.ErrClosed) })
		synctest.Wait()
		write(t, a, "last")
		require.NoError(t, a.Close())
		wg.Wait()
		require.ErrorIs(t, a.Close(), net.ErrClosed)
		require.ErrorIs(t, a.SetDeadline(time.Now()), net.ErrClosed)
		_, err := a.Write([]byte("x"))
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = b.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
		require.Equal(t, "last", read(t, b))
		fails(t, b, io.EOF)
		require.NoError(t, b.Close())
		require.Zero(t, n.Host("192.0.2.1").Streams())
	})
}

func TestUnplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(Network)
		a, b := streams(t, n)
		bob := n.Host("192.0.2.2")
		bob.Unplug()
		bob.Unplug() // again
		write(t, a, "held back")
		require.NoError(t, b.SetReadDeadline(time.Now().Add(time.Hour)))
		fails(t, b, os.ErrDeadlineExceeded)
		require.NoError(t, b.SetReadDeadline(time.Time{}))
		require.NoError(t, a.Close())
		time.AfterFunc(time.Hour, func() { bob.Plug(); bob.Plug() })
		require.Equal(t, "held back", read(t, b))
		fails(t, b, io.EOF)
	})
}

func TestCut(t *testing.T) {
	n := new(Network)
	a, b := streams(t, n)
	write(t, a, "lost")
	n.Host("192.0.2.1").Cut()
	for _, c := range []net.Conn{a, b} {
		fails(t, c, syscall.ECONNRESET)
		_, err := c.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		require.NoError(t, c.Close())
	}
	require.Zero(t, n.Host("192.0.2.2").Streams())
}

// sockets returns two sockets for datagrams, and what reads the next payload of the second.
func sockets(t *testing.T, n *Network) (a, b net.PacketConn, next func() string) {
	t.Helper()
	a, err := n.Host("192.0.2.1").ListenPacket(5060)
	require.NoError(t, err)
	b, err = n.Host("192.0.2.2").ListenPacket(5060)
	require.NoError(t, err)
	return a, b, func() string {
		p := make([]byte, maxDatagram)
		n, from, err := b.ReadFrom(p)
		require.NoError(t, err)
		require.Equal(t, a.LocalAddr(), from)
		return string(p[:n])
	}
}

func TestDatagrams(t *testing.T) {
	n := new(Network)
	a, b, next := sockets(t, n)
	send := func(s string) {
		written, err := a.WriteTo([]byte(s), b.LocalAddr())
		require.NoError(t, err)
		require.Equal(t, len(s), written)
	}
	send("one")
	send("two")
	require.Equal(t, "one", next())
	require.Equal(t, "two", next())
	_, err := a.WriteTo(make([]byte, maxDatagram+1), b.LocalAddr())
	require.ErrorIs(t, err, syscall.EMSGSIZE)
	_, err = a.WriteTo([]byte("to nobody"), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 3), Port: 1})
	require.NoError(t, err)

	for range queued + 1 {
		send("too many")
	}
	n.Host("192.0.2.1").Unplug()
	send("unplugged")
	n.Host("192.0.2.1").Plug()
	for range queued {
		require.Equal(t, "too many", next())
	}
	send("plugged")
	require.Equal(t, "plugged", next())

	require.NoError(t, a.Close())
	_, err = a.WriteTo([]byte("x"), b.LocalAddr())
	require.ErrorIs(t, err, net.ErrClosed)
	_, _, err = a.ReadFrom(nil)
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, a.SetReadDeadline(time.Now()), net.ErrClosed)
}

func TestDatagramsAreLostRepeatedAndLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Network{Datagrams: func(from, to netip.AddrPort, payload []byte) []time.Duration {
			assert.Equal(t, "192.0.2.1:5060", from.String())
			assert.Equal(t, "192.0.2.2:5060", to.String())
			switch string(payload) {
			case "lost":
				return nil
			case "twice":
				return []time.Duration{0, 2 * time.Second}
			case "late":
				return []time.Duration{time.Second}
			}
			return []time.Duration{0}
		}}
		a, b, next := sockets(t, n)
		begin := time.Now()
		for _, s := range []string{"lost", "late", "twice", "once"} {
			_, err := a.WriteTo([]byte(s), b.LocalAddr())
			require.NoError(t, err)
		}
		for _, want := range []struct {
			text string
			at   time.Duration
		}{{"twice", 0}, {"once", 0}, {"late", time.Second}, {"twice", 2 * time.Second}} {
			require.Equal(t, want.text, next())
			require.Equal(t, want.at, time.Since(begin))
		}
	})
}
