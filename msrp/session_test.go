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

func TestSendAndReceive(t *testing.T) {
	for _, size := range []int{0, 1, 100, 2048, 2049, 10_000, 64 << 10, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			a, p := pair(t, nil)
			for _, x := range [][2]*Session{{a, p}, {p, a}} {
				m := text(strings.Repeat("x", size))
				m.SuccessReport = true
				d, err := x[0].Send(ctx, m)
				require.NoError(t, err)
				got, err := x[1].Receive(ctx)
				require.NoError(t, err)
				require.Equal(t, d.ID(), got.ID)
				require.True(t, bytes.Equal(m.Body, got.Body))
				require.Equal(t, m.ContentType, got.ContentType)
				require.NoError(t, d.Wait(ctx))
			}
		})
	}
}

func TestSendOverTCP(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		e, err := New(nil)
		require.NoError(t, err)
		require.NoError(t, e.Serve(l))
		defer e.Close()
		a, err := e.NewSession(nil)
		require.NoError(t, err)
		b, err := e.NewSession(nil)
		require.NoError(t, err)
		connect(t, a, b) // two sessions of one endpoint
		d, err := a.Send(ctx, text("hello"))
		require.NoError(t, err)
		require.NoError(t, d.Wait(ctx))
		m, err := b.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "hello", string(m.Body))
	}
}

func TestMessagesKeepTheirOrder(t *testing.T) {
	const n = 1000
	a, p := pair(t, &Options{InboxMessages: n}) // else a slow reader has some refused
	go func() {
		for i := range n {
			if _, err := a.Send(ctx, text(fmt.Sprint(i))); err != nil {
				panic(err)
			}
		}
	}()
	i := 0
	for m, err := range p.Messages(ctx) {
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(m.Body))
		if i++; i == n {
			break
		}
	}
}

// What Blink and the relays can take: see docs/ARCHITECTURE.md.
func TestWhatGoesOnTheWire(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	send := func(m *Message) {
		go s.Send(ctx, m)
	}
	send(text("hello"))
	f, body, err := readFrame(d)
	require.NoError(t, err)
	require.Equal(t, "hello", string(body))
	require.Equal(t, "SEND", string(f.Method))
	require.Equal(t, ByteRange{1, 5, 5}, f.ByteRange)
	require.NotEmpty(t, f.MessageID)
	require.Empty(t, f.FailureReport)
	require.Empty(t, f.SuccessReport)
	require.Equal(t, "text/plain;charset=utf-8", string(f.ContentType))
	write(t, nc, fmt.Sprintf("MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: msrp://raw.example.com:2855/raw;tcp\r\n-------%[1]s$\r\n", f.TransactionID, s.own))

	large := text(strings.Repeat("ä", 1<<20)) // no relay: one chunk of any size, interruptible on paper
	large.FailureReport, large.SuccessReport = No, true
	send(large)
	f, body, err = readFrame(d)
	require.NoError(t, err)
	require.Len(t, body, 2<<20)
	require.Equal(t, ByteRange{1, Unknown, 2 << 20}, f.ByteRange)
	require.Equal(t, Complete, f.Continuation)
	require.Equal(t, "no", string(f.FailureReport))
	require.Equal(t, "yes", string(f.SuccessReport))
}

