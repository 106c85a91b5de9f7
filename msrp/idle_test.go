package msrp

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// idlePairs connects n pairs of sessions over loopback, each on a connection of its own, and lets one message pass in each direction.
func idlePairs(t testing.TB, e *Endpoint, n int) (pairs [][2]*Session) {
	t.Helper()
	pairs = make([][2]*Session, n)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				a, err := e.NewSession(nil)
				require.NoError(t, err)
				p, err := e.NewSession(nil)
				require.NoError(t, err)
				connect(t, a, p)
				exchange(t, a, p, "hello")
				exchange(t, p, a, "hello")
				pairs[i] = [2]*Session{a, p}
			}
		})
	}
	wg.Wait()
	return pairs
}

func loopback(t testing.TB) *Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e, err := New(nil)
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	require.NoError(t, e.Serve(l))
	return e
}

func memory() int64 {
	runtime.GC()
	runtime.GC() // what pools held goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// BenchmarkIdleSessions opens 10,000 ends of sessions over loopback and tells what one end costs, stacks and buffers included.
func BenchmarkIdleSessions(b *testing.B) {
	const ends = 10_000
	for b.Loop() {
		e := loopback(b)
		before := memory()
		idlePairs(b, e, ends/2)
		after := memory()
		b.ReportMetric(float64(after-before)/ends, "B/end")
		require.NoError(b, e.Close())
	}
}

// pourMessages sends b.N messages of 100 bytes by turns over some pairs, each answered with a 200.
func pourMessages(b *testing.B, pairs [][2]*Session) {
	const batch = 100
	m := text(strings.Repeat("x", 100))
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += batch {
		for j := range batch {
			_, err := pairs[(i+j)%len(pairs)][0].Send(ctx, m)
			require.NoError(b, err)
		}
		for j := range batch {
			_, err := pairs[(i+j)%len(pairs)][1].Receive(ctx)
			require.NoError(b, err)
		}
	}
	b.StopTimer()
}

// BenchmarkAmongIdleSessions shows what a message costs while the endpoint has other sessions that are idle.
func BenchmarkAmongIdleSessions(b *testing.B) {
	for _, idle := range []int{0, 100, 10_000} {
		b.Run(fmt.Sprint(idle), func(b *testing.B) {
			e := loopback(b)
			idlePairs(b, e, idle/2)
			pourMessages(b, idlePairs(b, e, 1))
			require.NoError(b, e.Close())
		})
	}
}

// BenchmarkSharedConnection shows what a message costs where many sessions share a connection and take turns.
func BenchmarkSharedConnection(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(b, err)
			e, err := New(&Options{ShareConnections: true})
			require.NoError(b, err)
			require.NoError(b, e.Serve(l))
			pourMessages(b, idlePairs(b, e, n))
			require.NoError(b, e.Close())
		})
	}
}
