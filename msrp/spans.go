package msrp

// spans are the parts of a message that success reports speak of; they do not touch.
type spans [][2]int64 // first byte, counted from 1, and last

const maxSpans = 32

// add takes the range of a report. Blink counts characters where it should count bytes, so a report of everything counts as everything; parts beyond a
// number that no receiver needs are forgotten.
func (s *spans) add(r ByteRange) {
	from, to := max(r.Start, 1), r.End
	if to == Unknown || to == r.Total {
		to = 1<<63 - 1
	}
	if from > to {
		return
	}
	rest := (*s)[:0:0]
	for _, x := range *s {
		if x[0]-1 <= to && from-1 <= x[1] { // they touch
			from, to = min(from, x[0]), max(to, x[1])
		} else {
			rest = append(rest, x)
		}
	}
	if len(rest) < maxSpans {
		*s = append(rest, [2]int64{from, to})
	}
}

// cover tells whether the first n bytes are there.
func (s spans) cover(n int64) bool {
	for _, x := range s {
		if x[0] == 1 && x[1] >= n {
			return true
		}
	}
	return n == 0
}