// With a relay in the path no frame has more than 10,000 bytes of body (Kamailio, AG Projects), and no more than 32 are unanswered.
func TestChunksAndWindowThroughARelay(t *testing.T) {
	e, err := New(&Options{Host: "a.example.com:1"})
	require.NoError(t, err)
	defer e.Close()
	s, err := e.NewSession(nil)
	require.NoError(t, err)
	ours, theirs := net.Pipe()
	e.ServeConn(theirs)
	d := NewDecoder(ours, nil)
	const peer = "msrp://relay.example.com:2855/r;tcp msrp://raw.example.com:2855/raw;tcp"
	bound := make(chan error, 1)
	go func() { bound <- s.Connect(ctx, mustPath(peer), Passive, nil) }()
	write(t, ours, "MSRP bind1234 SEND\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+peer+"\r\nMessage-ID: bind\r\n-------bind1234$\r\n")
	_, _, err = readFrame(d)
	require.NoError(t, err)
	require.NoError(t, <-bound)

	const size = 500_000
	delivery := sendLater(t, s, text(strings.Repeat("x", size)))
	var ids []string
	for range windowFrames {
		f, body, err := readFrame(d)
		require.NoError(t, err)
		require.Len(t, body, chunkBytes)
		require.Equal(t, More, f.Continuation)
		require.Equal(t, peer, string(f.ToPath))
		ids = append(ids, string(f.TransactionID))
	}
	require.NoError(t, ours.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = d.Next()
	require.Error(t, err, "a 33rd frame without a response")
	require.NoError(t, ours.SetReadDeadline(time.Time{}))
	answer := func(id string) {
		write(t, ours, fmt.Sprintf("MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: msrp://relay.example.com:2855/r;tcp\r\n-------%[1]s$\r\n", id, s.own))
	}
	go func() {
		for _, id := range ids {
			answer(id)
		}
	}()
	for got := windowFrames * chunkBytes; got < size; {
		f, body, err := readFrame(d)
		require.NoError(t, err)
		got += len(body)
		if got == size {
			require.Equal(t, Complete, f.Continuation)
		}
		go answer(string(f.TransactionID))
	}
	require.NoError(t, (<-delivery).Wait(ctx))
}

// A 200 for nothing we sent, on the wrong connection's path, or from another hop changes nothing.
func TestResponsesMustMatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		dl := sendLater(t, s, text("hello"))
		f, _, err := readFrame(d)
		require.NoError(t, err)
		del := <-dl
		id := string(f.TransactionID)
		for _, r := range []string{
			"MSRP 0123456789abcdef 200 OK\r\nTo-Path: " + s.own + "\r\nFrom-Path: msrp://raw.example.com:2855/raw;tcp\r\n-------0123456789abcdef$\r\n",
			"MSRP nonsense 200 OK\r\nTo-Path: " + s.own + "\r\nFrom-Path: msrp://raw.example.com:2855/raw;tcp\r\n-------nonsense$\r\n",
			"MSRP " + id + " 200 OK\r\nTo-Path: " + s.own + "\r\nFrom-Path: msrp://other.example.com:2855/raw;tcp\r\n-------" + id + "$\r\n",
			"MSRP " + id + " 200 OK\r\nTo-Path: msrp://x.example.com:1/y;tcp\r\nFrom-Path: msrp://raw.example.com:2855/raw;tcp\r\n-------" + id + "$\r\n",
		} {
			write(t, nc, r)
		}
		synctest.Wait()
		select {
		case <-del.Sent():
			t.Fatal("taken for sent")
		default:
		}
		write(t, nc, "MSRP "+id+" 413 Stop\x20Sending\r\nTo-Path: "+s.own+"\r\nFrom-Path: msrp://raw.example.com:2855/raw;tcp\r\n-------"+id+"$\r\n")
		var refused *StatusError
		require.ErrorAs(t, del.Wait(ctx), &refused)
		require.Equal(t, 413, refused.Code)
	})
}

// RFC 4975 section 7.1.1: no response within 30 s is a failure.
func TestResponseTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, _ := rawPeer(t, nil)
		go io.Copy(io.Discard, nc)
		begin := time.Now()
		d, err := s.Send(ctx, text("hello"))
		require.NoError(t, err)
		require.ErrorIs(t, d.Wait(ctx), ErrTimeout)
		require.Equal(t, 30*time.Second, time.Since(begin))
		require.NoError(t, s.Err(), "the session goes on")
	})
}

func TestSuccessReportTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(t, &Options{ManualReports: true})
		begin := time.Now()
		m := text("hello")
		m.SuccessReport = true
		d, err := a.Send(ctx, m)
		require.NoError(t, err)
		require.ErrorIs(t, d.Wait(ctx), ErrTimeout)
		require.Equal(t, reportTimeout, time.Since(begin))
	})
}

func TestManualReports(t *testing.T) {
	for _, code := range []int{200, 400, 413} {
		a, p := pair(t, &Options{ManualReports: true})
		m := text("hello")
		m.SuccessReport = true
		d, err := a.Send(ctx, m)
		require.NoError(t, err)
		got, err := p.Receive(ctx)
		require.NoError(t, err)
		<-d.Sent()
		require.NoError(t, p.Report(got, code))
		err = d.Wait(ctx)
		if code == 200 {
			require.NoError(t, err)
			continue
		}
		var refused *StatusError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, code, refused.Code)
	}
}

