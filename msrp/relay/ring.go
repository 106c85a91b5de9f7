package relay

import (
	"time"

	"github.com/otrchat/otrchat/msrp"
)

// pending is a request of ours on a connection that waits for its answer, with what is needed to pass that on or to tell the sender that there is none.
type pending struct {
	route     *route // nil: none, or over
	since     time.Duration
	written   time.Duration // its last byte; 0: not yet
	bytes     int           // that it counts in the route's window
	byteRange msrp.ByteRange
	messageID ident
	id        ident // of the sender's request, if its response is still to come
	kind      kind
	last      bool // of the chunks that the sender's request is cut into
	coming    bool // not queued yet: until then nobody but the sender's read loop ends it
}

// kind tells what a request's sender is due.
type kind uint8

const (
	silent   kind = iota // nothing
	partial              // a report of an error response
	reported             // a report of an error response, and of none
	withheld             // like reported, and the response itself
	answered             // the response, passed on
	auth                 // like answered; a failure counts
)

// withhold lets the sender of a SEND wait for the next hop's answer if much is on its way already.
func (p *pending) withhold() {
	if p.kind == reported && p.route.isFull() {
		p.kind = withheld
	}
}

// ident is a transaction ID or Message-ID.
type ident struct {
	n    uint8
	text [maxIdent]byte
}

func newIdent(b []byte) (id ident) {
	id.n = uint8(copy(id.text[:], b))
	return id
}

func (id *ident) bytes() []byte { return id.text[:id.n] }

// ring has the pending requests of a connection by number, under conn.mu.
type ring struct {
	slots       []pending // as many as a power of two
	first, next uint64
	timer       *time.Timer // runs conn.sweep
	armed       bool        // the timer
}

func (g *ring) empty() bool { return g.first == g.next }

// full tells whether no more than most requests may wait. The oldest make way if nobody is told when they get no answer.
func (g *ring) full(most uint64) bool {
	for g.next-g.first >= most && g.at(g.first).written > 0 && !g.at(g.first).isTimed() {
		g.at(g.first).route.settled(g.at(g.first))
		g.remove(g.first)
	}
	return g.next-g.first >= most
}

// isTimed tells whether it matters when there is no answer.
func (p *pending) isTimed() bool { return p.kind == reported || p.kind == withheld }

func (g *ring) add(p *pending) (n uint64) {
	if g.next-g.first == uint64(len(g.slots)) {
		g.grow()
	}
	n = g.next
	g.slots[n&uint64(len(g.slots)-1)] = *p
	g.next++
	return n
}

func (g *ring) grow() {
	slots := make([]pending, max(8, 2*len(g.slots)))
	for n := g.first; n < g.next; n++ {
		slots[n&uint64(len(slots)-1)] = *g.at(n)
	}
	g.slots = slots
}

func (g *ring) at(n uint64) *pending { return &g.slots[n&uint64(len(g.slots)-1)] }

// get returns the request with a number, nil if it is over or not queued yet.
func (g *ring) get(n uint64) *pending {
	if n < g.first || n >= g.next || g.at(n).route == nil || g.at(n).coming {
		return nil
	}
	return g.at(n)
}

// remove takes a request out.
func (g *ring) remove(n uint64) {
	g.at(n).route = nil
	for g.first < g.next && g.at(g.first).route == nil {
		g.first++
	}
}

func (g *ring) wrote(n uint64, now time.Duration) {
	if p := g.get(n); p != nil {
		p.written = now
	}
}

// clear takes out everything that is queued, and forgets the rest.
func (g *ring) clear() (all []pending) {
	for n := g.first; n < g.next; n++ {
		if p := g.get(n); p != nil {
			all = append(all, *p)
		}
	}
	g.first = g.next
	g.slots = nil
	if g.timer != nil {
		g.timer.Stop()
	}
	return all
}
