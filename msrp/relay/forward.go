package relay

import (
	"context"
	"errors"
	"time"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

var errNoRoom = errors.New("relay: too much waits for the next hop")

// forward passes a request on (RFC 4976 section 6.4), and answers a SEND.
func (c *conn) forward(f *msrp.Frame, t *route) error {
	p := pending{route: t, since: c.now, kind: kindOf(f)}
	send := string(f.Method) == msrp.MethodSend
	if f.Invalid != nil || len(f.TransactionID) > maxIdent || len(f.MessageID) > maxIdent || send && len(f.MessageID) == 0 {
		return c.refuse(f, msrp.StatusBadRequest)
	}
	p.messageID, p.id = newIdent(f.MessageID), newIdent(f.TransactionID)
	code, err := c.pieces(f, &p, send)
	switch {
	case err != nil:
		return err
	case code != 0:
		return c.refuse(f, code)
	case p.kind == reported:
		return c.respond(f, msrp.StatusOK)
	}
	return nil
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
	g := &c.frame
	*g = *f
	g.ToPath, g.FromPath = p.route.to, p.route.from
	p.byteRange = msrp.ByteRange{Start: max(f.ByteRange.Start, 1), Total: f.ByteRange.Total}
	if f.ByteRange == (msrp.ByteRange{}) {
		p.byteRange.Total = msrp.Unknown
	}
	c.body.rest = nil // of a frame that was refused half-way
	for whole := true; ; whole = false {
		body, end, err := c.take()
		if err == nil {
			err = c.pay(p.route, len(body)+headSize(g))
		}
		p.bytes, p.byteRange.End = len(body), p.byteRange.Start+int64(len(body))-1
		if whole = whole && end; !whole {
			g.ByteRange = p.byteRange
		}
		if g.Continuation = msrp.More; end {
			g.Continuation = f.Continuation
			p.withhold()
		}
		switch {
		case err == nil && (send || whole):
			code = c.pass(g, body, p)
		case err == errNoRoom:
			code, err = msrp.StatusStopSending, nil
		case err == nil:
			code = msrp.StatusBadRequest // RFC 4975 section 7.1: only a SEND may be longer
		}
		if (code != 0 || err != nil) && !whole && send {
			c.abort(g, *p)
		}
		if code != 0 || err != nil || end {
			return code, err
		}
		p.byteRange.Start = p.byteRange.End + 1
	}
}

// abort tells the next hop that no more of a message is to come (RFC 4975 section 7.1).
func (c *conn) abort(f *msrp.Frame, p pending) {
	p.kind, p.byteRange.End = silent, p.byteRange.Start-1
	f.ByteRange, f.Continuation = p.byteRange, msrp.Aborted
	c.pass(f, nil, &p)
	c.flush()
}

// pass queues one frame for the next hop, and returns the status to refuse it with.
func (c *conn) pass(f *msrp.Frame, body []byte, p *pending) (code int) {
	t := p.route.target
	size := headSize(f) + len(body)
	n, err := t.reserve(p, size)
	for err == errNoRoom && c.awaitRoom(t, size) {
		n, err = t.reserve(p, size)
	}
	switch {
	case err == errNoRoom:
		c.r.counts.queuesFull.Add(1)
		return msrp.StatusStopSending
	case err != nil:
		return msrp.StatusTimeout
	}
	q := queued{size: size}
	if p.kind != silent {
		q.n = n + 1
	}
	f.TransactionID = t.appendID(c.ident[:0], n, p.kind != silent)
	if q.frame, err = msrp.AppendFrame(buffer.New(size), f, body); err != nil {
		buffer.Recycle(q.frame)
		t.release(q)
		return msrp.StatusBadRequest
	}
	c.r.counts.forwarded.Add(1)
	c.r.counts.forwardedBytes.Add(int64(len(q.frame)))
	t.push(q)
	c.touch(t)
	return 0
}

// reserve takes room in the queue for size bytes, and a number for the request if it is to be answered.
func (c *conn) reserve(p *pending, size int) (n uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return 0, c.err
	case !c.hasRoom(size) || p.kind != silent && c.ring.full():
		return 0, errNoRoom
	}
	c.count(size)
	if p.kind == silent {
		c.silents++
		return c.silents, nil
	}
	p.route.begun(p)
	c.arm()
	return c.ring.add(p), nil
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
	if q.n > 0 {
		if p := c.ring.get(q.n - 1); p != nil {
			p.route.settled(p)
			c.ring.remove(q.n - 1)
		}
	}
	c.look()
}

// awaitRoom waits for room in the queue of the only connection that c sends to; false if there is none in time, or if c sends to others too: they do not
// wait for that one.
func (c *conn) awaitRoom(t *conn, size int) bool {
	for _, other := range c.routes {
		if other.target != t && other.valid() {
			return false
		}
	}
	c.flush()
	ctx, cancel := context.WithTimeout(c.ctx, roomTimeout)
	defer cancel()
	t.mu.Lock()
	defer t.mu.Unlock()
	met := func() bool { return t.hasRoom(size) && !t.ring.full() }
	if t.bytes == 0 && !met() { // too much waits elsewhere
		return false
	}
	defer func(start time.Time) { c.now += time.Since(start) }(time.Now())
	return t.until(ctx, met) == nil
}
