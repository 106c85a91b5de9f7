//go:build !race

package relay

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the gate keeps of nonces, guesses and users' addresses is at most 8 MiB.
func TestGateTablesAreSmall(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	g := testGate(t, nil)
	for i := range uint64(max(maxCounted, maxGuesses, maxKnown)) {
		require.True(t, g.nonces.use(g.nonces.issue("x"), "x", 1))
		g.guesses.failed(guesser{fromAddress: 3 * i, ofAddress: 3*i + 1, ofUser: 3*i + 2})
		g.guesses.succeeded(guesser{fromAddress: i})
	}
	require.Equal(t, [3]int{maxCounted, maxGuesses, maxKnown}, [3]int{len(g.nonces.counts), len(g.guesses.due), len(g.guesses.known)})
	require.LessOrEqual(t, heap()-before, int64(8<<20))
	runtime.KeepAlive(g)
}
