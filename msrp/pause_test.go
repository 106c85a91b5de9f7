package msrp

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// begun is the beginning of a frame without an end.
func begun(s *Session, body string) string {
	return "MSRP aaaa1 SEND\r\nTo-Path: " + s.own + "\r\nFrom-Path: " + rawPath + "\r\n" + streamed + "\r\n" + body
}

// statuses collects what a raw peer is answered.
func statuses(d *Decoder) <-chan int {
	all := make(chan int, 100)
	go func() {
		for {
			f, _, err := readFrame(d)
			if err != nil {
				close(all)
				return
			}
			all <- f.Status
		}
	}()
	return all
}

// On a connection of its own a session stops a sender within a frame until the reader has caught up.
func TestSlowReaderOfOneFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{StreamAbove: 2, InboxBytes: 100_000})
		defer s.e.Close()
		answers := statuses(d)
		written := make(chan time.Time, 1)
		go func() {
			write(t, nc, begun(s, strings.Repeat("x", 1_000_000)+"\r\n-------aaaa1$\r\n"))
			written <- time.Now()
		}()
		m := receive(t, s)
		begin := time.Now()
		for range 10 {
			time.Sleep(29 * time.Second)
			_, waiting, _, _ := s.inbox.load()
			require.Equal(t, 100_000, waiting)
			require.Equal(t, strings.Repeat("x", 100_000), readOff(t, m, 100_000))
			synctest.Wait()
		}
		_, err := m.Reader.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		require.Equal(t, 9*29*time.Second, (<-written).Sub(begin), "held back by the connection")
		require.Equal(t, 200, <-answers)
	})
}

// One that is not read for 30 s is refused.
func TestReaderThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{StreamAbove: 2, InboxBytes: 1000})
		defer s.e.Close()
		answers := statuses(d)
		go write(t, nc, begun(s, strings.Repeat("x", 10_000)+"\r\n-------aaaa1$\r\n"))
		m := receive(t, s)
		begin := time.Now()
		require.Equal(t, 413, <-answers)
		require.Equal(t, roomTimeout, time.Since(begin))
		got, err := io.ReadAll(m.Reader)
		require.Len(t, got, 1000)
		require.ErrorIs(t, err, ErrTooLarge)
		go write(t, nc, frame(s, "aaaa2", "Message-ID: m1235\r\nContent-Type: text/plain\r\n", "x", Complete))
		require.Equal(t, 200, <-answers)
		require.Equal(t, "x", string(receive(t, s).Body))
	})
}

// A message that is to be streamed and finds the inbox full waits for room in the same way.
func TestStreamIntoAFullInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{StreamAbove: 2, InboxMessages: 1})
		defer s.e.Close()
		answers := statuses(d)
		go write(t, nc, frame(s, "aaaa1", "Message-ID: m1111\r\nContent-Type: text/plain\r\n", "x", Complete)+part(s, "1-5/5", "hello", Complete))
		require.Equal(t, 200, <-answers)
		synctest.Wait()
		require.Equal(t, "m1111", receive(t, s).ID)
		require.Equal(t, "hello", readOff(t, receive(t, s), 5))
		require.Equal(t, 200, <-answers)
		go write(t, nc, frame(s, "aaaa1", "Message-ID: m1111\r\nContent-Type: text/plain\r\n", "x", Complete)+part(s, "1-5/5", "hello", Complete))
		require.Equal(t, 200, <-answers)
		begin := time.Now()
		require.Equal(t, 413, <-answers)
		require.Equal(t, roomTimeout, time.Since(begin))
	})
}

// Close, from either side and of anything, never waits for a reader.
func TestCloseDuringAPause(t *testing.T) {
	for name, end := range map[string]func(s *Session, nc net.Conn, m *Message) error{
		"session":  func(s *Session, nc net.Conn, m *Message) error { return s.Close() },
		"endpoint": func(s *Session, nc net.Conn, m *Message) error { return s.e.Close() },
		"message":  func(s *Session, nc net.Conn, m *Message) error { return m.Close() },
		"write failure": func(s *Session, nc net.Conn, m *Message) error {
			nc.Close()
			return s.Report(&Message{ID: "m1234", SuccessReport: true}, 200)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, nc, _ := rawPeer(t, &Options{StreamAbove: 2, InboxBytes: 1000})
				defer s.e.Close()
				go io.WriteString(nc, begun(s, strings.Repeat("x", 10_000)))
				m := receive(t, s)
				synctest.Wait()
				require.NotNil(t, s.conn.company, "paused")
				begin := time.Now()
				require.NoError(t, end(s, nc, m))
				synctest.Wait()
				require.Zero(t, time.Since(begin))
				require.Nil(t, s.conn.company, "goes on")
				nc.Close()
			})
		})
	}
}

