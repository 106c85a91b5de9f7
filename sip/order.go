package sip

import (
	"slices"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// maxArrivals bounds the requests of a dialog that have arrived and whose turn has not come.
const maxArrivals = 32

// An arrival is a request of the peer's that is newer than all before it, as it came over the wire. sipgo serves each in a
// goroutine of its own, in any order; theirs is the order of arrivals.
type arrival struct {
	seq    uint32
	branch string
	taken  bool            // its turn has come
	before <-chan struct{} // closed when the one before was served, nil for the first
	served chan struct{}
}

// order sees each message before sipgo's transactions do, in the order of the wire. It takes the ACKs itself.
func (a *Agent) order(msg gosip.Message) {
	defer a.recover("message")
	req, ok := msg.(*gosip.Request)
	if !ok || req.CSeq() == nil || req.IsCancel() {
		return
	}
	c := a.callOf(req)
	switch {
	case c == nil:
	case !req.IsAck():
		c.arrived(req)
	case isClean(req):
		c.acknowledge(req)
	}
}

// callOf finds the call whose dialog a request belongs to, or returns nil.
func (a *Agent) callOf(req *gosip.Request) *Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[dialogID{callID(req), toTag(req), fromTag(req)}]
}

// arrived notes a request that is newer than all before it (RFC 3261 §12.2.2). One that sipgo takes for a repetition never
// asks for its turn; the oldest is forgotten when there are too many.
func (c *Call) arrived(req *gosip.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seq := int64(req.CSeq().SeqNo)
	if seq <= c.dialog.remoteSeq {
		return
	}
	c.dialog.remoteSeq = seq
	if len(c.arrivals) == maxArrivals {
		c.arrivals = slices.Delete(c.arrivals, 0, 1)
	}
	now := &arrival{seq: req.CSeq().SeqNo, branch: branch(req), served: make(chan struct{})}
	if n := len(c.arrivals); n > 0 {
		now.before = c.arrivals[n-1].served
	}
	c.arrivals = append(c.arrivals, now)
}

// turn finds the call that a request belongs to, nil outside of a dialog, and waits until what arrived before it there was
// served, for T1 at most. served must be called when the request is. inOrder is false for a request that is older than another, or
// that came with too many.
func (a *Agent) turn(req *gosip.Request) (c *Call, served func(), inOrder bool) {
	served = func() {}
	if c = a.callOf(req); c == nil {
		return c, served, false
	}
	if req.CSeq() != nil && !req.IsCancel() {
		c.arrived(req) // it may be here since before the call was made; otherwise nothing new
	}
	c.mu.Lock()
	// Not by its address: of a datagram that came twice sipgo may hand over either copy.
	i := slices.IndexFunc(c.arrivals, func(a *arrival) bool {
		return !a.taken && req.CSeq() != nil && a.seq == req.CSeq().SeqNo && a.branch == branch(req)
	})
	if i < 0 {
		c.mu.Unlock()
		return c, served, false
	}
	now := c.arrivals[i]
	now.taken = true
	c.mu.Unlock()
	if now.before != nil {
		patience := time.NewTimer(gosip.T1)
		defer patience.Stop()
		select {
		case <-now.before:
		case <-patience.C:
		case <-a.life.Done():
		}
	}
	return c, func() { c.served(now) }, true
}

// served lets the next request have its turn.
func (c *Call) served(now *arrival) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(now.served)
	c.arrivals = slices.DeleteFunc(c.arrivals, func(a *arrival) bool { return a == now })
}
