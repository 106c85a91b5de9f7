package msrp

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const rawPath = "msrp://raw.example.com:2855/raw;tcp"

// ok is the raw peer's response to f.
func ok(s *Session, f *Frame) string {
	return answerTo(s, f, "200 OK", "")
}

// passiveEndpoint is a session without a connection yet, and a peer's connection to its endpoint.
func passiveEndpoint(t testing.TB, o *Options) (*Session, net.Conn) {
	opts := Options{Host: "p.example.com"}
	if o != nil {
		opts = *o
		opts.Host = "p.example.com"
	}
	e, err := New(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	s, err := e.NewSession(nil)
	require.NoError(t, err)
	nc, remote := net.Pipe()
	t.Cleanup(func() { nc.Close() })
	e.ServeConn(remote)
	return s, nc
}

// The very first message may ask for a success report, before Connect has returned.
func TestFirstMessageIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc := passiveEndpoint(t, nil)
		defer s.e.Close()
		go write(t, nc, frame(s, "aaaa1", "Message-ID: m1234\r\nSuccess-Report: yes\r\nContent-Type: text/plain\r\n", "early", Complete))
		synctest.Wait()
		go s.Connect(ctx, mustPath(rawPath), Passive, nil)
		d := NewDecoder(nc, nil)
		f, _, err := readFrame(d)
		require.NoError(t, err)
		require.Equal(t, StatusOK, f.Status)
		f, _, err = readFrame(d)
		require.NoError(t, err)
		require.Equal(t, MethodReport, string(f.Method))
		require.Equal(t, "000 200 OK", string(f.StatusHeader))
	})
}

// What Receive gives belongs to the caller at once; the race detector holds this.
func TestReceivedMessageIsTheCallers(t *testing.T) {
	a, p := pair(t, nil)
	for range 50 {
		m := text("hello")
		m.SuccessReport = true
		d, err := a.Send(ctx, m)
		require.NoError(t, err)
		got, err := p.Receive(ctx)
		require.NoError(t, err)
		*got = Message{ID: "changed", FailureReport: No}
		require.NoError(t, d.Wait(ctx))
	}
}

func TestConnectRefusesHandmadePaths(t *testing.T) {
	e, err := New(&Options{Host: "a.example.com"})
	require.NoError(t, err)
	defer e.Close()
	s, err := e.NewSession(nil)
	require.NoError(t, err)
	good := mustPath(rawPath)[0]
	for name, spoil := range map[string]func(u *URI){
		"session-id": func(u *URI) { u.SessionID = "x\r\nX: y" },
		"host":       func(u *URI) { u.Host = "a b" },
		"userinfo":   func(u *URI) { u.Userinfo = "a\x00" },
		"transport":  func(u *URI) { u.Transport = "" },
		"params":     func(u *URI) { u.Params = "x" },
		"two in one": func(u *URI) { u.Params = ";x msrp://b:1/y;tcp" },
	} {
		t.Run(name, func(t *testing.T) {
			u := good
			spoil(&u)
			require.ErrorIs(t, s.Connect(ctx, Path{u}, Passive, nil), ErrMalformed)
			require.NoError(t, s.Err())
		})
	}
}

// A peer that names a session before we know its path holds its connection for 30 s, however much it has sent by then.
func TestWaitingForConnectIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc := passiveEndpoint(t, nil)
		defer s.e.Close()
		begin := time.Now()
		go io.WriteString(nc, strings.Repeat(frame(s, "aaaa1", "", "", Complete), 10))
		_, err := io.Copy(io.Discard, nc)
		require.NoError(t, err)
		require.Equal(t, bindTimeout, time.Since(begin))
	})
}

// A connection that carries a session does not stand still for another one.
func TestBoundConnectionDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		other := otherSession(t, s)
		begin := time.Now()
		write(t, nc, frame(other, "aaaa1", "Message-ID: m1234\r\nContent-Type: text/plain\r\n", "early", Complete))
		f, _, err := readFrame(d)
		require.NoError(t, err)
		require.Equal(t, StatusNoSession, f.Status)
		require.Zero(t, time.Since(begin))
	})
}

