package msrptest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t testing.TB, c net.Conn, s string) {
	t.Helper()
	n, err := io.WriteString(c, s)
	require.NoError(t, err)
	require.Equal(t, len(s), n)
}

func read(t testing.TB, c net.Conn) string {
	t.Helper()
	b := make([]byte, 1<<10)
	n, err := c.Read(b)
	require.NoError(t, err)
	return string(b[:n])
}

func fails(t testing.TB, c net.Conn, want error) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, want)
	require.Zero(t, n)
}

func TestLineCarriesEverything(t *testing.T) {
	for name, f := range map[string]Faults{"flawless": {}, "split": {Split: 7}} {
		t.Run(name, func(t *testing.T) {
			a, p, w := Pipe()
			w.ToPassive.Set(f)
			sent := make([]byte, 1<<20)
			rand.Read(sent)
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
			got, err := io.ReadAll(p)
			require.NoError(t, err)
			require.True(t, bytes.Equal(sent, got))
			require.True(t, bytes.Equal(sent, w.ToPassive.Bytes()))
			require.EqualValues(t, len(sent), w.ToPassive.Passed())
			wg.Wait()
		})
	}
}

func TestWriteWaitsForAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, _ := Pipe()
		begin := time.Now()
		require.NoError(t, a.SetWriteDeadline(begin.Add(time.Minute)))
		n, err := a.Write(make([]byte, lineBytes+1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, lineBytes, n)
		require.Equal(t, time.Minute, time.Since(begin))
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())

		require.NoError(t, a.SetWriteDeadline(time.Time{}))
		var wg sync.WaitGroup
		wg.Go(func() { write(t, a, "more") })
		synctest.Wait()
		_, err = io.ReadFull(p, make([]byte, lineBytes))
		require.NoError(t, err)
		wg.Wait()
		require.Equal(t, "more", read(t, p))
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, _ := Pipe()
		begin := time.Now()
		require.NoError(t, p.SetDeadline(begin.Add(time.Second)))
		fails(t, p, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begin))
		write(t, a, "x")
		fails(t, p, os.ErrDeadlineExceeded) // as on a socket
		_, err := p.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, p.SetDeadline(time.Now().Add(time.Second))) // a new one replaces it
		require.Equal(t, "x", read(t, p))

		begin = time.Now()
		time.AfterFunc(500*time.Millisecond, func() { p.SetReadDeadline(begin) }) // while Read waits
		fails(t, p, os.ErrDeadlineExceeded)
		require.Equal(t, 500*time.Millisecond, time.Since(begin))
		require.NoError(t, p.SetReadDeadline(time.Time{}))
		time.Sleep(time.Hour)
		write(t, a, "y")
		require.Equal(t, "y", read(t, p))
	})
}

func TestClose(t *testing.T) {
	a, p, _ := Pipe()
	write(t, a, "last")
	write(t, p, "unread")
	require.NoError(t, a.Close())
	require.ErrorIs(t, a.Close(), net.ErrClosed)
	fails(t, a, net.ErrClosed)
	_, err := a.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, a.SetDeadline(time.Now()), net.ErrClosed)
	write(t, p, "nobody reads this, and it does not cost the reader what comes")
	require.Equal(t, "last", read(t, p))
	fails(t, p, io.EOF)
	fails(t, p, io.EOF)
	_, err = p.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
	require.NoError(t, p.Close())
}

func TestWritingToAClosedEndFails(t *testing.T) {
	a, p, _ := Pipe()
	write(t, a, "never read")
	require.NoError(t, a.Close())
	n, err := p.Write(make([]byte, 2*lineBytes))
	require.ErrorIs(t, err, syscall.EPIPE)
	require.Equal(t, lineBytes, n)
	require.Equal(t, "never read", read(t, p))
}

func TestCloseEndsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, _ := Pipe()
		var wg sync.WaitGroup
		wg.Go(func() { fails(t, a, net.ErrClosed) })
		wg.Go(func() {
			_, err := a.Write(make([]byte, 2*lineBytes))
			assert.ErrorIs(t, err, net.ErrClosed)
		})
		synctest.Wait()
		require.NoError(t, a.Close())
		wg.Wait()
		wg.Go(func() { _, err := io.Copy(io.Discard, p); assert.NoError(t, err) })
		wg.Wait()
	})
}

func TestCloseWrite(t *testing.T) {
	a, p, _ := Pipe()
	half := a.(interface{ CloseWrite() error })
	write(t, a, "question")
	require.NoError(t, half.CloseWrite())
	require.Error(t, half.CloseWrite())
	_, err := a.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
	require.Equal(t, "question", read(t, p))
	fails(t, p, io.EOF)
	write(t, p, "answer")
	require.Equal(t, "answer", read(t, a))
	require.NoError(t, p.Close())
	fails(t, a, io.EOF)
	require.NoError(t, a.Close())
	_, err = a.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, w := Pipe()
		write(t, a, "lost")
		var wg sync.WaitGroup
		wg.Go(func() { fails(t, a, syscall.ECONNRESET) })
		synctest.Wait()
		w.Reset()
		wg.Wait()
		for _, c := range []net.Conn{a, p} {
			fails(t, c, syscall.ECONNRESET)
			_, err := c.Write([]byte("x"))
			require.ErrorIs(t, err, syscall.ECONNRESET)
			require.NoError(t, c.Close())
			fails(t, c, net.ErrClosed)
		}
	})
}

