package msrp

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
	"github.com/stretchr/testify/require"
)

// A head that no receiver takes is not sent: the peer would close the connection.
func TestHeadIsBounded(t *testing.T) {
	a, p := pair(t, nil)
	many := make([]Header, maxHeaders+1)
	for i := range many {
		many[i] = Header{[]byte(fmt.Sprint("X", i)), []byte("y")}
	}
	huge := []Header{{[]byte("X"), bytes.Repeat([]byte("y"), defaultHeadBytes)}}
	for _, h := range [][]Header{many, huge} {
		for _, m := range []*Message{{Body: []byte("x")}, {Reader: strings.NewReader("x")}} {
			m.ContentType, m.Header = "a/b", h
			_, err := a.Send(ctx, m)
			require.ErrorIs(t, err, ErrTooLarge)
		}
	}
	_, err := a.Send(ctx, &Message{ContentType: "a/b;x=" + strings.Repeat("y", defaultHeadBytes), Body: []byte("x")})
	require.ErrorIs(t, err, ErrTooLarge)

	m := text("as much as goes")
	m.Header, m.SuccessReport, m.FailureReport = many[1:], true, Yes
	fits := defaultHeadBytes - a.headSize(m)
	m.Header[0].Value = bytes.Repeat([]byte("y"), fits)
	d, err := a.Send(ctx, m)
	require.NoError(t, err)
	require.NoError(t, d.Wait(ctx))
	got, err := p.Receive(ctx)
	require.NoError(t, err)
	require.Len(t, got.Header, maxHeaders)
	m.Header[0].Value = append(m.Header[0].Value, "yy"...)
	_, err = a.Send(ctx, m)
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestFieldsThatCannotGo(t *testing.T) {
	a, _ := pair(t, nil)
	for name, m := range map[string]*Message{
		"blank type":    {ContentType: " ", Body: []byte("x")},
		"leading blank": {ContentType: " a/b", Body: []byte("x")},
		"trailing tab":  {ContentType: "a/b\t", Body: []byte("x")},
		"size":          {ContentType: "a/b", Reader: zeros{}, Size: mostCount + 1},
		"odd case":      {ContentType: "a/b", Body: []byte("x"), Header: []Header{{[]byte("byte-RANGE"), []byte("1-1/1")}}},
		"NUL":           {ContentType: "a/b", Body: []byte("x"), Header: []Header{{[]byte("X"), []byte("a\x00")}}},
		"CR":            {ContentType: "a/b", Body: []byte("x"), Header: []Header{{[]byte("X"), []byte("a\rTo-Path: x")}}},
		"name":          {ContentType: "a/b", Body: []byte("x"), Header: []Header{{[]byte("X: y\r\nZ"), []byte("a")}}},
	} {
		_, err := a.Send(ctx, m)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}

// A message may take longer than a report may: its 10 minutes begin with its last chunk.
func TestReportIsDueAfterTheLastChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		body, feed := io.Pipe()
		sent := sendLater(t, s, &Message{ContentType: "a/b", Reader: body, SuccessReport: true})
		go func() {
			feed.Write(make([]byte, 2*interruptible))
			time.Sleep(time.Hour)
			feed.Close()
		}()
		for {
			f, _ := next(t, d)
			write(t, nc, ok(s, f))
			if f.Continuation == Complete {
				break
			}
		}
		del := <-sent
		begin := time.Now()
		require.Equal(t, 1, s.Stats().Unreported)
		require.ErrorIs(t, del.Wait(ctx), ErrTimeout)
		require.Equal(t, reportTimeout, time.Since(begin))
		require.Zero(t, s.Stats().Unreported)
	})
}

// The outcome comes before a context that is over.
func TestWaitPrefersTheOutcome(t *testing.T) {
	a, _ := pair(t, nil)
	d, err := a.Send(ctx, text("hello"))
	require.NoError(t, err)
	<-d.Done()
	over, cancel := context.WithCancel(ctx)
	cancel()
	for range 50 {
		require.NoError(t, d.Wait(over))
	}
}

// While a long frame is on its way no keep-alive breaks into it.
func TestKeepAliveBehindALongFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{KeepAlive: 10 * time.Second})
		defer s.e.Close()
		sent := sendLater(t, s, &Message{ContentType: "a/b", Body: make([]byte, 4<<20)})
		f, err := d.Next()
		require.NoError(t, err)
		begin := time.Now()
		for err == nil {
			_, err = d.Body()
			time.Sleep(500 * time.Millisecond)
		}
		require.Equal(t, io.EOF, err)
		require.Greater(t, time.Since(begin), 20*time.Second)
		require.Equal(t, Complete, f.Continuation)
		write(t, nc, ok(s, f))
		require.NoError(t, (<-sent).Wait(ctx))
	})
}

