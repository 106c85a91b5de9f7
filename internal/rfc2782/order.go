package rfc2782

import (
	"cmp"
	"net"
	"slices"
)

// Order returns the records in the order in which their servers are tried: lower priorities first, and among equal ones by a draw in which the chance of
// a record is its weight. draw returns a number from 0 to n-1, as rand.IntN does. The caller's slice stays as it is; none of its records may be nil.
func Order(records []*net.SRV, draw func(n int) int) []*net.SRV {
	rs := slices.Clone(records)
	slices.SortStableFunc(rs, func(a, b *net.SRV) int { // those without weight stand first, for a small chance
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Weight, b.Weight))
	})
	for i := range rs {
		sum, equals := 0, i
		for ; equals < len(rs) && rs[equals].Priority == rs[i].Priority; equals++ {
			sum += int(rs[equals].Weight)
		}
		drawn, j := draw(sum+1), i
		for drawn -= int(rs[j].Weight); drawn > 0; drawn -= int(rs[j].Weight) {
			j++
		}
		chosen := rs[j]
		copy(rs[i+1:j+1], rs[i:j])
		rs[i] = chosen
	}
	return rs
}
