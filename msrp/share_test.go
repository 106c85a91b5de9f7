package msrp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// hub dials by serving the other end of a pipe at an endpoint, and counts. What is in before runs first and may fail the call.
type hub struct {
	serve  func(net.Conn)
	before func(ctx context.Context) error
	dials  atomic.Int32
}

func (h *hub) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	h.dials.Add(1)
	if h.before != nil {
		if err := h.before(ctx); err != nil {
			return nil, err
		}
	}
	a, b := net.Pipe()
	h.serve(b)
	return a, nil
}

// sharing is an endpoint that dials with h, which serves at the other endpoint.
func sharing(t testing.TB, h *hub, share bool) (active, passive *Endpoint) {
	t.Helper()
	passive, err := New(&Options{Host: "passive.example.com:2855"})
	require.NoError(t, err)
	h.serve = passive.ServeConn
	active, err = New(&Options{Host: "active.example.com:2855", Dialer: h, ShareConnections: share})
	require.NoError(t, err)
	t.Cleanup(func() { active.Close(); passive.Close() })
	return active, passive
}

// sessions opens n sessions at each endpoint and connects them, all at once.
func sessions(t testing.TB, active, passive *Endpoint, n int) (a, p []*Session) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		x, err := active.NewSession(nil)
		require.NoError(t, err)
		y, err := passive.NewSession(nil)
		require.NoError(t, err)
		a, p = append(a, x), append(p, y)
		wg.Go(func() {
			if err := y.Connect(ctx, x.LocalPath(), Passive, nil); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := x.Connect(ctx, y.LocalPath(), Active, nil); err != nil {
				t.Error(err)
				y.Close()
			}
		})
	}
	wg.Wait()
	return a, p
}

func exchange(t testing.TB, from, to *Session, body string) {
	t.Helper()
	d, err := from.Send(ctx, text(body))
	require.NoError(t, err)
	require.NoError(t, d.Wait(ctx))
	m, err := to.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, body, string(m.Body))
}

// Sessions towards one hop share a connection where they may, also when they dial at the same moment; each gets what is for it, and one may end without the others.
func TestRFC4975_5_4_SharedConnection(t *testing.T) {
	for share, conns := range map[bool]int32{true: 1, false: 5} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hub{before: func(context.Context) error { time.Sleep(time.Second); return nil }}
				active, passive := sharing(t, h, share)
				defer passive.Close()
				defer active.Close()
				a, p := sessions(t, active, passive, 5)
				require.Equal(t, conns, h.dials.Load())
				for i := range a {
					exchange(t, a[i], p[i], fmt.Sprint("to ", i))
					exchange(t, p[i], a[i], fmt.Sprint("from ", i))
				}
				for i := range 4 {
					require.NoError(t, a[i].Close())
					synctest.Wait()
					require.Equal(t, !share, p[i].ended(), "only the connection's end tells the peer")
					require.NoError(t, p[i].Close())
					exchange(t, a[4], p[4], "still here")
					exchange(t, p[4], a[4], "still here")
				}
				require.NoError(t, a[4].Close()) // the last one closes the connection
				<-p[4].Done()
				require.True(t, a[4].conn.closed())
				active.mu.Lock()
				require.Empty(t, active.links)
				require.Empty(t, active.conns)
				active.mu.Unlock()
				a, p = sessions(t, active, passive, 1)
				exchange(t, a[0], p[0], "anew")
				require.Equal(t, conns+1, h.dials.Load())
			})
		})
	}
}

