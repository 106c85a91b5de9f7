package relaybench

import (
	"flag"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

var idle = flag.Int("idle", 20, "how many clients are idle when their memory is measured")

// TestIdle prints what a client costs that has a way through the relay and says nothing: at once, and when what is no longer used was given back to the system.
func TestIdle(t *testing.T) {
	relays := []struct {
		name  string
		start func(t *testing.T, secure bool) relayAt
		most  int // Kamailio's shared memory has no room for more
	}{{"Kamailio", theirs, 2_000}, {"otrchat", ours, *idle}}
	table := "| | idle clients | memory of each | after a collection |\n|---|---|---|---|\n"
	for _, transport := range []string{"TCP", "TLS"} {
		for _, r := range relays {
			n := min(*idle, r.most)
			now, later := idleMemory(t, r.start(t, transport == "TLS"), n)
			table += fmt.Sprintf("| %s, %s | %d | %.1f KiB | %.1f KiB |\n", r.name, transport, n, now, later)
		}
	}
	fmt.Print(table)
}

// idleMemory is in KiB for each of n clients.
func idleMemory(t *testing.T, r relayAt, n int) (now, later float64) {
	t.Helper()
	before := memory(t, r)
	for range n {
		c := r.client(t)
		defer c.Close()
		r.use(t, c)
	}
	now = memory(t, r) - before
	r.collect(t)
	return now / float64(n), (memory(t, r) - before) / float64(n)
}

func memory(t *testing.T, r relayAt) float64 {
	t.Helper()
	n, err := r.memory()
	require.NoError(t, err)
	return float64(n) / 1024
}