func TestFrameThatBreaksOff(t *testing.T) {
	for _, part := range []string{"MSRP", "MSRP aaaa1 SEND\r\nTo-Path: x\r\n", "whole head and some body"} {
		t.Run(part, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, nc, d := rawPeer(t, nil)
				defer s.e.Close()
				time.Sleep(time.Hour) // between two frames a peer may be silent
				if strings.HasPrefix(part, "whole") {
					part = strings.TrimSuffix(frame(s, "aaaa1", "Message-ID: m1234\r\nContent-Type: text/plain\r\n", "hel", More), "\r\n-------aaaa1+\r\n")
				}
				write(t, nc, frame(s, "aaaa0", "Message-ID: m1234\r\nContent-Type: text/plain\r\n", "one", More))
				readFrame(d)
				begin := time.Now()
				write(t, nc, part)
				<-s.Done()
				require.ErrorIs(t, s.Err(), ErrTimeout)
				require.Equal(t, partialTimeout, time.Since(begin))
			})
		})
	}
}

// 30 s for the response begin when the peer has the last byte, and a large frame has longer to get there.
func TestSlowLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, _ := rawPeer(t, nil)
		defer s.e.Close()
		const size = 1 << 20
		sent := sendLater(t, s, text(strings.Repeat("x", size)))
		d := NewDecoder(&slow{nc, 40 * time.Second / size}, nil)
		f, body, err := readFrame(d)
		require.NoError(t, err)
		require.Len(t, body, size)
		time.Sleep(26 * time.Second) // the last piece was on the link for some time
		write(t, nc, ok(s, f))
		require.NoError(t, (<-sent).Wait(ctx))
		begin := time.Now()
		sent = sendLater(t, s, text(strings.Repeat("x", size)))
		_, _, err = readFrame(d)
		require.NoError(t, err)
		require.Greater(t, time.Since(begin), 35*time.Second)
		begin = time.Now()
		require.ErrorIs(t, (<-sent).Wait(ctx), ErrTimeout)
		require.InDelta(t, responseTimeout, time.Since(begin), float64(3*time.Second)) // the last piece was on the link
	})
}

// slow is a link of so much time for each byte.
type slow struct {
	r       io.Reader
	perByte time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	n, err := s.r.Read(p[:min(len(p), 4096)])
	time.Sleep(time.Duration(n) * s.perByte)
	return n, err
}

// Relays cut chunks as they like: the last one may be empty.
func TestLastChunkWithoutBody(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	write(t, nc, frame(s, "aaaa1", "Message-ID: m1234\r\nByte-Range: 1-*/5\r\nContent-Type: text/plain\r\n", "hello", More))
	readFrame(d)
	write(t, nc, frame(s, "aaaa2", "Message-ID: m1234\r\nByte-Range: 6-5/5\r\n", "", Complete))
	f, _, err := readFrame(d)
	require.NoError(t, err)
	require.Equal(t, StatusOK, f.Status)
	m, err := s.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", string(m.Body))
}

// A report that overtakes the response ends the delivery with the response, and nothing is kept of it.
func TestReportBeforeResponse(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	m := text("hello")
	m.SuccessReport = true
	sent := sendLater(t, s, m)
	f, _, err := readFrame(d)
	require.NoError(t, err)
	del := <-sent
	write(t, nc, reportFrame(s, "rep12", string(f.MessageID), "Byte-Range: 1-5/5\r\n", "000 200 OK"))
	select {
	case <-del.Done():
		t.Fatal("done without a response")
	default:
	}
	write(t, nc, ok(s, f))
	require.NoError(t, del.Wait(ctx))
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Empty(t, s.reports)
}

// Ranges that would overflow do not keep a delivery from ending.
func TestHugeReportRanges(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	m := text("hello")
	m.SuccessReport = true
	sent := sendLater(t, s, m)
	f, _, err := readFrame(d)
	require.NoError(t, err)
	for range 12 {
		write(t, nc, reportFrame(s, "rep12", string(f.MessageID), "Byte-Range: 2-999999999999999999/5\r\n", "000 200 OK"))
	}
	write(t, nc, ok(s, f))
	del := <-sent
	<-del.Sent()
	select {
	case <-del.Done():
		t.Fatal("nobody has reported the first byte")
	default:
	}
	write(t, nc, reportFrame(s, "rep13", string(f.MessageID), "Byte-Range: 1-1/5\r\n", "000 200 OK"))
	require.NoError(t, del.Wait(ctx))
}