// Shutdown of the last session takes the connection with it; a session that comes meanwhile gets another one.
func TestRFC4975_5_4_SharedConnectionThatEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e, err := New(&Options{ShareConnections: true})
	require.NoError(t, err)
	defer e.Close()
	require.NoError(t, e.Serve(l))
	for range 50 {
		a, p := sessions(t, e, e, 2)
		require.Same(t, a[0].conn, a[1].conn)
		exchange(t, a[0], p[0], "hello")
		var wg sync.WaitGroup
		for _, s := range append(a, p...) {
			wg.Go(func() {
				if err := s.Shutdown(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		b, q := sessions(t, e, e, 1)
		exchange(t, b[0], q[0], "hello")
		wg.Wait()
		exchange(t, b[0], q[0], "hello")
		require.NoError(t, b[0].Close())
		require.NoError(t, q[0].Close())
	}
}

var errNetwork = errors.New("no route")

// A session that waits for another's dialling gets its error, but not its giving up.
func TestRFC4975_5_4_SharedDialling(t *testing.T) {
	for name, c := range map[string]struct {
		before func(n int32, ctx context.Context) error
		first  func(t *testing.T, s *Session, cancel func()) // while both wait
		want   error                                         // of the second
		dials  int32
	}{
		"fails": {func(int32, context.Context) error { time.Sleep(time.Minute / 4); return errNetwork },
			func(*testing.T, *Session, func()) {}, errNetwork, 1},
		"takes too long": {func(_ int32, ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			func(*testing.T, *Session, func()) {}, context.DeadlineExceeded, 1},
		"first gives up": {func(n int32, ctx context.Context) error {
			if n == 1 {
				<-ctx.Done()
			}
			return ctx.Err()
		}, func(_ *testing.T, _ *Session, cancel func()) { cancel() }, nil, 2},
		"first closes": {func(n int32, ctx context.Context) error {
			if n == 1 {
				<-ctx.Done()
			}
			return ctx.Err()
		}, func(t *testing.T, s *Session, _ func()) { require.NoError(t, s.Close()) }, nil, 2},
		"endpoint closes": {func(_ int32, ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			func(t *testing.T, s *Session, _ func()) { require.NoError(t, s.e.Close()) }, ErrClosed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hub{}
				h.before = func(ctx context.Context) error { return c.before(h.dials.Load(), ctx) }
				active, passive := sharing(t, h, true)
				defer passive.Close()
				defer active.Close()
				begin := time.Now()
				var all [2]*Session
				var errs [2]chan error
				firstCtx, cancel := context.WithCancel(ctx)
				defer cancel()
				for i, ctx := range []context.Context{firstCtx, ctx} {
					s, err := active.NewSession(nil)
					require.NoError(t, err)
					p, err := passive.NewSession(nil)
					require.NoError(t, err)
					go p.Connect(ctx, s.LocalPath(), Passive, nil)
					all[i], errs[i] = s, make(chan error, 1)
					go func() { errs[i] <- s.Connect(ctx, p.LocalPath(), Active, nil) }()
					synctest.Wait()
				}
				c.first(t, all[0], cancel)
				require.Error(t, <-errs[0])
				require.ErrorIs(t, <-errs[1], c.want)
				require.Equal(t, c.dials, h.dials.Load())
				require.LessOrEqual(t, time.Since(begin), hop.Timeout)
				if name == "takes too long" {
					require.Equal(t, hop.Timeout, time.Since(begin))
				}
				active.mu.Lock()
				if c.want != nil {
					require.Empty(t, active.links)
				}
				active.mu.Unlock()
			})
		})
	}
}

// A connection is shared only by sessions that want the same of it.
func TestRFC4975_5_4_SharedByDemand(t *testing.T) {
	e, err := New(&Options{Host: "a.example.com"})
	require.NoError(t, err)
	defer e.Close()
	one, two := Fingerprint(certificate(t).Leaf), Fingerprint(certificate(t).Leaf)
	hop := func(path string, o *ConnectOptions) string {
		s, err := e.NewSession(nil)
		require.NoError(t, err)
		s.peer, err = s.checkPeer(mustPath(path), Active, o)
		require.NoError(t, err)
		return s.hop()
	}
	base := hop("msrps://b.example.com:1/x;tcp", nil)
	require.Equal(t, base, hop("msrps://B.example.com:1/y;tcp", nil))
	require.Equal(t, base, hop("msrps://b.example.com:1/y;tcp msrps://c.example.com:1/z;tcp", nil), "a relay, for whoever is behind it")
	demanded := hop("msrps://b.example.com:1/x;tcp", &ConnectOptions{Fingerprints: []string{one, two}})
	require.Equal(t, demanded, hop("msrps://b.example.com:1/x;tcp", &ConnectOptions{Fingerprints: []string{two, one, "sha-1 AA", two}}))
	seen := map[string]bool{base: true, demanded: true}
	for _, other := range []string{
		hop("msrp://b.example.com:1/x;tcp", nil), hop("msrps://b.example.com:2/x;tcp", nil), hop("msrps://c.example.com:1/x;tcp", nil),
		hop("msrps://b.example.com:1/x;tcp", &ConnectOptions{Address: "c.example.com:1"}),
		hop("msrps://c.example.com:1/x;tcp", &ConnectOptions{Address: "b.example.com:1"}), hop("msrp://c.example.com:1/x;tcp", &ConnectOptions{Address: "b.example.com:1"}),
		hop("msrps://b.example.com:1/x;tcp", &ConnectOptions{Fingerprints: []string{one}}),
		hop("msrps://b.example.com:1/x;tcp", &ConnectOptions{Fingerprints: []string{two}}),
	} {
		require.False(t, seen[other], other)
		seen[other] = true
	}
}

// A peer that hangs up at once is an error, not a session without a connection.
func TestPeerHangsUpAtOnce(t *testing.T) {
	for _, share := range []bool{false, true} {
		for range 200 {
			e, err := New(&Options{Host: "a.example.com", ShareConnections: share, Dialer: pipeDialer(func(nc net.Conn) { nc.Close() })})
			require.NoError(t, err)
			s, err := e.NewSession(nil)
			require.NoError(t, err)
			require.Error(t, s.Connect(ctx, mustPath(rawPath), Active, nil))
			require.Error(t, s.Err())
			require.NoError(t, e.Close())
		}
	}
}

// A peer that hangs up on several guests each time does not keep them dialling for ever.
func TestPeerHangsUpOnEveryGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		e, err := New(&Options{Host: "a.example.com", ShareConnections: true, Dialer: pipeDialer(func(nc net.Conn) {
			dials.Add(1)
			go func() {
				defer nc.Close()
				d := NewDecoder(nc, nil)
				for range 2 {
					if _, _, err := readFrame(d); err != nil {
						return
					}
				}
			}()
		})})
		require.NoError(t, err)
		defer e.Close()
		const guests = 4
		failed := make(chan error, guests)
		for range guests {
			s, err := e.NewSession(nil)
			require.NoError(t, err)
			go func() { failed <- s.Connect(ctx, mustPath(rawPath), Active, nil) }()
		}
		for range guests {
			require.Error(t, <-failed)
		}
		require.LessOrEqual(t, int(dials.Load()), guests*mostConns)
	})
}