// A second session on the connection does not wait for the reader of the first: what the first has no room for is refused.
func TestPauseEndsWhenASessionJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{StreamAbove: 2, InboxBytes: 1000})
		defer s.e.Close()
		answers := statuses(d)
		go io.WriteString(nc, begun(s, strings.Repeat("x", 10_000)))
		m := receive(t, s)
		synctest.Wait()
		other := otherSession(t, s)
		begin := time.Now()
		require.True(t, s.conn.attach(other))
		require.Equal(t, 413, <-answers)
		require.Zero(t, time.Since(begin))
		_, err := io.ReadAll(m.Reader)
		require.ErrorIs(t, err, ErrTooLarge)
		s.conn.detach(other)
	})
}

// Beside another session a stream has its share of memory and no more, and the other one never waits.
func TestSlowReaderOnASharedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{StreamAbove: 2, InboxBytes: 1000})
		defer s.e.Close()
		other := guestOf(t, s, nc, d)
		begin := time.Now()
		write(t, nc, begun(s, strings.Repeat("x", 1000)))
		m := receive(t, s)
		require.Equal(t, 413, statusOf(t, nc, d, strings.Repeat("y", 100)))
		write(t, nc, strings.Repeat("y", 10_000)+"\r\n-------aaaa1+\r\n")
		require.Equal(t, 200, statusOf(t, nc, d, frame(other, "aaaa2", "Message-ID: m1235\r\nContent-Type: text/plain\r\n", "x", Complete)))
		require.Equal(t, "x", string(receive(t, other).Body))
		got, err := io.ReadAll(m.Reader)
		require.Equal(t, strings.Repeat("x", 1000), string(got))
		require.ErrorIs(t, err, ErrTooLarge)
		require.Zero(t, time.Since(begin))
	})
}

// While we do not read, the peer is not blamed for answers that we do not see.
func TestPauseDoesNotCountAgainstThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{StreamAbove: 2, InboxBytes: 1000})
		defer s.e.Close()
		sent := sendLater(t, s, text("hello"))
		f, _, err := readFrame(d)
		require.NoError(t, err)
		late := sendLater(t, s, text("never answered"))
		_, _, err = readFrame(d)
		require.NoError(t, err)
		go write(t, nc, begun(s, strings.Repeat("x", 5000)+"\r\n-------aaaa1$\r\n")+ok(s, f))
		go io.Copy(io.Discard, nc)
		m := receive(t, s)
		for range 5 {
			time.Sleep(25 * time.Second)
			readOff(t, m, 1000)
			synctest.Wait()
		}
		require.NoError(t, (<-sent).Wait(ctx))
		begin := time.Now()
		require.ErrorIs(t, (<-late).Wait(ctx), ErrTimeout)
		require.Less(t, time.Since(begin), responseTimeout, "it has its 30 s after the last pause, and no more")
	})
}

// The 200 for a chunk waits until the reader has caught up.
func TestResponsesAreWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{StreamAbove: 2, InboxBytes: 1000})
		defer s.e.Close()
		answers := statuses(d)
		said := 0
		say := func(n int, flag Continuation) {
			write(t, nc, part(s, fmt.Sprintf("%d-*/*", said+1), strings.Repeat("x", n), flag))
			said += n
			synctest.Wait()
		}
		say(500, More)
		m := receive(t, s)
		require.Len(t, answers, 1, "half is not too much")
		require.Equal(t, 200, <-answers)
		say(100, More)
		say(100, More)
		require.Empty(t, answers)
		time.Sleep(withholdTimeout - 1)
		readOff(t, m, 199)
		require.Empty(t, answers, "501 still wait")
		readOff(t, m, 1)
		synctest.Wait()
		require.Len(t, answers, 2, "without a wait")
		require.Equal(t, 200, <-answers)
		require.Equal(t, 200, <-answers)
		begin := time.Now()
		say(1, More)
		time.Sleep(time.Second)
		say(1, Complete)
		require.Equal(t, 200, <-answers)
		require.Equal(t, withholdTimeout, time.Since(begin), "in time for the sender's 30 s")
		require.Equal(t, 200, <-answers)
		require.Equal(t, withholdTimeout+time.Second, time.Since(begin))
		rest, err := io.ReadAll(m.Reader)
		require.NoError(t, err)
		require.Len(t, rest, 502)
	})
}

// So many and no more, none where none is wanted, and all of them when the reader gives up.
func TestWithheldResponsesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{StreamAbove: 2, InboxBytes: 1000})
		defer s.e.Close()
		answers := statuses(d)
		write(t, nc, strings.Replace(part(s, "1-*/*", strings.Repeat("x", 600), More), "Content-Type", "Failure-Report: partial\r\nContent-Type", 1))
		m := receive(t, s)
		for i := range maxWithheld + 1 {
			write(t, nc, part(s, fmt.Sprintf("%d-*/*", 601+i), "x", More))
		}
		require.Equal(t, 200, <-answers, "one too many")
		synctest.Wait()
		require.Empty(t, answers)
		require.NoError(t, m.Close())
		for range maxWithheld {
			require.Equal(t, 200, <-answers)
		}
		synctest.Wait()
		require.Empty(t, answers)
	})
}
