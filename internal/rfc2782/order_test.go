package rfc2782_test

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/internal/rfc2782"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// The order of RFC 2782: by priority, and by lot within one.
func TestRFC2782_Order(t *testing.T) {
	records := []*net.SRV{
		{Target: "c", Priority: 20, Weight: 3}, {Target: "b", Priority: 20, Weight: 1}, {Target: "a", Priority: 20},
		{Target: "first", Priority: 10, Weight: 9}, {Target: "last", Priority: 30, Weight: 65535},
	}
	given := slices.Clone(records)
	counts := make(map[string]int)
	for drawn := range 5 {
		for next := range 4 {
			var sums []int
			draws := []int{0, drawn, next}
			order := rfc2782.Order(records, func(n int) int {
				sums = append(sums, n)
				if len(sums) <= len(draws) {
					return min(draws[len(sums)-1], n-1)
				}
				return 0
			})
			names := ""
			for _, r := range order {
				names += r.Target + " "
			}
			counts[names]++
			assert.Equal(t, 10, sums[0])
			assert.Equal(t, 5, sums[1], "from 0 to the sum of weights")
		}
	}
	assert.Equal(t, given, records, "the caller's slice stays")
	for names := range counts {
		assert.True(t, strings.HasPrefix(names, "first ") && strings.HasSuffix(names, " last "), names)
	}
	assert.Equal(t, map[string]int{
		"first a b c last ": 2, "first a c b last ": 2, // 0 drawn: a. Then 0, 1: b; 2, 3: c
		"first b a c last ": 1, "first b c a last ": 3, // 1 drawn: b
		"first c a b last ": 3, "first c b a last ": 9, // 2, 3, 4 drawn: c
	}, counts)
	assert.Empty(t, rfc2782.Order(nil, func(int) int { panic("nothing to draw") }))
	for range 100 {
		assert.Len(t, rfc2782.Order([]*net.SRV{{Weight: 65535}, {Weight: 65535}, {}}, func(n int) int { return n - 1 }), 3)
	}
}
