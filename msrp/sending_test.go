package msrp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
	fits := defaultHeadBytes - a.headBytes(m)
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
		s.conn.close(io.EOF)
		nc, theirs := net.Pipe()
		defer nc.Close()
		c, err := s.e.start(theirs, false)
		require.NoError(t, err)
		require.True(t, s.take(c, false))
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
