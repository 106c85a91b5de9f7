package relay

import (
	"context"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// outbox is what waits to be written to a connection, under conn.mu.
type outbox struct {
	queue   []queued
	spare   []queued // the queue's other array
	bytes   int      // of queue, and of what is being written or about to be queued
	owed    int      // of these, responses and reports of ours
	silents uint64   // requests so far that wait for no answer
	running bool     // the writer
	room    chan struct{} // closed when something has been written or answered; nil while nobody waits
	writer  writer
}

type queued struct {
	frame   []byte
	size    int    // that it counts
	n       uint64 // the number of the request
	expects bool   // an answer: the request is in the ring
	owed    bool
}

func (o *outbox) clear() {
	for _, q := range o.queue {
		buffer.Recycle(q.frame)
	}
	o.queue = nil
	o.look()
}

// look has those who wait look whether it is over.
func (o *outbox) look() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// push queues a frame whose size has been reserved, false if the connection is closed. The writer takes no notice before kick.
func (c *conn) push(q queued) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		buffer.Recycle(q.frame)
		return false
	}
	if q.expects {
		c.ring.at(q.n).coming = false
	}
	c.queue = append(c.queue, q)
	return true
}

// owe queues a response or report of ours, and never waits. The error is that the peer does not read what we owe it.
func (c *conn) owe(frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := cap(frame)
	if c.err != nil || c.owed+size > owedBytes {
		buffer.Recycle(frame)
		if c.err == nil {
			return errStalled
		}
		return nil
	}
	c.count(size)
	c.owed += size
	c.queue = append(c.queue, queued{frame: frame, size: size, owed: true})
	return nil
}

// kick starts the writer if it has something to do.
func (c *conn) kick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running || c.nc == nil || c.err != nil || len(c.queue) == 0 {
		return
	}
	c.running = true
	c.r.wg.Add(1)
	go c.write()
}

// count, under mu, adds bytes to what waits. A closed connection counts no more.
func (c *conn) count(n int) {
	c.bytes += n
	c.r.queued.Add(int64(n))
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

// drained waits until everything is written and answered.
func (c *conn) drained(ctx context.Context) error {
	c.kick()
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.until(ctx, func() bool { return c.bytes == 0 && c.ring.empty() })
	if ctx.Err() != nil {
		return err
	}
	return nil
}