// Blink reports characters, relays report pieces.
func TestSuccessReportRanges(t *testing.T) {
	for name, ranges := range map[string][]string{
		"all": {"1-10/10"}, "characters": {"1-5/5"}, "pieces": {"1-4/10", "5-10/10"}, "unknown end": {"1-*/10"}, "no range": {""},
	} {
		t.Run(name, func(t *testing.T) {
			s, nc, d := rawPeer(t, nil)
			m := text("äöüßé")
			m.SuccessReport, m.FailureReport = true, No
			deliveries := sendLater(t, s, m)
			f, _, err := readFrame(d)
			require.NoError(t, err)
			del := <-deliveries
			for i, r := range ranges {
				select {
				case <-del.Done():
					t.Fatal("done too early")
				default:
				}
				header := "Byte-Range: " + r + "\r\n"
				if r == "" {
					header = ""
				}
				write(t, nc, fmt.Sprintf("MSRP rep1%d REPORT\r\nTo-Path: %s\r\nFrom-Path: msrp://raw.example.com:2855/raw;tcp\r\nMessage-ID: %s\r\n%sStatus: 000 200 OK\r\n-------rep1%[1]d$\r\n",
					i, s.own, f.MessageID, header))
			}
			require.NoError(t, del.Wait(ctx))
		})
	}
}

func TestSendRefusesBadMessages(t *testing.T) {
	a, _ := pair(t, nil)
	for _, m := range []*Message{
		{Body: []byte("x")}, {ContentType: "text/plain\r\nX: y", Body: []byte("x")}, {ContentType: "a\x00b"}, {ID: "a b"}, {ID: "x\r\ny"}, {FailureReport: 7},
	} {
		_, err := a.Send(ctx, m)
		require.ErrorIs(t, err, ErrMalformed)
	}
}

func TestCancelledSendIsAborted(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	s.mu.Lock()
	s.direct = false // as with a relay
	s.mu.Unlock()
	cancelled, cancel := context.WithCancel(ctx)
	failed := make(chan error, 1)
	go func() {
		_, err := s.Send(cancelled, text(strings.Repeat("x", 33*chunkBytes)))
		failed <- err
	}()
	for range windowFrames {
		_, _, err := readFrame(d)
		require.NoError(t, err)
	}
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	f, _, err := readFrame(d)
	require.NoError(t, err)
	require.Equal(t, Aborted, f.Continuation)
	_ = nc
}

// A refused message stops being sent.
func TestRFC4975_10_5_NoChunkAfter413(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	s.mu.Lock()
	s.direct = false
	s.mu.Unlock()
	failed := make(chan error, 1)
	go func() {
		_, err := s.Send(ctx, text(strings.Repeat("x", 100*chunkBytes)))
		failed <- err
	}()
	f, _, err := readFrame(d)
	require.NoError(t, err)
	for range windowFrames - 1 {
		_, _, err := readFrame(d)
		require.NoError(t, err)
	}
	write(t, nc, fmt.Sprintf("MSRP %s 413 Stop\r\nTo-Path: %s\r\nFrom-Path: msrp://raw.example.com:2855/raw;tcp\r\n-------%[1]s$\r\n", f.TransactionID, s.own))
	var refused *StatusError
	require.ErrorAs(t, <-failed, &refused)
	id := string(f.MessageID)
	go s.Send(ctx, text("next"))
	f, _, err = readFrame(d)
	require.NoError(t, err)
	require.NotEqual(t, id, string(f.MessageID), "nothing more of what was refused")
}

// A path goes back as it came, also where it is written in another way than in the SDP (RFC 4975 section 6.1).
func TestPathsAreEchoedAsReceived(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	const as = "MSRP://user@RAW.example.com:2855/raw;TCP;x=1"
	w := strings.Replace(frame(s, "aaaa1", "Message-ID: m1234\r\nSuccess-Report: yes\r\nContent-Type: a/b\r\n", "x", Complete), "msrp://raw.example.com:2855/raw;tcp", as, 1)
	write(t, nc, w)
	f, _, err := readFrame(d)
	require.NoError(t, err)
	require.Equal(t, StatusOK, f.Status)
	require.Equal(t, as, string(f.ToPath))
	f, _, err = readFrame(d) // the report too (section 7.1.3)
	require.NoError(t, err)
	require.Equal(t, MethodReport, string(f.Method))
	require.Equal(t, as, string(f.ToPath))
}
