package msrp

import (
	"math"
	"slices"
)

// assembly puts the chunks of one message together (RFC 4975 section 7.3.1). Positions count from 0. What it keeps is in proportion to
// the bytes that have come, whatever positions they claim.
//
// Where a chunk goes is for its Byte-Range to say, as far as that can be believed:
//
//   - It goes to the start that it names. Its end is where its bytes end, whatever its range says.
//   - A chunk with the same range as the one before it, which did not fill that range, carries that one on: AG Projects' relay cuts a chunk in two
//     and writes the same range on both. So do chunks without a range.
//   - A chunk that is longer than its range, or one flagged "+" that reaches the total, shows a sender that does not count bytes: Blink counts characters. From
//     then on each chunk goes where the one before it ended.
//   - An empty chunk that names no start but 1 goes where the one before it ended: peers end or abort a message so.
type assembly struct {
	head   extent   // what is there without a gap, less what has been passed on
	ahead  []extent // behind gaps: sorted, not overlapping
	last   ByteRange
	before int64 // where the chunk before the one in hand ended
	from   int64 // where the one in hand began
	at     int64 // where its next byte goes
	adrift bool  // ranges are not believed any more
	ended  bool  // the chunk flagged "$" has come
	total  int64 // then, the length of the message
}

// extent is a run of bytes.
type extent struct {
	at    int64
	bytes []byte
}

func (x *extent) end() int64 { return x.at + int64(len(x.bytes)) }

// put writes p at a position within x or at its end, and no further than limit. What comes later wins.
func (x *extent) put(at int64, p []byte, limit int64) int {
	n := copy(x.bytes[at-x.at:], p)
	more := int(min(int64(len(p)-n), limit-x.end()))
	x.bytes = append(x.bytes, p[n:n+more]...)
	return n + more
}

// begin decides where a chunk goes.
func (a *assembly) begin(r ByteRange) {
	if r == (ByteRange{}) {
		r = ByteRange{1, Unknown, Unknown}
	}
	a.before = a.at
	if carriesOn := r == a.last && a.at != r.End; !a.adrift && !carriesOn {
		a.at = r.Start - 1
	}
	a.last, a.from = r, a.at
}

// write puts p where the chunk in hand has got to. It returns false if that would leave too many gaps.
func (a *assembly) write(p []byte) bool {
	if a.inOrder() { // as nearly always
		a.head.bytes = append(a.head.bytes, p...)
		a.at += int64(len(p))
		return true
	}
	for len(p) > 0 {
		n := a.put(p)
		if n == 0 {
			return false
		}
		a.at += int64(n)
		p = p[n:]
	}
	a.join()
	return true
}

// inOrder tells whether the next byte comes right after what is there.
func (a *assembly) inOrder() bool { return len(a.ahead) == 0 && a.at == a.head.end() }

// pass gives away the head.
func (a *assembly) pass() []byte {
	b := a.head.bytes
	a.head = extent{at: a.head.end()}
	return b
}

// passOver passes on n bytes that are in order without keeping them.
func (a *assembly) passOver(n int) {
	a.at += int64(n)
	a.head.at = a.at
}

// put writes as much of p as belongs to one extent, a new one if need be.
func (a *assembly) put(p []byte) int {
	if a.at < a.head.at { // passed on: too late for it
		return int(min(int64(len(p)), a.head.at-a.at))
	}
	i := 0 // so many of those ahead begin here or before
	for i < len(a.ahead) && a.ahead[i].at <= a.at {
		i++
	}
	x := a.extent(i)
	if a.at > x.end() {
		if len(a.ahead) == maxExtents {
			return 0
		}
		a.ahead = slices.Insert(a.ahead, i, extent{at: a.at})
		i++
		x = a.extent(i)
	}
	limit := int64(math.MaxInt64)
	if i < len(a.ahead) {
		limit = a.ahead[i].at
	}
	return x.put(a.at, p, limit)
}

// extent is the head for 0, else the i-th of those ahead.
func (a *assembly) extent(i int) *extent {
	if i == 0 {
		return &a.head
	}
	return &a.ahead[i-1]
}

// join makes one of extents that meet. Those ahead are joined only while the second is at most twice as long as the first, so that a byte is
// not copied again for each chunk that comes before it: chunks in reverse order make few extents, each longer than the one before it.
func (a *assembly) join() {
	for i := len(a.ahead) - 1; i >= 0; i-- {
		x := a.extent(i)
		for i < len(a.ahead) && a.ahead[i].at == x.end() && (i == 0 || len(a.ahead[i].bytes) <= 2*len(x.bytes)) {
			x.bytes = append(x.bytes, a.ahead[i].bytes...)
			a.ahead = slices.Delete(a.ahead, i, i+1)
		}
	}
}

// end takes the flag of the chunk in hand. It returns false if the chunks contradict each other: one flagged "$" ends before bytes that are there.
func (a *assembly) end(flag Continuation) bool {
	r := a.last
	switch {
	case a.at > a.from && r.End != Unknown && a.at > r.End, a.at > a.from && r.Total != Unknown && a.at >= r.Total && flag == More:
		a.adrift = true
	case a.at == a.from && r.Start == 1:
		a.from, a.at = a.before, a.before
	}
	if flag == Complete {
		a.ended, a.total = true, a.at
		if a.from == 0 && a.head.at == 0 { // the whole message, whatever was there
			if a.at < int64(len(a.head.bytes)) {
				a.head.bytes = slices.Clone(a.head.bytes[:a.at]) // nothing stays of the memory of what was there
			}
			a.ahead = nil
		}
	}
	return !a.ended || a.extent(len(a.ahead)).end() <= a.total
}

// whole tells whether nothing is missing.
func (a *assembly) whole() bool { return a.ended && a.head.end() == a.total }

// size is how many bytes are kept.
func (a *assembly) size() int {
	n := len(a.head.bytes)
	for _, x := range a.ahead {
		n += len(x.bytes)
	}
	return n
}
