package relaybench

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	duration = flag.Duration("duration", 20*time.Millisecond, "how long each subject is measured at a time")
	runs     = flag.Int("runs", 1, "how often each subject is measured, in turn with the others")
	many     = flag.Int("pairs", 3, "how many pairs of clients there are when there are many")
)

// scenario is a group of the table's rows.
type scenario struct {
	name                      string
	splice, kamailio, otrchat subject
}

func scenarios(t *testing.T) []scenario {
	t.Helper()
	splice, spliceTLS := spliced(t, false), spliced(t, true)
	kamailio, kamailioTLS := theirs(t, false), theirs(t, true)
	otrchat, otrchatTLS := ours(t, false), ours(t, true)
	return []scenario{
		{"TCP, both clients behind the relay", splice, kamailio.both, otrchat.both},
		{"TCP, the receiver behind the relay", splice, kamailio.one, otrchat.one},
		{"TLS, both clients behind the relay", spliceTLS, kamailioTLS.both, otrchatTLS.both},
	}
}

// TestTable prints the table of messages a second, medians of all runs.
func TestTable(t *testing.T) {
	all := scenarios(t)
	var table strings.Builder
	table.WriteString("| | body | pairs | TCP splice | Kamailio | otrchat | otrchat / Kamailio | otrchat / splice |\n|---|---|---|---|---|---|---|---|\n")
	for _, s := range all {
		for _, l := range []struct{ size, pairs int }{{100, 1}, {100, *many}, {10 << 10, 1}, {10 << 10, *many}} {
			var rates [3][]float64
			for range *runs {
				for i, subject := range []subject{s.splice, s.kamailio, s.otrchat} {
					rates[i] = append(rates[i], measure(t, subject, l.size, l.pairs))
				}
			}
			fmt.Fprintf(&table, "| %s | %d B | %d |", s.name, l.size, l.pairs)
			var medians [3]float64
			for i, r := range rates {
				medians[i] = median(r)
				fmt.Fprintf(&table, " %.0f/s, %.1f MB/s |", medians[i], medians[i]*float64(l.size)/1e6)
			}
			fmt.Fprintf(&table, " %.1f | %.2f |\n", medians[2]/medians[1], medians[2]/medians[0])
		}
	}
	fmt.Print(table.String())
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

// measure returns how many messages arrive in a second.
func measure(t *testing.T, s subject, size, n int) float64 {
	t.Helper()
	pairs := make([]*pair, n)
	for i := range pairs {
		pairs[i] = s(t)
		defer pairs[i].close()
	}
	for _, p := range pairs {
		p.start(t, size)
	}
	<-time.After(*duration / 5) // to get going
	count, begin := received(pairs), time.Now()
	<-time.After(*duration)
	rate := float64(received(pairs)-count) / time.Since(begin).Seconds()
	for _, p := range pairs {
		p.stop()
	}
	for _, p := range pairs {
		require.Eventually(t, func() bool { return p.sent.Load() == p.received.Load() }, patience, time.Millisecond, "of %d messages %d arrived", p.sent.Load(), p.received.Load())
		assert.Zero(t, p.refused.Load(), "messages were refused")
	}
	return rate
}

func received(pairs []*pair) (n int64) {
	for _, p := range pairs {
		n += p.received.Load()
	}
	return n
}
