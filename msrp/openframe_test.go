package msrp

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A frame that is sent in pieces must be ended whatever becomes of its message: on a shared connection the frames of other sessions would
// vanish in its body, and the peer closes a connection that stops within a frame.

// guestOf binds another session to the connection of a raw peer.
func guestOf(t testing.TB, s *Session, nc net.Conn, d *Decoder) *Session {
	t.Helper()
	other := otherSession(t, s)
	bound := connectLater(other, nil)
	<-other.ready
	write(t, nc, frame(other, "bind5678", "Message-ID: bind\r\n", "", Complete))
	requireStatus(t, d, "bind5678", StatusOK)
	require.NoError(t, <-bound)
	return other
}

// stuck gives some bytes and then nothing until it is freed.
type stuck struct {
	first int
	free  chan struct{}
	panic bool
}

func (r *stuck) Read(b []byte) (int, error) {
	if r.first > 0 {
		n := min(r.first, len(b))
		r.first -= n
		return n, nil
	}
	if r.panic {
		panic("reader")
	}
	<-r.free
	return 0, io.EOF
}

// The worst end of a frame: its session is closed while its Reader gives nothing.
func TestClosedSessionEndsItsFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		other := guestOf(t, s, nc, d)
		r := &stuck{first: 3 * interruptible, free: make(chan struct{})}
		defer close(r.free)
		go s.Send(ctx, &Message{ContentType: "a/b", Reader: r})
		f, err := d.Next()
		require.NoError(t, err)
		time.AfterFunc(time.Second, func() { s.Close() })
		begin := time.Now()
		require.NotEmpty(t, readBody(t, d))
		require.Equal(t, Aborted, f.Continuation)
		require.Equal(t, time.Second, time.Since(begin))
		sent := sendLater(t, other, text("hello"))
		f, body := next(t, d)
		require.Equal(t, "hello", string(body))
		write(t, nc, ok(other, f))
		require.NoError(t, (<-sent).Wait(ctx))
	})
}

// The same for a message in memory, behind whose frame responses wait.
func TestClosedSessionLetsResponsesGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		other := guestOf(t, s, nc, d)
		go s.Send(ctx, &Message{ContentType: "a/b", Body: make([]byte, 8<<20)})
		f, err := d.Next()
		require.NoError(t, err)
		write(t, nc, frame(other, "ask12345", "Message-ID: ask12345\r\n", "", Complete))
		synctest.Wait()
		require.NoError(t, s.Close())
		readBody(t, d)
		require.Equal(t, Aborted, f.Continuation)
		f, _ = next(t, d)
		require.Equal(t, "ask12345", string(f.TransactionID))
		require.NoError(t, other.Err())
	})
}

// A Reader that panics leaves nothing behind: no open frame, no lock, no Delivery.
func TestReaderThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		go func() {
			defer func() { recover() }()
			s.Send(ctx, &Message{ContentType: "a/b", Reader: &stuck{first: 3 * interruptible, panic: true}})
		}()
		f, _ := next(t, d)
		require.Equal(t, Aborted, f.Continuation)
		write(t, nc, ok(s, f))
		synctest.Wait()
		require.Empty(t, s.reports)
		require.Zero(t, s.window.load())
		sent := sendLater(t, s, text("hello"))
		f, _ = next(t, d)
		write(t, nc, ok(s, f))
		require.NoError(t, (<-sent).Wait(ctx))
	})
}

// A Reader that gives nothing for a while does not keep its chunk open: within one a peer takes two minutes of silence for the end of the connection.
func TestRFC4975_5_1_SlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		body, feed := io.Pipe()
		sent := sendLater(t, s, &Message{ContentType: "a/b", Reader: body})
		go func() {
			feed.Write(make([]byte, 2*interruptible))
			time.Sleep(time.Hour)
			feed.Write(make([]byte, interruptible))
			feed.Write([]byte("end"))
			feed.Close()
		}()
		begin := time.Now()
		f, first := next(t, d)
		require.Equal(t, More, f.Continuation)
		require.Equal(t, readerTimeout, time.Since(begin))
		write(t, nc, ok(s, f))
		f, second := next(t, d)
		require.Equal(t, time.Hour, time.Since(begin))
		require.EqualValues(t, len(first)+1, f.ByteRange.Start)
		require.Equal(t, Complete, f.Continuation)
		require.Equal(t, 3*interruptible+3, len(first)+len(second))
		write(t, nc, ok(s, f))
		require.NoError(t, (<-sent).Wait(ctx))
	})
}