// A peer whose last session on a connection has ended may hang up just when another session comes to it: that one gets a connection of its own.
func TestRFC4975_5_4_SharedConnectionIsLost(t *testing.T) {
	for name, late := range map[string]string{"before the answer": "", "after it": "response", "after a request of the peer's": "request"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				peers := make(chan net.Conn, 3)
				e, err := New(&Options{Host: "a.example.com", ShareConnections: true, Dialer: pipeDialer(func(nc net.Conn) { peers <- nc })})
				require.NoError(t, err)
				defer e.Close()
				dial := func() (*Session, <-chan error) {
					s, err := e.NewSession(nil)
					require.NoError(t, err)
					connected := make(chan error, 1)
					go func() { connected <- s.Connect(ctx, mustPath(rawPath), Active, nil) }()
					return s, connected
				}
				first, connected := dial()
				nc := <-peers
				d := NewDecoder(nc, nil)
				f, _, err := readFrame(d)
				require.NoError(t, err)
				write(t, nc, ok(first, f))
				require.NoError(t, <-connected)

				second, connected := dial()
				f, _, err = readFrame(d)
				require.NoError(t, err)
				require.Equal(t, second.own, string(f.FromPath))
				switch late {
				case "response":
					write(t, nc, ok(second, f))
					require.NoError(t, <-connected)
				case "request":
					write(t, nc, frame(second, "aaaa1", "", "", Complete))
					requireStatus(t, d, "aaaa1", StatusOK)
				}
				nc.Close()
				<-first.Done()
				if late != "" {
					<-second.Done()
					require.ErrorIs(t, second.Err(), first.Err())
					return
				}
				nc = <-peers
				defer nc.Close()
				f, _, err = readFrame(NewDecoder(nc, nil))
				require.NoError(t, err)
				write(t, nc, ok(second, f))
				require.NoError(t, <-connected)
				synctest.Wait()
				require.Zero(t, second.window.frames)
			})
		})
	}
}

// A session that shuts down waits for its own frames, and not until the others on its connection have nothing more to say.
func TestShutdownOnABusyConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		other := otherSession(t, s)
		bound := connectLater(other, nil)
		synctest.Wait()
		write(t, nc, frame(other, "aaaa1", "", "", Complete))
		requireStatus(t, d, "aaaa1", StatusOK)
		require.NoError(t, <-bound)
		var wg sync.WaitGroup
		wg.Go(func() { // never leaves the connection without something to write
			m := text(strings.Repeat("x", 10_000))
			m.FailureReport = No
			for {
				if _, err := other.Send(ctx, m); err != nil {
					return
				}
			}
		})
		last := make(chan string, 1)
		wg.Go(func() {
			for {
				f, body, err := readFrame(d)
				if err != nil {
					return
				}
				if string(f.FromPath) == s.own {
					last <- string(body)
				}
				time.Sleep(time.Second)
			}
		})
		synctest.Wait()
		m := text("last")
		m.FailureReport = No
		_, err := s.Send(ctx, m)
		require.NoError(t, err)
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		require.NoError(t, s.Shutdown(short))
		require.Equal(t, "last", <-last)
		require.NoError(t, other.Err())
		require.NoError(t, other.Close())
		nc.Close()
		wg.Wait()
	})
}
