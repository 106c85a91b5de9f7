package relay

import (
	"context"
	"errors"
	"io"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// Why a request is not passed on.
var errNoRoom = errors.New("relay: the next hop's queue is full")

// forward passes a request on (RFC 4976 section 6.4), a long one in several chunks.
func (c *conn) forward(f *msrp.Frame, t *route) error {
	p := pending{route: t, since: c.now, kind: kindOf(f)}
	if f.Invalid != nil || len(f.TransactionID) > maxIdent || len(f.MessageID) > maxIdent || p.kind.isSend() && len(f.MessageID) == 0 {
		return c.refuse(f, msrp.StatusBadRequest)
	}
	p.messageID, p.id = newIdent(f.MessageID), newIdent(f.TransactionID)
	code, err := c.pieces(f, t, &p)
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

func (k kind) isSend() bool { return k == partial || k == reported || k == withheld }

// pieces passes on a frame, in chunks if it is longer than pieceBytes. Once one of them is refused the others are left out.
func (c *conn) pieces(f *msrp.Frame, t *route, p *pending) (code int, err error) {
	g := &c.frame
	*g = *f
	g.ToPath, g.FromPath = t.to, t.from
	start := max(f.ByteRange.Start, 1)
	for whole := true; ; whole = false {
		body, end, err := c.take()
		if err != nil {
			return 0, err
		}
		if g.Continuation = f.Continuation; !end {
			g.Continuation = msrp.More
		}
		if whole = whole && end; !whole {
			g.ByteRange = msrp.ByteRange{Start: start, End: start + int64(len(body)) - 1, Total: total(f)}
			start += int64(len(body))
		}
		if code == 0 {
			code = c.pass(g, body, p)
		}
		if end {
			return code, nil
		}
	}
}

// total is that of a message whose chunk f is.
func total(f *msrp.Frame) int64 {
	if f.ByteRange == (msrp.ByteRange{}) {
		return msrp.Unknown
	}
	return f.ByteRange.Total
}

// take collects the next piece of a body, until the next call; end tells whether it is the last.
func (c *conn) take() (body []byte, end bool, err error) {
	c.body = c.body[:0]
	for len(c.body) < pieceBytes {
		piece, err := c.dec.Body()
		if err == io.EOF {
			return c.body, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		c.body = append(c.body, piece...)
	}
	return c.body, false, nil
}

// pass queues one frame for the next hop, and returns the status to refuse it with.
func (c *conn) pass(f *msrp.Frame, body []byte, p *pending) (code int) {
	t := p.route.target
	p.byteRange, p.bytes = f.ByteRange, len(body)
	size := headSize(f) + len(body)
	n, err := t.reserve(p, size)
	for err == errNoRoom && c.awaitRoom(t, size) {
		n, err = t.reserve(p, size)
	}
	switch {
	case err == errNoRoom:
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
		t.release(q)
		return msrp.StatusBadRequest
	}
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
	case c.bytes > 0 && c.bytes+size > c.r.o.QueueBytes, p.kind != silent && c.ring.full():
		return 0, errNoRoom
	}
	c.bytes += size
	if p.kind == silent {
		c.silents++
		return c.silents, nil
	}
	p.route.sends.Add(1)
	p.route.bytes.Add(int64(p.bytes))
	c.arm()
	return c.ring.add(p), nil
}

// release takes back what reserve has given.
func (c *conn) release(q queued) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes -= q.size
	if q.n > 0 && c.ring.get(q.n-1) != nil {
		c.ring.get(q.n - 1).settle()
		c.ring.remove(q.n - 1)
	}
	c.look()
}

// awaitRoom waits for room in the queue of the only connection that c sends to, false if there is none in time or if c sends to others too: they do not wait for it.
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
	return t.until(ctx, func() bool { return t.bytes == 0 || t.bytes+size <= t.r.o.QueueBytes && !t.ring.full() }) == nil
}