func TestFaultCut(t *testing.T) {
	for cut := int64(1); cut <= 10; cut++ {
		a, p, w := Pipe()
		w.ToPassive.Set(Faults{Cut: cut})
		write(t, p, "gone")
		n, err := io.WriteString(a, "0123456789")
		require.EqualValues(t, cut, n)
		if cut < 10 {
			require.ErrorIs(t, err, syscall.ECONNRESET)
		} else {
			require.NoError(t, err)
		}
		require.Equal(t, "0123456789"[:cut], read(t, p))
		fails(t, p, syscall.ECONNRESET)
		fails(t, a, syscall.ECONNRESET)
		for _, c := range []net.Conn{a, p} {
			_, err = c.Write([]byte("x"))
			require.ErrorIs(t, err, syscall.ECONNRESET)
		}
	}
	a, _, w := Pipe()
	write(t, a, "0123456789")
	w.ToPassive.Set(Faults{Cut: 5}) // long past
	n, err := a.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.Zero(t, n)
}

func TestFaultSplit(t *testing.T) {
	a, p, w := Pipe()
	write(t, a, "whole")
	w.ToPassive.Set(Faults{Split: 3})
	write(t, a, "01234567")
	for _, want := range []string{"whole", "012", "345", "67"} {
		require.Equal(t, want, read(t, p))
	}
}

func TestFaultDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, w := Pipe()
		w.ToPassive.Set(Faults{Delay: time.Second})
		begin := time.Now()
		write(t, a, "x")
		time.Sleep(300 * time.Millisecond)
		write(t, a, "y")
		require.NoError(t, a.Close())
		for _, want := range []time.Duration{1000, 1300} {
			read(t, p)
			require.Equal(t, want*time.Millisecond, time.Since(begin))
		}
		fails(t, p, io.EOF)
		require.Equal(t, 1300*time.Millisecond, time.Since(begin))
	})
}

func TestFaultChange(t *testing.T) {
	a, p, w := Pipe()
	write(t, a, "hello ")
	w.ToPassive.Set(Faults{Change: func(offset int64, b []byte) {
		if offset == 6 {
			copy(b, strings.ToUpper(string(b)))
		}
	}})
	write(t, a, "world")
	require.Equal(t, "hello ", read(t, p))
	require.Equal(t, "WORLD", read(t, p))
	require.Equal(t, "hello world", string(w.ToPassive.Bytes()), "as it was written")
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, w := Pipe()
		w.ToPassive.Hold()
		w.ToActive.Hold()
		write(t, a, "x")
		require.NoError(t, p.SetReadDeadline(time.Now().Add(time.Hour)))
		fails(t, p, os.ErrDeadlineExceeded)
		require.NoError(t, p.SetReadDeadline(time.Time{}))
		require.NoError(t, p.Close()) // the other end of an unplugged wire does not hear of it,
		write(t, a, "y")
		require.NoError(t, a.SetWriteDeadline(time.Now().Add(time.Hour)))
		_, err := a.Write(make([]byte, lineBytes))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "and fills its buffers")
		require.NoError(t, a.SetWriteDeadline(time.Time{}))
		w.ToPassive.Release()
		write(t, a, strings.Repeat("z", lineBytes/2))
		w.ToActive.Release()
		fails(t, a, io.EOF)
		_, err = a.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
	})
}

func TestRecordIsBounded(t *testing.T) {
	for record, want := range map[int]string{0: "0123456789", 4: "0123", -1: ""} {
		n := &Network{Record: record}
		_, err := n.Listen("a:1")
		require.NoError(t, err)
		c, err := n.DialContext(t.Context(), "tcp", "a:1")
		require.NoError(t, err)
		write(t, c, "01234567")
		write(t, c, "89")
		require.Equal(t, want, string(n.Wires()[0].ToPassive.Bytes()))
		require.EqualValues(t, 10, n.Wires()[0].ToPassive.Passed())
	}
}

// What a closed end leaves behind in the other is an error that callers know from sockets.
func TestErrorsLookLikeThoseOfSockets(t *testing.T) {
	a, _, w := Pipe()
	w.Reset()
	_, err := a.Read(make([]byte, 1))
	var op *net.OpError
	require.True(t, errors.As(err, &op))
	require.Equal(t, "read", op.Op)
	require.Equal(t, a.LocalAddr(), op.Source)
	require.Equal(t, a.RemoteAddr(), op.Addr)
	require.NotContains(t, err.Error(), "%!")
}
