package relay

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slow is an Authenticator that takes its time, and minds its context or not.
type slow struct {
	Users
	takes     time.Duration
	deaf      chan struct{} // not nil: nothing but its end ends a call
	now, most atomic.Int64  // calls that run
}

func (s *slow) HA1(ctx context.Context, username, realm string, a Algorithm) (string, error) {
	n := s.now.Add(1)
	defer s.now.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	if s.deaf != nil {
		<-s.deaf
		return s.Users.HA1(ctx, username, realm, a)
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(s.takes):
		return s.Users.HA1(ctx, username, realm, a)
	}
}

// flood has n clients with addresses of their own come at the same time, and returns how they fared and when the last was done.
func flood(t *testing.T, ctx context.Context, g *gate, n int) (codes map[int]int, took time.Duration) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	codes, start := make(map[int]int), time.Now()
	for i := range n {
		p := visit(fmt.Sprint("user", i), "guess")
		p.conn, p.remote = uint64(i), netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1)
		p.learn(t, g.check(ctx, p.origin, authFrame(p.from)))
		wg.Go(func() {
			v := g.check(ctx, p.origin, authFrame(p.from, "Authorization", p.client.Authorization("AUTH", relayURI)))
			mu.Lock()
			defer mu.Unlock()
			codes[v.code]++
		})
	}
	wg.Wait()
	return codes, time.Since(start)
}

func TestFloodOfASlowAuthenticator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Users: Users{"alice": "secret"}, takes: 999 * time.Millisecond}
		g := testGate(t, func(o *Options) { o.Authenticator = s })
		codes, took := flood(t, t.Context(), g, 1000)
		assert.Equal(t, map[int]int{401: 5 * maxLookups, 408: 1000 - 5*maxLookups}, codes, "five rounds end within 5 s")
		assert.Equal(t, lookupTimeout, took)
		assert.Equal(t, int64(maxLookups), s.most.Load())
		synctest.Wait()
		assert.Zero(t, s.now.Load(), "those under way were told to end")

		v := visit("alice", "secret").enter(t, g)
		assert.Equal(t, 200, v.code, "the flood is over")
	})
}

func TestFloodOfADeafAuthenticator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Users: Users{"alice": "secret"}, deaf: make(chan struct{})}
		g := testGate(t, func(o *Options) { o.Authenticator = s })
		for range 2 {
			codes, took := flood(t, t.Context(), g, 100)
			assert.Equal(t, map[int]int{408: 100}, codes)
			assert.Equal(t, lookupTimeout, took)
			assert.Equal(t, int64(maxLookups), s.now.Load(), "no call joins those that do not return")
		}
		close(s.deaf)
		synctest.Wait()
		assert.Equal(t, 200, visit("alice", "secret").enter(t, g).code)
	})
}

func TestCheckEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: time.Hour}
		g := testGate(t, func(o *Options) { o.Authenticator = s })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		codes, took := flood(t, ctx, g, 100)
		assert.Equal(t, map[int]int{408: 100}, codes)
		assert.Equal(t, time.Second, took)
		synctest.Wait()
		assert.Zero(t, s.now.Load())
	})
}

// Guesses at the same time may all be looked at, as many as the Authenticator is asked at once, but each of them counts.
func TestGuessesAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(t, func(o *Options) { o.Authenticator = &slow{Users: Users{"alice": "secret"}, takes: time.Millisecond} })
		var wg sync.WaitGroup
		for i := range 20 {
			p := visit("alice", "guess")
			p.conn = uint64(i)
			wg.Go(func() { assert.Equal(t, 401, p.enter(t, g).code) })
		}
		wg.Wait()
		time.Sleep(11 * 30 * time.Second) // the first at 0 s pays for itself, ten more than the ten allowed have to be waited for
		assert.Equal(t, 200, visit("alice", "secret").enter(t, g).code)
		assert.Equal(t, 401, visit("alice", "guess").enter(t, g).code)
		assert.Equal(t, 403, visit("alice", "secret").enter(t, g).code)
	})
}

func TestCheckFromManyGoroutines(t *testing.T) {
	g := testGate(t, nil)
	var wg sync.WaitGroup
	for i := range 16 {
		p := visit("alice", "secret")
		p.conn = uint64(i)
		wg.Go(func() {
			for range 50 {
				v := p.enter(t, g)
				if assert.Equal(t, 200, v.code) {
					assert.NoError(t, p.client.Verify(v.headers("Authentication-Info")[0]))
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, len(g.nonces.counts), 16*50)
}

func BenchmarkGateChallenge(b *testing.B) {
	g := testGate(b, nil)
	f := authFrame(clientURI)
	b.ReportAllocs()
	for b.Loop() {
		g.check(b.Context(), home(1), f)
	}
}

// One AUTH with a nonce that counts: two hashes of the client's, and all that the gate does.
func BenchmarkGateGrant(b *testing.B) {
	for _, a := range []Algorithm{SHA256, MD5} {
		b.Run(string(a), func(b *testing.B) {
			g := testGate(b, func(o *Options) { o.Algorithms = []Algorithm{a} })
			p := visit("alice", "secret")
			p.learn(b, g.check(b.Context(), p.origin, authFrame(p.from)))
			b.ReportAllocs()
			for b.Loop() {
				if v := p.answer(b, g); v.code != 200 {
					b.Fatal(v.code)
				}
			}
		})
	}
}
