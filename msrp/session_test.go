package msrp

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

// pipeDialer gives one end of a pipe to the dialling endpoint and the other to accept.
type pipeDialer func(nc net.Conn)

func (accept pipeDialer) DialContext(context.Context, string, string) (net.Conn, error) {
	a, b := net.Pipe()
	accept(b)
	return a, nil
}

// pair connects two sessions over a pipe.
func pair(t testing.TB, o *Options) (active, passive *Session) {
	t.Helper()
	var opts Options
	if o != nil {
		opts = *o
	}
	opts.Host = "passive.example.com:2855"
	pe, err := New(&opts)
	require.NoError(t, err)
	opts.Host = "active.example.com:2855"
	opts.Dialer = pipeDialer(pe.ServeConn)
	ae, err := New(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { ae.Close(); pe.Close() })
	active, err = ae.NewSession(nil)
	require.NoError(t, err)
	passive, err = pe.NewSession(nil)
	require.NoError(t, err)
	connect(t, active, passive)
	return active, passive
}

func connect(t testing.TB, active, passive *Session) {
	t.Helper()
	errs := make(chan error, 1)
	go func() { errs <- passive.Connect(ctx, active.LocalPath(), Passive) }()
	require.NoError(t, active.Connect(ctx, passive.LocalPath(), Active))
	require.NoError(t, <-errs)
}

// rawPeer connects a passive session to a test that speaks frames itself.
func rawPeer(t testing.TB, o *Options) (s *Session, nc net.Conn, d *Decoder) {
	t.Helper()
	opts := Options{Host: "passive.example.com:2855"}
	if o != nil {
		opts = *o
		opts.Host = "passive.example.com:2855"
	}
	e, err := New(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	s, err = e.NewSession(nil)
	require.NoError(t, err)
	nc, remote := net.Pipe()
	t.Cleanup(func() { nc.Close() })
	e.ServeConn(remote)
	d = NewDecoder(nc, nil)
	bound := make(chan error, 1)
	go func() { bound <- s.Connect(ctx, mustPath("msrp://raw.example.com:2855/raw;tcp"), Passive) }()
	write(t, nc, "MSRP bind1234 SEND\r\nTo-Path: "+s.own+"\r\nFrom-Path: msrp://raw.example.com:2855/raw;tcp\r\nMessage-ID: bind\r\nByte-Range: 1-0/0\r\n-------bind1234$\r\n")
	f, _, err := readFrame(d)
	require.NoError(t, err)
	require.Equal(t, StatusOK, f.Status)
	require.NoError(t, <-bound)
	return s, nc, d
}

func mustPath(s string) Path {
	p, err := ParsePath(s)
	if err != nil {
		panic(err)
	}
	return p
}

func write(t testing.TB, nc net.Conn, s string) {
	t.Helper()
	_, err := io.WriteString(nc, s)
	require.NoError(t, err)
}

// frame is a SEND from the raw peer.
func frame(s *Session, id, headers, body string, flag Continuation) string {
	w := "MSRP " + id + " SEND\r\nTo-Path: " + s.own + "\r\nFrom-Path: msrp://raw.example.com:2855/raw;tcp\r\n" + headers
	if strings.Contains(headers, "Content-Type") {
		w += "\r\n" + body + "\r\n"
	}
	return w + "-------" + id + string(rune(flag)) + "\r\n"
}

func text(s string) *Message {
	return &Message{ContentType: "text/plain;charset=utf-8", Body: []byte(s)}
}

func TestSendAndReceive(t *testing.T) {
	for _, size := range []int{0, 1, 100, 2048, 2049, 10_000, 64 << 10, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			a, p := pair(t, nil)
			for _, x := range [][2]*Session{{a, p}, {p, a}} {
				m := text(strings.Repeat("x", size))
				m.SuccessReport = true
				d, err := x[0].Send(ctx, m)
				require.NoError(t, err)
				if size == 0 {
					require.NoError(t, d.Wait(ctx)) // an empty SEND is for the session, not for its user
					continue
				}
				got, err := x[1].Receive(ctx)
				require.NoError(t, err)
				require.Equal(t, d.ID(), got.ID)
				require.Equal(t, m.Body, got.Body)
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
	a, p := pair(t, nil)
	const n = 1000
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
	go func() { bound <- s.Connect(ctx, mustPath(peer), Passive) }()
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

// sendLater sends in a goroutine, for a raw peer that must read meanwhile.
func sendLater(t testing.TB, s *Session, m *Message) <-chan *Delivery {
	c := make(chan *Delivery, 1)
	go func() {
		d, err := s.Send(ctx, m)
		if err != nil {
			t.Error(err)
		}
		c <- d
	}()
	return c
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

// What AG Projects' relay makes of one chunk, and what a peer with an idea of characters writes.
func TestReceiveCountsBytesNotRanges(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	const h = "Message-ID: m1234\r\nByte-Range: 1-5/5\r\nContent-Type: text/plain\r\n"
	write(t, nc, frame(s, "aaaa1", h, "hel", More))
	readFrame(d)
	write(t, nc, frame(s, "aaaa2", h, "lo", Complete))
	readFrame(d)
	m, err := s.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", string(m.Body))
	write(t, nc, frame(s, "aaaa3", "Message-ID: m1235\r\nContent-Type: text/plain\r\n", "no range", Complete)) // msrp-node-lib
	readFrame(d)
	m, err = s.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "no range", string(m.Body))
}

// Each refusal has its status, and the connection goes on.
func TestReceiveRefuses(t *testing.T) {
	const plain = "Content-Type: text/plain\r\n"
	for name, c := range map[string]struct {
		frames func(s *Session) []string
		want   []int
	}{
		"too long at once": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: m1234\r\n"+plain, strings.Repeat("x", 101), Complete)}
		}, []int{413}},
		"too long by its own word": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: m1234\r\nByte-Range: 1-*/101\r\n"+plain, "x", More), frame(s, "aaaa2", "Message-ID: m1234\r\nByte-Range: 2-*/101\r\n"+plain, "x", Complete)}
		}, []int{413, 413}},
		"too long in pieces": {func(s *Session) []string {
			return []string{
				frame(s, "aaaa1", "Message-ID: m1234\r\n"+plain, strings.Repeat("x", 60), More),
				frame(s, "aaaa2", "Message-ID: m1234\r\n"+plain, strings.Repeat("x", 60), More),
				frame(s, "aaaa3", "Message-ID: m1234\r\n"+plain, strings.Repeat("x", 60), Complete)}
		}, []int{200, 413, 413}},
		"no beginning": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: m1234\r\nByte-Range: 7-8/8\r\n"+plain, "x", Complete)}
		}, []int{413}},
		"no Message-ID": {func(s *Session) []string { return []string{frame(s, "aaaa1", plain, "x", Complete)} }, []int{400}},
		"hostile Message-ID": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: a b\r\n"+plain, "x", Complete)}
		}, []int{400}},
		"bad Byte-Range": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: m1234\r\nByte-Range: x\r\n"+plain, "x", Complete)}
		}, []int{400}},
		"aborted": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: m1234\r\n"+plain, "x", Aborted)}
		}, []int{200}},
		"Failure-Report no": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Failure-Report: no\r\n"+plain, "x", Complete)}
		}, nil},
		"partial and success": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Failure-Report: partial\r\n", "", Complete)}
		}, nil},
		"partial and failure": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Failure-Report: partial\r\n"+plain, "x", Complete)}
		}, []int{400}},
		"unknown method": {func(s *Session) []string {
			return []string{strings.Replace(frame(s, "aaaa1", "", "", Complete), "SEND", "HUG", 1)}
		}, []int{501}},
		"unknown session": {func(s *Session) []string {
			return []string{strings.Replace(frame(s, "aaaa1", "", "", Complete), s.uri.SessionID, "guessed", 1)}
		}, []int{481}},
		"other host, same session": {func(s *Session) []string {
			return []string{strings.Replace(frame(s, "aaaa1", "", "", Complete), "passive.", "other.", 1)}
		}, []int{481}},
		"forged From-Path": {func(s *Session) []string {
			return []string{strings.Replace(frame(s, "aaaa1", "", "", Complete), "raw.", "rav.", 1)}
		}, []int{481}},
		"17 unfinished messages": {func(s *Session) (all []string) {
			for i := range 17 {
				all = append(all, frame(s, fmt.Sprintf("aaaa%d", i), fmt.Sprintf("Message-ID: m12%d\r\n", i)+plain, "x", More))
			}
			return all
		}, []int{200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 413}},
		"unfinished messages together": {func(s *Session) []string {
			return []string{
				frame(s, "aaaa1", "Message-ID: m1234\r\n"+plain, strings.Repeat("x", 60), More),
				frame(s, "aaaa2", "Message-ID: m1235\r\n"+plain, strings.Repeat("x", 60), More),
				frame(s, "aaaa3", "Message-ID: m1234\r\n"+plain, "", Aborted),
				frame(s, "aaaa4", "Message-ID: m1236\r\n"+plain, strings.Repeat("x", 60), More)}
		}, []int{200, 413, 200, 200}},
	} {
		t.Run(name, func(t *testing.T) {
			s, nc, d := rawPeer(t, &Options{MaxMessage: 100})
			for _, w := range c.frames(s) {
				write(t, nc, w)
				if len(c.want) > 0 {
					f, _, err := readFrame(d)
					require.NoError(t, err)
					require.Equal(t, c.want[0], f.Status)
					require.NotEmpty(t, f.Comment, "Kamailio takes a bare code for a request")
					c.want = c.want[1:]
				}
			}
			write(t, nc, frame(s, "zzzz1", "Message-ID: last\r\n"+plain, "still here", Complete))
			f, _, err := readFrame(d)
			require.NoError(t, err)
			require.Equal(t, "zzzz1", string(f.TransactionID))
			require.Equal(t, 200, f.Status)
			m, err := s.Receive(ctx)
			require.NoError(t, err)
			require.Equal(t, "still here", string(m.Body))
		})
	}
}

func TestFullInboxIsRefused(t *testing.T) {
	a, p := pair(t, &Options{InboxMessages: 3, InboxBytes: 1000})
	outcome := func(size int) error {
		d, err := a.Send(ctx, text(strings.Repeat("x", size)))
		require.NoError(t, err)
		return d.Wait(ctx)
	}
	var refused *StatusError
	require.NoError(t, outcome(600))
	require.ErrorAs(t, outcome(600), &refused)
	require.Equal(t, 413, refused.Code)
	require.NoError(t, outcome(1))
	require.NoError(t, outcome(1))
	require.ErrorAs(t, outcome(1), &refused)
	_, err := p.Receive(ctx)
	require.NoError(t, err)
	require.NoError(t, outcome(600))
}

func TestPartialMessagesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		for i := range maxPartials {
			write(t, nc, frame(s, "aaaa1", fmt.Sprintf("Message-ID: m12%d\r\nContent-Type: text/plain\r\n", i), "x", More))
			readFrame(d)
		}
		time.Sleep(partialTimeout)
		synctest.Wait()
		s.mu.Lock()
		require.Empty(t, s.partials)
		require.Zero(t, s.gathered)
		s.mu.Unlock()
	})
}

func TestSecondConnectionIsRefused(t *testing.T) {
	s, _, _ := rawPeer(t, nil)
	nc, remote := net.Pipe()
	s.e.ServeConn(remote)
	write(t, nc, frame(s, "aaaa1", "", "", Complete))
	f, _, err := readFrame(NewDecoder(nc, nil))
	require.NoError(t, err)
	require.Equal(t, StatusSessionInUse, f.Status)
	nc.Close()
}

// An active peer may be faster than the answer that tells us its path.
func TestPeerBindsBeforeConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(&Options{Host: "p.example.com"})
		require.NoError(t, err)
		defer e.Close()
		s, err := e.NewSession(nil)
		require.NoError(t, err)
		nc, remote := net.Pipe()
		defer nc.Close()
		e.ServeConn(remote)
		go write(t, nc, frame(s, "aaaa1", "Message-ID: m1234\r\nContent-Type: text/plain\r\n", "early", Complete))
		synctest.Wait()
		time.Sleep(10 * time.Second)
		go func() {
			readFrame(NewDecoder(nc, nil))
		}()
		require.NoError(t, s.Connect(ctx, mustPath("msrp://raw.example.com:2855/raw;tcp"), Passive))
		m, err := s.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "early", string(m.Body))
	})
}

func TestUnboundConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(&Options{Host: "p.example.com"})
		require.NoError(t, err)
		defer e.Close()
		var conns []net.Conn
		for range maxUnbound + 1 {
			nc, remote := net.Pipe()
			e.ServeConn(remote)
			conns = append(conns, nc)
		}
		_, err = conns[maxUnbound].Read(make([]byte, 1))
		require.Equal(t, io.EOF, err, "one too many")
		begin := time.Now()
		_, err = conns[0].Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		require.Equal(t, bindTimeout, time.Since(begin))
		synctest.Wait()
		require.Zero(t, e.unbound.Load())
	})
}

func TestConnectErrors(t *testing.T) {
	e, err := New(&Options{Host: "127.0.0.1:1"})
	require.NoError(t, err)
	defer e.Close()
	open := func() *Session {
		s, err := e.NewSession(nil)
		require.NoError(t, err)
		return s
	}
	path := mustPath("msrp://127.0.0.1:1/x;tcp")
	require.Error(t, open().Connect(ctx, nil, Active))
	require.Error(t, open().Connect(ctx, path, 0))
	require.ErrorContains(t, open().Connect(ctx, path, Active), "refused")
	require.ErrorIs(t, open().Connect(ctx, mustPath("msrps://127.0.0.1:1/x;tcp"), Active), ErrNoTLS)
	_, err = e.NewSession(&SessionOptions{Secure: true})
	require.ErrorIs(t, err, ErrNoTLS)
	s := open()
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Connect(short, path, Passive), context.DeadlineExceeded)
	_, err = s.Send(ctx, text("x"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = open().Send(ctx, text("x"))
	require.ErrorIs(t, err, ErrNotConnected)
}

func TestActiveConnectIsRefused(t *testing.T) {
	pe, err := New(&Options{Host: "p.example.com"})
	require.NoError(t, err)
	defer pe.Close()
	ae, err := New(&Options{Host: "a.example.com", Dialer: pipeDialer(pe.ServeConn)})
	require.NoError(t, err)
	defer ae.Close()
	s, err := ae.NewSession(nil)
	require.NoError(t, err)
	var refused *StatusError
	require.ErrorAs(t, s.Connect(ctx, mustPath("msrp://p.example.com/unknown;tcp"), Active), &refused)
	require.Equal(t, StatusNoSession, refused.Code)
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
func TestSenderObeys413(t *testing.T) {
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
	f, _, err = readFrame(d)
	require.NoError(t, err)
	require.Equal(t, Aborted, f.Continuation)
}

func TestPeerThatStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, _ := rawPeer(t, nil)
		d, err := s.Send(ctx, text("hello"))
		require.NoError(t, err)
		begin := time.Now()
		require.Error(t, d.Wait(ctx)) // the response times out at the same moment
		<-s.Done()
		require.ErrorIs(t, s.Err(), ErrStalled)
		require.Equal(t, writeTimeout, time.Since(begin))
		_ = nc
	})
}

// A peer that sends and never reads cannot make us keep responses without bound.
func TestPeerThatOnlySends(t *testing.T) {
	s, nc, _ := rawPeer(t, nil)
	w := frame(s, "aaaa1", "Message-ID: m1234\r\n", "", Complete)
	var err error
	for i := 0; i < 100_000 && err == nil; i++ {
		_, err = io.WriteString(nc, w)
	}
	require.Error(t, err)
	<-s.Done()
	require.ErrorIs(t, s.Err(), ErrStalled)
}

func TestPeerCloses(t *testing.T) {
	a, p := pair(t, &Options{ManualReports: true})
	m := text("hello")
	m.SuccessReport = true
	d, err := a.Send(ctx, m)
	require.NoError(t, err)
	<-d.Sent()
	require.NoError(t, p.Close())
	require.ErrorIs(t, d.Wait(ctx), io.EOF)
	<-a.Done()
	require.ErrorIs(t, a.Err(), io.EOF)
	_, err = a.Receive(ctx)
	require.ErrorIs(t, err, io.EOF)
	got, err := p.Receive(ctx) // what had come stays readable
	require.NoError(t, err)
	require.Equal(t, "hello", string(got.Body))
	_, err = p.Receive(ctx)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestReceiveLeavesTheSessionUsable(t *testing.T) {
	a, p := pair(t, nil)
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err := p.Receive(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = a.Send(ctx, text("hello"))
	require.NoError(t, err)
	_, err = p.Receive(ctx)
	require.NoError(t, err)
}

func TestShutdownDrains(t *testing.T) {
	a, p := pair(t, nil)
	var sent []*Delivery
	for range 30 {
		d, err := a.Send(ctx, text(strings.Repeat("x", 1000)))
		require.NoError(t, err)
		sent = append(sent, d)
	}
	require.NoError(t, a.Shutdown(ctx))
	for _, d := range sent {
		require.NoError(t, d.Wait(ctx))
	}
	for range 30 {
		_, err := p.Receive(ctx)
		require.NoError(t, err)
	}
}

func TestShutdownGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := rawPeer(t, nil)
		_, err := s.Send(ctx, text("hello"))
		require.NoError(t, err)
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		require.ErrorIs(t, s.Shutdown(short), context.DeadlineExceeded)
		require.ErrorIs(t, s.Err(), ErrClosed)
	})
}

// Close works at any moment, from any goroutine, and leaves nothing running: TestMain counts.
func TestCloseAtAnyMoment(t *testing.T) {
	moments := map[string]func(s *Session){
		"idle":      func(*Session) {},
		"receiving": func(s *Session) { s.Receive(ctx) },
		"sending": func(s *Session) {
			for {
				if _, err := s.Send(ctx, text(strings.Repeat("x", 100_000))); err != nil {
					return
				}
			}
		},
		"waiting": func(s *Session) {
			if d, err := s.Send(ctx, text("x")); err == nil {
				d.Wait(ctx)
			}
		},
	}
	for name, use := range moments {
		t.Run(name, func(t *testing.T) {
			s, _, _ := rawPeer(t, nil) // it never reads
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { use(s) })
			}
			time.AfterFunc(10*time.Millisecond, func() { s.Close() })
			<-s.Done()
			wg.Wait()
			require.NoError(t, s.Close())
			require.ErrorIs(t, s.Err(), ErrClosed)
		})
	}
	t.Run("connecting", func(t *testing.T) {
		for _, role := range []Role{Active, Passive} {
			e, err := New(&Options{Host: "a.example.com", Dialer: silentDialer{}})
			require.NoError(t, err)
			s, err := e.NewSession(nil)
			require.NoError(t, err)
			time.AfterFunc(10*time.Millisecond, func() { e.Close() })
			require.ErrorIs(t, s.Connect(ctx, mustPath("msrp://x.example.com/x;tcp"), role), ErrClosed)
			require.NoError(t, e.Close())
		}
	})
}

// silentDialer connects to nobody until its context ends.
type silentDialer struct{}

func (silentDialer) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestClosedEndpoint(t *testing.T) {
	e, err := New(&Options{Host: "a.example.com"})
	require.NoError(t, err)
	require.NoError(t, e.Err())
	require.NoError(t, e.Shutdown(ctx))
	<-e.Done()
	require.ErrorIs(t, e.Err(), ErrClosed)
	_, err = e.NewSession(nil)
	require.ErrorIs(t, err, ErrClosed)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.ErrorIs(t, e.Serve(l), ErrClosed)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	nc, remote := net.Pipe()
	e.ServeConn(remote)
	_, err = nc.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

func TestOptions(t *testing.T) {
	for field, o := range map[string]*Options{
		"Host": {Host: "a b"}, "MaxMessage": {MaxMessage: -1}, "InboxBytes": {InboxBytes: -1}, "InboxMessages": {InboxMessages: -1}, "Limits.Headers": {Limits: Limits{Headers: -1}},
	} {
		_, err := New(o)
		require.ErrorContains(t, err, field)
	}
	e, err := New(nil)
	require.NoError(t, err)
	_, err = e.NewSession(nil)
	require.ErrorContains(t, err, "Host")
}

func TestEveryDeliveryEndsWhenTheConnectionBreaks(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	var sent []<-chan *Delivery
	for range 5 {
		sent = append(sent, sendLater(t, s, text("x")))
		_, _, err := readFrame(d)
		require.NoError(t, err)
	}
	nc.Close()
	for _, later := range sent {
		require.ErrorIs(t, (<-later).Wait(ctx), io.EOF)
	}
}
