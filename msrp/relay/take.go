package relay

import (
	"io"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// body is what a read loop has of the body of a frame that is not passed on yet.
type body struct {
	buf  []byte // counts in Relay.queued
	rest []byte // behind it: the beginning of the next piece
}

// take collects the next piece of a body, of pieceBytes at most, until the next call; end tells whether it is the last.
func (c *conn) take() (piece []byte, end bool, err error) {
	rest := c.body.rest
	c.body.buf, c.body.rest = c.body.buf[:0], nil
	for {
		n := min(len(rest), pieceBytes-len(c.body.buf))
		if !c.grow(n) {
			return nil, false, errNoRoom
		}
		c.body.buf = append(c.body.buf, rest[:n]...)
		if n < len(rest) {
			c.body.rest = rest[n:]
			c.pieceBy = c.now + pieceTimeout
			return c.body.buf, false, nil
		}
		rest, err = c.dec.Body()
		if err == io.EOF {
			return c.body.buf, true, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
}

// grow makes room for n bytes more in the buffer, false if the relay has none.
func (c *conn) grow(n int) bool {
	old := c.body.buf
	need := len(old) + n
	if need <= cap(old) {
		return true
	}
	b := buffer.New(max(need, 2*len(old)))
	if c.r.queued.Add(int64(cap(b)-cap(old))) > int64(c.r.o.MaxQueueBytes) {
		c.r.queued.Add(int64(cap(old) - cap(b)))
		buffer.Recycle(b)
		return false
	}
	c.body.buf = append(b, old...)
	buffer.Recycle(old)
	return true
}

// rest gives the buffer back, between two frames.
func (c *conn) rest() {
	if cap(c.body.buf) > 0 {
		c.r.queued.Add(-int64(cap(c.body.buf)))
		buffer.Recycle(c.body.buf)
		c.body = body{}
	}
}