// A refusal ends the chunk in progress also while its Reader gives nothing (RFC 4975 section 10.5).
func TestRFC4975_10_5_RefusedWhileTheReaderIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		r := &stuck{first: 3 * interruptible, free: make(chan struct{})}
		failed := make(chan error, 1)
		go func() {
			_, err := s.Send(ctx, &Message{ContentType: "a/b", Reader: r})
			failed <- err
		}()
		f, err := d.Next()
		require.NoError(t, err)
		begin := time.Now()
		go write(t, nc, strings.Replace(ok(s, f), "200 OK", "413 Stop", 1))
		readBody(t, d)
		require.Equal(t, Aborted, f.Continuation)
		require.Zero(t, time.Since(begin))
		close(r.free)
		var refused *StatusError
		require.ErrorAs(t, <-failed, &refused)
		nothingBefore(t, s, nc, d)
	})
}

// What the Reader says of its own source is not what the peer said: a stream that comes from another session may end with a StatusError.
func TestReaderWithAnotherSessionsError(t *testing.T) {
	for _, code := range []int{StatusStopSending, StatusNoSession} {
		s, nc, d := relayedPeer(t)
		elsewhere := &StatusError{code, "elsewhere"}
		failed := make(chan error, 1)
		go func() {
			body := io.MultiReader(bytes.NewReader(make([]byte, 2*chunkBytes)), errorReader{elsewhere})
			_, err := s.Send(ctx, &Message{ContentType: "a/b", Reader: body, FailureReport: No})
			failed <- err
		}()
		f, _ := next(t, d)
		for f.Continuation == More {
			f, _ = next(t, d)
		}
		require.Equal(t, Aborted, f.Continuation, "the peer hears of it")
		require.Equal(t, ByteRange{1, 0, Unknown}, f.ByteRange, "no other range fits an empty chunk (RFC 4975 section 7.1.1)")
		require.ErrorIs(t, <-failed, elsewhere)
		sent := sendLater(t, s, text("hello"))
		f, _ = next(t, d)
		write(t, nc, strings.Replace(ok(s, f), rawPath, "msrp://relay.example.com:2855/r;tcp", 1))
		require.NoError(t, (<-sent).Wait(ctx))
		require.NoError(t, s.Err())
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// A body of unknown length has no empty chunk at its end, also if it ends with a chunk: none but the first could say where it belongs.
func TestRFC4975_7_1_1_NoEmptyLastChunk(t *testing.T) {
	s, nc, d := relayedPeer(t)
	sent := sendLater(t, s, &Message{ContentType: "a/b", Reader: bytes.NewReader(make([]byte, 2*chunkBytes))})
	for n := 0; n < 2*chunkBytes; {
		f, body := next(t, d)
		require.NotEmpty(t, body)
		require.EqualValues(t, n+1, f.ByteRange.Start)
		n += len(body)
		require.Equal(t, n == 2*chunkBytes, f.Continuation == Complete)
		write(t, nc, strings.Replace(ok(s, f), rawPath, "msrp://relay.example.com:2855/r;tcp", 1))
	}
	require.NoError(t, (<-sent).Wait(ctx))
}

// A last chunk of 2,048 bytes or less tells its real end, also where a longer one would have gone on (RFC 4975 section 7.1.1).
func TestRFC4975_7_1_1_EndOfALastChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		body, feed := io.Pipe()
		go s.Send(ctx, &Message{ContentType: "a/b", Reader: body, Size: interruptible + 5, FailureReport: No})
		go feed.Write(make([]byte, interruptible))
		f, err := d.Next()
		require.NoError(t, err)
		go write(t, nc, frame(s, "ask12345", "Message-ID: ask12345\r\n", "", Complete))
		readBody(t, d)
		require.Equal(t, More, f.Continuation)
		next(t, d)
		go feed.Write([]byte("12345"))
		f, _ = next(t, d)
		require.Equal(t, ByteRange{interruptible + 1, interruptible + 5, interruptible + 5}, f.ByteRange)
	})
}

// Shutdown ends a message whose Send has not returned, and does not leave its frame open.
func TestShutdownEndsAnOpenFrame(t *testing.T) {
	for _, shared := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s, nc, d := rawPeer(t, nil)
			defer s.e.Close()
			other := s
			if shared {
				other = guestOf(t, s, nc, d)
			}
			r := &stuck{first: 3 * interruptible, free: make(chan struct{})}
			failed := make(chan error, 1)
			go func() {
				_, err := s.Send(ctx, &Message{ContentType: "a/b", Reader: r, FailureReport: No})
				failed <- err
			}()
			f, err := d.Next()
			require.NoError(t, err)
			ended := make(chan error, 1)
			go func() { ended <- s.Shutdown(ctx) }()
			readBody(t, d)
			require.Equal(t, Aborted, f.Continuation)
			require.NoError(t, <-ended)
			close(r.free)
			require.ErrorIs(t, <-failed, ErrClosed)
			require.Equal(t, !shared, other.ended())
		})
	}
}

