package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// outbox is what waits to be written to a connection, under conn.mu. One frame is one Write, unless Options.Coalesce is set or small ones fit into one segment:
// AG Projects' relay loses a frame that is not alone in its TLS record, Blink's parser the flag of one that ends with a segment.
type outbox struct {
	queue   []queued
	spare   []queued // the queue's other array
	bytes   int      // of queue, and of what is being written or about to be queued
	owed    int      // of these, responses and reports of ours
	silents uint64   // requests so far that wait for no answer
	running bool     // the writer
	room    chan struct{}
	waiting int

	writeBy  time.Time // the write deadline that is set; of the writer
	together []byte    // frames that share a Write; of the writer
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
	if o.waiting > 0 {
		close(o.room)
		o.room = make(chan struct{})
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

func (c *conn) write() {
	defer c.r.wg.Done()
	for {
		batch := c.batch()
		if batch == nil {
			return
		}
		for rest := batch; len(rest) > 0; {
			n, err := c.writeSome(rest)
			if err != nil {
				c.close(err)
				return
			}
			rest = rest[n:]
		}
		clear(batch)
	}
}

// batch takes what is queued; nil ends the writer.
func (c *conn) batch() []queued {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) > 0 {
		batch := c.queue
		c.queue, c.spare = c.spare[:0], batch
		return batch
	}
	c.running = false
	if cap(c.spare) > keptQueue {
		c.spare = nil
	}
	if cap(c.queue) > keptQueue {
		c.queue = nil
	}
	buffer.Recycle(c.together)
	c.together = nil
	if _, ok := c.nc.(*tls.Conn); ok && c.err == nil { // it writes of its own when the peer changes its keys
		c.writeBy = time.Time{}
		c.nc.SetWriteDeadline(c.writeBy)
	}
	return nil
}

const keptQueue = 64 // entries of a queue that is empty

// writeSome does one Write of one or more frames, and returns how many.
func (c *conn) writeSome(batch []queued) (n int, err error) {
	n = c.fit(batch)
	b := batch[0].frame
	if n > 1 {
		if c.together == nil {
			c.together = buffer.New(c.share())
		}
		b = c.together[:0]
		for _, q := range batch[:n] {
			b = append(b, q.frame...)
		}
	}
	now := time.Now()
	if (c.writeBy.Sub(now) - writeTimeout).Abs() > time.Second { // not for every frame
		c.writeBy = now.Add(writeTimeout)
		c.nc.SetWriteDeadline(c.writeBy)
	}
	_, err = c.nc.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errStalled
	}
	c.wrote(batch[:n])
	return n, err
}

// share is how many bytes of frames may share a Write; 0 if none may.
func (c *conn) share() int {
	switch {
	case c.r.o.Coalesce:
		return pieceBytes
	case c.secure:
		return 0
	}
	return segment
}

// fit returns how many frames share the next Write.
func (c *conn) fit(batch []queued) (n int) {
	most := c.share()
	for size := 0; n < len(batch); n++ {
		if size += len(batch[n].frame); size > most {
			break
		}
	}
	return max(n, 1)
}

// wrote takes frames off the books: their answers have 30 s from now on.
func (c *conn) wrote(batch []queued) {
	now := c.r.clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	size := 0
	for _, q := range batch {
		size += q.size
		if q.owed {
			c.owed -= q.size
		}
		if q.expects {
			c.ring.wrote(q.n, now)
		}
		buffer.Recycle(q.frame)
	}
	if c.err == nil {
		c.count(-size)
	}
	c.look()
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
		room := c.room
		c.waiting++
		c.mu.Unlock()
		var err error
		select {
		case <-room:
		case <-ctx.Done():
			err = ctx.Err()
		}
		c.mu.Lock()
		c.waiting--
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