// One keep-alive at a time is under way, however short the interval and silent the peer.
func TestOneKeepAliveAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, d := rawPeer(t, &Options{KeepAlive: time.Second})
		defer s.e.Close()
		n := 0
		go func() {
			for {
				if _, _, err := readFrame(d); err != nil {
					return
				}
				n++
			}
		}()
		begin := time.Now()
		<-s.Done()
		require.Equal(t, time.Second+responseTimeout, time.Since(begin))
		require.ErrorIs(t, s.Err(), ErrTimeout)
		synctest.Wait()
		require.Equal(t, 1, n)
	})
}

// A guest that loses its connection dials anew; a keep-alive that was under way there says nothing of the new one.
func TestGuestLosesAKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, d := rawPeer(t, &Options{KeepAlive: time.Second})
		defer s.e.Close()
		next(t, d) // a keep-alive
		s.mu.Lock()
		s.guest, s.role = true, Active
		s.mu.Unlock()
		s.conn.mu.Lock()
		s.conn.shared = true
		s.conn.mu.Unlock()
		s.conn.close(io.EOF)
		nc, theirs := net.Pipe()
		defer nc.Close()
		c := newConn(s.e, theirs, false)
		require.NoError(t, s.e.start(c))
		require.True(t, s.take(c))
		d = NewDecoder(nc, nil)
		sent := sendLater(t, s, text("hello"))
		f, _ := next(t, d)
		write(t, nc, ok(s, f))
		require.NoError(t, (<-sent).Wait(ctx))
		synctest.Wait()
		require.NoError(t, s.Err())
	})
}

// A session that does not exist for the peer is over, also if no response was due.
func TestRFC4975_10_8_NoSessionForAPartial(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	m := text("hello")
	m.FailureReport = Partial
	sent := sendLater(t, s, m)
	f, _ := next(t, d)
	require.NoError(t, (<-sent).Wait(ctx))
	write(t, nc, strings.Replace(ok(s, f), "200 OK", "481 gone", 1))
	<-s.Done()
	var refused *StatusError
	require.ErrorAs(t, s.Err(), &refused)
	require.Equal(t, StatusNoSession, refused.Code)
}

// A Send that is overtaken by Close puts nothing more on a connection that goes on with another session.
func TestSendBehindClose(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	other := guestOf(t, s, nc, d)
	c, err := s.connection(true)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.chunk(ctx, c, text("late"), &Delivery{s: s}, 0, []byte("late"), true), ErrClosed)
	require.Zero(t, s.window.load())
	nothingBefore(t, other, nc, d)
}

// A message without a byte on the wire needs no end there.
func TestNothingSentNothingAborted(t *testing.T) {
	for _, connect := range []func(testing.TB) (*Session, net.Conn, *Decoder){relayedPeer, func(t testing.TB) (*Session, net.Conn, *Decoder) { return rawPeer(t, nil) }} {
		s, nc, d := connect(t)
		_, err := s.Send(ctx, &Message{ContentType: "a/b", Reader: errorReader{io.ErrUnexpectedEOF}, FailureReport: No})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		sent := sendLater(t, s, &Message{ContentType: "a/b", Body: []byte("next"), FailureReport: No})
		_, body := next(t, d)
		require.Equal(t, "next", string(body))
		require.NoError(t, (<-sent).Wait(ctx))
		nc.Close()
	}
}

// A Reader that gives a little every few seconds has its chunk neither ended nor counted as silent, however long it takes.
func TestSteadyReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, d := rawPeer(t, nil)
		defer s.e.Close()
		body, feed := io.Pipe()
		go s.Send(ctx, &Message{ContentType: "a/b", Reader: body, FailureReport: No})
		go func() {
			for range 100 {
				feed.Write(make([]byte, interruptible+1))
				time.Sleep(readerTimeout / 2)
			}
			feed.Close()
		}()
		f, got := next(t, d)
		require.Equal(t, Complete, f.Continuation)
		require.Len(t, got, 100*(interruptible+1))
	})
}

// A nickname is a matter between us and the conference: relays pass its response on, with the whole path in it (RFC 4976 section 6.4.3).
func TestRFC4976_6_4_3_NicknameThroughARelay(t *testing.T) {
	s, nc, d := relayedPeer(t)
	result := make(chan error, 1)
	go func() { result <- s.Nickname(ctx, "alice") }()
	f, _ := next(t, d)
	require.Equal(t, relayedPath, string(f.ToPath))
	for _, from := range []string{"msrp://relay.example.com:2855/r;tcp msrp://other.example.com:2855/o;tcp", rawPath, rawPath + " " + rawPath} {
		write(t, nc, strings.Replace(answerTo(s, f, "403 no", ""), rawPath, from, 1)) // not from there
	}
	write(t, nc, strings.Replace(answerTo(s, f, "425 taken", ""), rawPath, relayedPath, 1))
	var refused *StatusError
	require.ErrorAs(t, <-result, &refused)
	require.Equal(t, StatusNicknameInUse, refused.Code)
}

