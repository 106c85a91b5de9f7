package relay

import "github.com/otrchat/otrchat/msrp/internal/buffer"

// outbox is what waits to be written to a connection, under conn.mu.
type outbox struct {
	queue   []queued
	spare   []queued      // the queue's other array
	bytes   int           // of queue, and of what is being written or about to be queued
	owed    int           // of these, responses and reports of ours
	silents uint64        // requests so far that wait for no answer
	running bool          // the writer
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

// owe queues a response or report of ours if no more than most bytes of them wait with it, and never waits. The error is that the peer does not read what we owe it.
func (c *conn) owe(frame []byte, most int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := cap(frame)
	if c.err != nil || c.owed+size > most {
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