// Two sessions on one connection: each gets what is for it, and one may end without the other.
func TestSessionsShareAConnection(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	other := guestOf(t, s, nc, d)
	exchange := func(wire string) {
		t.Helper()
		write(t, nc, wire)
		f, _, err := readFrame(d)
		require.NoError(t, err)
		require.Equal(t, StatusOK, f.Status)
	}
	exchange(frame(s, "aaaa2", "Message-ID: m1234\r\nContent-Type: text/plain\r\n", "one", Complete))
	sent := sendLater(t, other, text("hello"))
	f, _, err := readFrame(d)
	require.NoError(t, err)
	write(t, nc, ok(other, f))
	require.NoError(t, (<-sent).Wait(ctx))
	exchange(frame(s, "aaaa3", "Message-ID: m1235\r\nContent-Type: text/plain\r\n", "two", Complete))
	for _, want := range []string{"one", "two"} {
		m, err := s.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, want, string(m.Body))
	}
	require.Nil(t, other.next())
	require.NoError(t, other.Close())
	exchange(frame(s, "aaaa4", "", "", Complete))
	require.NoError(t, s.Err())
}

// Of a refused message some chunks may stay unanswered: Shutdown waits for them without spinning, up to their timeout.
func TestShutdownAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		s.mu.Lock()
		s.direct = false
		s.mu.Unlock()
		sent := sendLater(t, s, text(strings.Repeat("x", 2*chunkBytes)))
		f, _, err := readFrame(d)
		require.NoError(t, err)
		_, _, err = readFrame(d)
		require.NoError(t, err)
		write(t, nc, strings.Replace(ok(s, f), "200 OK", "413 Stop", 1))
		require.Error(t, (<-sent).Wait(ctx))
		begin := time.Now()
		require.NoError(t, s.Shutdown(ctx))
		require.Equal(t, responseTimeout, time.Since(begin))
	})
}

func TestShutdownTakesNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		sent := sendLater(t, s, text("hello"))
		f, _, err := readFrame(d)
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(ctx) }()
		synctest.Wait()
		_, err = s.Send(ctx, text("late"))
		require.ErrorIs(t, err, ErrClosed)
		require.NoError(t, s.Err(), "still waiting")
		write(t, nc, ok(s, f))
		require.NoError(t, (<-sent).Wait(ctx))
		require.NoError(t, <-ended)
	})
}

// Every way in which a chunk can end gives its room in the window back exactly once.
func TestWindowIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		s.mu.Lock()
		s.direct = false
		s.mu.Unlock()
		empty := func(why string) {
			t.Helper()
			synctest.Wait()
			s.window.mu.Lock()
			defer s.window.mu.Unlock()
			require.Zero(t, s.window.frames, why)
			require.Zero(t, s.window.bytes, why)
			require.Empty(t, s.window.waiting, why)
		}
		sent := sendLater(t, s, text("answered"))
		f, _, _ := readFrame(d)
		write(t, nc, ok(s, f))
		write(t, nc, ok(s, f)) // twice
		require.NoError(t, (<-sent).Wait(ctx))
		empty("answered")

		sent = sendLater(t, s, text("late"))
		f, _, _ = readFrame(d)
		require.ErrorIs(t, (<-sent).Wait(ctx), ErrTimeout)
		empty("timed out")
		write(t, nc, ok(s, f))
		empty("answered too late")

		failed := make(chan error, 1)
		go func() {
			_, err := s.Send(ctx, text(strings.Repeat("x", 40*chunkBytes)))
			failed <- err
		}()
		var frames []*Frame
		for range windowFrames {
			f, _, _ := readFrame(d)
			frames = append(frames, f)
		}
		write(t, nc, strings.Replace(ok(s, frames[0]), "200 OK", "413 Stop", 1))
		var refused *StatusError
		require.ErrorAs(t, <-failed, &refused)
		for _, f := range frames[1:] {
			write(t, nc, ok(s, f))
		}
		empty("refused halfway")
	})
}

// Whichever Close returns first, the connection is down by then.
func TestManyClose(t *testing.T) {
	for range 50 {
		s, nc, _ := rawPeer(t, nil)
		var wg sync.WaitGroup
		wg.Go(func() { nc.Close() }) // its read loop ends the session at the same time
		for range 3 {
			wg.Go(func() {
				s.Close()
				if !s.conn.closed() {
					t.Error("Close returned before the connection was closed")
				}
				s.conn.wg.Wait()
			})
		}
		wg.Wait()
	}
}

func TestInboxHoldsTheLargestMessage(t *testing.T) {
	e, err := New(&Options{MaxMessage: 64 << 20})
	require.NoError(t, err)
	require.Equal(t, 64<<20, e.o.InboxBytes)
}