// A REPORT speaks of a message: one without a Message-ID is not taken for the outcome of a request that has none either.
func TestReportWithoutMessageID(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	result := make(chan error, 1)
	go func() { result <- s.Nickname(ctx, "alice") }()
	f, _ := next(t, d)
	write(t, nc, strings.Replace(reportFrame(s, "rep12345", "", "", "000 413 no"), "Message-ID: \r\n", "", 1))
	write(t, nc, ok(s, f))
	require.NoError(t, <-result)
}

// Once our direction of a connection is to be closed, what we would owe is dropped.
func TestWriterStops(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	w := newWriter(ours, false, func() {})
	require.NoError(t, w.push(append(buffer.New(0), "before"...)))
	w.stop()
	require.NoError(t, w.push(append(buffer.New(0), "behind"...)))
	require.Equal(t, len("before"), w.load())
}

// What we owe the peer counts as long as it waits, and no longer.
func TestManyResponses(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	ask := frame(s, "ask12345", "Message-ID: ask12345\r\n", "", Complete)
	for range 2 * responseQueue / len(ask) {
		write(t, nc, ask)
		f, _ := next(t, d)
		require.Equal(t, StatusOK, f.Status)
	}
	require.NoError(t, s.Err())
	require.Less(t, s.Stats().QueuedBytes, 1000) // the last may not be off the books yet
}

// A frame has 30 s to be written, and a second more for each 16 KiB.
func TestWriteTimeoutGrowsWithTheFrame(t *testing.T) {
	for late, want := range map[time.Duration]error{0: nil, 2 * time.Second: ErrStalled} {
		synctest.Test(t, func(t *testing.T) {
			s, _, d := rawPeer(t, nil)
			defer s.e.Close()
			go s.Send(ctx, &Message{ContentType: "a/b", Body: make([]byte, 4<<14), FailureReport: No})
			time.Sleep(writeTimeout + 4*time.Second - time.Millisecond + late)
			_, _, err := readFrame(d)
			synctest.Wait()
			require.Equal(t, want == nil, err == nil)
			require.ErrorIs(t, s.Err(), want)
		})
	}
}

// A burst leaves nothing large behind on a connection that is idle again.
func TestWriterAfterABurst(t *testing.T) {
	for _, burst := range []int{1, queueEntries, 500, 2500} {
		started := make(chan struct{}, 1)
		w := newWriter(discard{}, false, func() { started <- struct{}{} })
		for range burst {
			require.NoError(t, w.push(append(buffer.New(0), "x"...)))
		}
		<-started
		require.NoError(t, w.run())
		require.LessOrEqual(t, cap(w.queue)+cap(w.spare), 2*queueEntries)
		require.Nil(t, w.together)
	}
}

type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error)      { return len(b), nil }
func (discard) SetWriteDeadline(time.Time) error { return nil }

// Who waits for Sent hears of a failure, too, whether he asked before or after.
func TestSentIsClosedByAFailure(t *testing.T) {
	for _, early := range []bool{true, false} {
		s, nc, d := rawPeer(t, nil)
		sent := sendLater(t, s, text("hello"))
		f, _ := next(t, d)
		del := <-sent
		var asked <-chan struct{}
		if early {
			asked = del.Sent()
		}
		write(t, nc, answerTo(s, f, "403 no", ""))
		require.Error(t, del.Wait(ctx))
		if !early {
			asked = del.Sent()
		}
		<-asked
	}
}

// A nickname of 1,023 bytes is the longest (RFC 7701 section 7.1); one more is refused in TestRFC7701_7_1_Nickname.
func TestRFC7701_7_1_LongestNickname(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	result := make(chan error, 1)
	go func() { result <- s.Nickname(ctx, strings.Repeat("x", 1023)) }()
	f, _ := next(t, d)
	require.Len(t, f.Value("Use-Nickname"), 1025)
	write(t, nc, ok(s, f))
	require.NoError(t, <-result)
}

// A session that only waits for its last answers is not kept alive.
func TestNoKeepAliveInShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, d := rawPeer(t, &Options{KeepAlive: time.Second})
		defer s.e.Close()
		sent := sendLater(t, s, text("hello"))
		next(t, d)
		del := <-sent
		begin := time.Now()
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(ctx) }()
		_, _, err := readFrame(d)
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, responseTimeout, time.Since(begin))
		require.NoError(t, <-ended)
		require.ErrorIs(t, del.Wait(ctx), ErrTimeout)
	})
}

// Between two frames TLS may have to write on its own, for new keys: no deadline of a frame long ago may stand in its way.
func TestNoWriteDeadlineAtRest(t *testing.T) {
	nc := &deadlines{}
	w := newWriter(tls.Client(nc, &tls.Config{InsecureSkipVerify: true}), false, func() {})
	require.NoError(t, w.nc.SetWriteDeadline(time.Now()))
	require.NoError(t, w.run())
	require.Zero(t, nc.write)
}

type deadlines struct {
	net.Conn
	write time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }
