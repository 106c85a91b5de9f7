package msrp

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

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
	require.Error(t, open().Connect(ctx, nil, Active, nil))
	require.Error(t, open().Connect(ctx, path, 0, nil))
	require.ErrorContains(t, open().Connect(ctx, path, Active, nil), "refused")
	require.ErrorIs(t, open().Connect(ctx, mustPath("msrps://127.0.0.1:1/x;tcp"), Active, nil), ErrNoTLS)
	_, err = e.NewSession(&SessionOptions{Secure: true})
	require.ErrorIs(t, err, ErrNoTLS)
	s := open()
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Connect(short, path, Passive, nil), context.DeadlineExceeded)
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
	require.ErrorAs(t, s.Connect(ctx, mustPath("msrp://p.example.com/unknown;tcp"), Active, nil), &refused)
	require.Equal(t, StatusNoSession, refused.Code)
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
			require.ErrorIs(t, s.Connect(ctx, mustPath("msrp://x.example.com/x;tcp"), role, nil), ErrClosed)
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
		"KeepAlive": {KeepAlive: time.Second - 1}, "StreamAbove": {StreamAbove: 11, MaxMessage: 10},
	} {
		_, err := New(o)
		require.ErrorContains(t, err, "msrp: Options."+field)
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

// A peer that is still sending gets the last message of ours all the same: its connection is not reset under it.
func TestShutdownDoesNotResetTheConnection(t *testing.T) {
	for range 100 {
		a, p := tcpPair(t, false, &Options{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				m := text(strings.Repeat("x", 5000))
				m.FailureReport = No
				if _, err := p.Send(ctx, m); err != nil {
					return
				}
			}
		})
		_, err := p.Send(ctx, text("under way"))
		require.NoError(t, err)
		last := text("last")
		last.FailureReport = No // nobody waits for an answer to it
		_, err = a.Send(ctx, last)
		require.NoError(t, err)
		require.NoError(t, a.Shutdown(ctx))
		require.ErrorIs(t, a.Err(), ErrClosed)
		m, err := p.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "last", string(m.Body))
		wg.Wait()
	}
}

// halfPipe is a connection whose peer does not follow when our direction is closed.
type halfPipe struct{ net.Conn }

func (halfPipe) CloseWrite() error { return nil }

// Peers that do not hang up hold Shutdown for one second, all of them together.
func TestEndpointShutdownIsForAllTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(&Options{Host: "p.example.com"})
		require.NoError(t, err)
		for range 5 {
			s, err := e.NewSession(nil)
			require.NoError(t, err)
			nc, remote := net.Pipe()
			defer nc.Close()
			e.ServeConn(halfPipe{remote})
			bound := connectLater(s, nil)
			write(t, nc, frame(s, "aaaa1", "", "", Complete))
			_, _, err = readFrame(NewDecoder(nc, nil))
			require.NoError(t, err)
			require.NoError(t, <-bound)
		}
		begin := time.Now()
		require.NoError(t, e.Shutdown(ctx))
		require.Equal(t, lingerTimeout, time.Since(begin))
	})
}
