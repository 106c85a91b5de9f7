package relay

import (
	"bytes"
	"context"
	"time"
)

// until, under mu, waits for a condition, looking whenever something has been written or answered. Errors: the connection's, or ctx's.
func (c *conn) until(ctx context.Context, met func() bool) error {
	for c.err == nil && !met() {
		if c.room == nil {
			c.room = make(chan struct{})
		}
		room := c.room
		c.mu.Unlock()
		var err error
		select {
		case <-room:
		case <-ctx.Done():
			err = ctx.Err()
		}
		c.mu.Lock()
		if err != nil {
			return err
		}
	}
	return c.err
}

// look has those who wait look whether it is over.
func (o *outbox) look() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// awaitRoom waits for room in the queue of the only connection that c sends to; false if there is none in time, or if c sends to others too, or is another relay's, which may
// do so any moment: they do not wait for that one.
func (c *conn) awaitRoom(way *route, size int) bool {
	if bytes.IndexByte(way.rawFrom, ' ') >= 0 {
		return false
	}
	t := way.target
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
	met := func() bool { return t.hasRoom(size) && !t.ring.full(t.mostPending()) && !way.isJammed() }
	if t.bytes == 0 && t.ring.empty() && !met() { // too much waits elsewhere
		return false
	}
	defer func(start time.Time) { c.now += time.Since(start) }(time.Now())
	return t.until(ctx, met) == nil
}

// relieve gives a peer that sends faster than it reads our answers a moment to catch up: meanwhile its connection is not read.
func (c *conn) relieve() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owed <= owedBytes/2 {
		return
	}
	ctx, cancel := context.WithTimeout(c.ctx, relieveTimeout)
	defer cancel()
	c.until(ctx, func() bool { return c.owed <= owedBytes/4 })
}

// drained waits until everything is written and answered, or ctx ends.
func (c *conn) drained(ctx context.Context) {
	c.kick()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until(ctx, func() bool { return c.bytes == 0 && c.ring.empty() })
}