// A transfer that waits for the connection ends with its session, though the connection carries another.
func TestClosedSessionDoesNotWaitForTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		guestOf(t, s, nc, d)
		failed := make(chan error, 1)
		go func() {
			_, err := s.Send(ctx, &Message{ContentType: "a/b", Reader: zeros{}, FailureReport: No})
			failed <- err
		}()
		synctest.Wait() // the peer does not read
		begin := time.Now()
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-failed, ErrClosed)
		require.Zero(t, time.Since(begin))
	})
}

// A Reader that returns a count that cannot be gets an error, and the peer an end.
func TestReaderThatLies(t *testing.T) {
	for _, n := range []int{-1, 1 << 40} {
		a, _ := pair(t, nil)
		_, err := a.Send(ctx, &Message{ContentType: "a/b", Reader: liar(n)})
		require.ErrorIs(t, err, errReader)
	}
}

type liar int

func (n liar) Read([]byte) (int, error) { return int(n), nil }

// Nor can an end-line begin in the first piece, before its transaction ID was known, and end in the second.
func TestRFC4975_7_1_EndLineOverTheFirstSeam(t *testing.T) {
	s, _, d := rawPeer(t, nil)
	body, feed := io.Pipe()
	go s.Send(ctx, &Message{ContentType: "a/b", Reader: body, FailureReport: No})
	first := strings.Repeat("x", interruptible) + "\r\n-------"
	go feed.Write([]byte(first))
	f, err := d.Next()
	require.NoError(t, err)
	rest := string(f.TransactionID) + "$\r\n" + strings.Repeat("y", interruptible)
	go func() {
		feed.Write([]byte(rest))
		feed.Close()
	}()
	all := string(readBody(t, d))
	require.Equal(t, More, f.Continuation)
	_, more := next(t, d)
	require.Equal(t, first+rest, all+string(more))
}

// Many responses do not wait as long as a few behind a long frame: what we owe is bounded. With still more the read loop first waits for the
// peer to read.
func TestManyResponsesBehindALongFrame(t *testing.T) {
	for many, most := range map[int]time.Duration{1000: heldTimeout / 2, 2000: relieveTimeout + heldTimeout/2} {
		synctest.Test(t, func(t *testing.T) {
			s, nc, d := rawPeer(t, nil)
			defer s.e.Close()
			go s.Send(ctx, &Message{ContentType: "a/b", Body: make([]byte, 8<<20), FailureReport: No})
			f, err := d.Next()
			require.NoError(t, err)
			begin := time.Now()
			for range many {
				write(t, nc, frame(s, "ask12345", "Message-ID: ask12345\r\n", "", Complete))
			}
			for err == nil {
				_, err = d.Body()
				time.Sleep(10 * time.Millisecond)
			}
			require.Equal(t, io.EOF, err)
			require.Equal(t, More, f.Continuation)
			require.Less(t, time.Since(begin), most, many)
			for range many {
				f, _ = next(t, d)
				require.Equal(t, StatusOK, f.Status)
			}
		})
	}
}

// A message whose ID the caller uses again, too early, is given up without a word: an abort would hit the new one.
func TestIDUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, d := relayedPeer(t)
		defer s.e.Close()
		r := &stuck{first: chunkBytes + 1, free: make(chan struct{})}
		failed := make(chan error, 1)
		go func() {
			_, err := s.Send(ctx, &Message{ID: "same1234", ContentType: "a/b", Reader: r, FailureReport: No})
			failed <- err
		}()
		next(t, d)
		body, feed := io.Pipe()
		sent := sendLater(t, s, &Message{ID: "same1234", ContentType: "a/b", Reader: body, FailureReport: No})
		feed.Write(make([]byte, chunkBytes+1))
		f, _ := next(t, d)
		require.Equal(t, More, f.Continuation)
		close(r.free)
		require.ErrorIs(t, <-failed, ErrUnreported)
		feed.Close()
		f, _ = next(t, d)
		require.Equal(t, Complete, f.Continuation)
		require.NoError(t, (<-sent).Wait(ctx))
	})
}
