package relay

import (
	"errors"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

var errNoRoom = errors.New("relay: too much waits for the next hop")

// forward passes a request on (RFC 4976 section 6.4).
func (c *conn) forward(f *msrp.Frame, t *route) error {
	p := pending{route: t, since: c.now, kind: kindOf(f)}
	send := string(f.Method) == msrp.MethodSend
	if f.Invalid != nil || len(f.TransactionID) > maxIdent || len(f.MessageID) > maxIdent || send && len(f.MessageID) == 0 {
		return c.refuse(f, msrp.StatusBadRequest)
	}
	p.messageID, p.id = newIdent(f.MessageID), newIdent(f.TransactionID)
	code, err := c.pieces(f, &p, send)
	if err != nil || code == 0 {
		return err
	}
	return c.refuse(f, code)
}

func kindOf(f *msrp.Frame) kind {
	switch method := string(f.Method); {
	case method == msrp.MethodReport:
		return silent
	case method == msrp.MethodAuth && f.Value("Authorization") != nil:
		return auth
	case method != msrp.MethodSend:
		return answered
	}
	switch {
	case is(f.FailureReport, "no"):
		return silent
	case is(f.FailureReport, "partial"):
		return partial
	}
	return reported
}

// pieces passes a frame on, in several chunks if it is longer than pieceBytes (RFC 4976 section 6.4.1). If one of them cannot be passed on the others are left out, and
// the next hop is told. The status is the one to refuse the request with.
func (c *conn) pieces(f *msrp.Frame, p *pending, send bool) (code int, err error) {
	g := *f
	g.ToPath, g.FromPath = p.route.to, p.route.from
	p.byteRange = msrp.ByteRange{Start: max(f.ByteRange.Start, 1), Total: f.ByteRange.Total}
	if f.ByteRange == (msrp.ByteRange{}) {
		p.byteRange.Total = msrp.Unknown
	}
	c.body.rest = nil // of a frame that was refused half-way
	for whole := true; ; whole = false {
		body, end, err := c.take()
		if err == nil {
			err = c.pay(p.route, len(body)+headSize(&g))
		}
		p.bytes, p.byteRange.End = len(body), p.byteRange.Start+int64(len(body))-1
		if whole = whole && end; !whole {
			g.ByteRange = p.byteRange
		}
		if g.Continuation = msrp.More; end {
			g.Continuation = f.Continuation
			p.last = true
			p.withhold()
		}
		switch {
		case err == nil && (send || whole):
			code = c.pass(&g, body, p)
		case err == errNoRoom:
			code, err = msrp.StatusStopSending, nil
		case err == nil:
			code = msrp.StatusBadRequest // RFC 4975 section 7.1: only a SEND may be longer
		}
		if (code != 0 || err != nil) && !whole && send {
			c.abort(&g, *p)
		}
		if code != 0 || err != nil || end {
			return code, err
		}
		p.byteRange.Start = p.byteRange.End + 1
	}
}

// abort tells the next hop that no more of a message is to come (RFC 4975 section 7.1).
func (c *conn) abort(f *msrp.Frame, p pending) {
	p.kind, p.last, p.byteRange.End = silent, false, p.byteRange.Start-1
	f.ByteRange, f.Continuation = p.byteRange, msrp.Aborted
	c.pass(f, nil, &p)
	c.flush()
}

// pass queues one frame for the next hop, and returns the status to refuse it with. A SEND is answered first, so that what the next hop says comes behind that.
func (c *conn) pass(f *msrp.Frame, body []byte, p *pending) (code int) {
	t := p.route.target
	q := queued{size: headSize(f) + len(body), expects: p.kind != silent}
	err := t.reserve(p, &q)
	for err == errNoRoom && c.awaitRoom(p.route, q.size) {
		err = t.reserve(p, &q)
	}
	switch {
	case err == errNoRoom:
		c.r.counts.queuesFull.Add(1)
		return msrp.StatusStopSending
	case err == nil:
		f.TransactionID = t.appendID(c.ident[:0], q.n, q.expects)
		if q.frame, err = msrp.AppendFrame(buffer.New(q.size), f, body); err != nil {
			t.release(q)
			return msrp.StatusBadRequest
		}
	case !p.last || !p.isTimed():
		return msrp.StatusTimeout
	}
	p.route.begun(p)
	if p.last && p.kind == reported {
		if err := c.owe(p.answer(), owedBytes); err != nil {
			c.close(err)
		}
		c.touch(c)
	}
	if q.frame == nil || !t.push(q) {
		c.lost(p, msrp.StatusTimeout)
		return 0
	}
	c.r.counts.forwarded.Add(1)
	c.r.counts.forwardedBytes.Add(int64(len(q.frame)))
	c.touch(t)
	return 0
}

// reserve takes room in the queue for q, and a number for it.
func (c *conn) reserve(p *pending, q *queued) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return c.err
	case !c.hasRoom(q.size) || q.expects && (c.ring.full(c.mostPending()) || p.route.isJammed()):
		return errNoRoom
	}
	c.count(q.size)
	if !q.expects {
		c.silents++
		q.n = c.silents
		return nil
	}
	p.coming = true
	c.arm()
	q.n = c.ring.add(p)
	return nil
}

// mostPending is how many requests may wait for an answer.
func (c *conn) mostPending() uint64 {
	if c.isRelay() {
		return maxRelayPending
	}
	return maxPending
}

func (c *conn) hasRoom(size int) bool {
	return (c.bytes == 0 || c.bytes+size <= c.r.o.QueueBytes) && c.r.queued.Load()+int64(size) <= int64(c.r.o.MaxQueueBytes)
}

// release takes back what reserve has given.
func (c *conn) release(q queued) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.count(-q.size)
	if q.expects {
		c.ring.remove(q.n)
	}
	c.look()
}
