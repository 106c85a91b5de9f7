package relay

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// writer is the goroutine that writes what is queued, while there is something. Over TLS one frame is one Write, and so one record: AG Projects' relay loses a frame
// that is not alone in its record. Without TLS several small frames share a Write as long as they fit into one segment, and several larger ones:
// Blink's parser loses the flag of a frame if a segment ends right before it, which so cannot happen to a small one, and to a large one no more than when
// it is written alone. Options.Coalesce lets all share.
type writer struct {
	by       time.Time   // the deadline that is set
	together []byte      // small frames that share a Write
	several  net.Buffers // larger ones
	rest     net.Buffers // of several, not written yet
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
	buffer.Recycle(c.writer.together)
	c.writer.together = nil
	if _, ok := c.nc.(*tls.Conn); ok && c.err == nil { // it writes of its own when the peer changes its keys
		c.writer.by = time.Time{}
		c.nc.SetWriteDeadline(c.writer.by)
	}
	return nil
}

const keptQueue = 64 // entries of a queue that is empty

// writeSome does one Write of one or more frames, and returns how many.
func (c *conn) writeSome(batch []queued) (n int, err error) {
	n, size := c.fit(batch)
	now := time.Now()
	if (c.writer.by.Sub(now) - writeTimeout).Abs() > time.Second { // not for every frame
		c.writer.by = now.Add(writeTimeout)
		c.nc.SetWriteDeadline(c.writer.by)
	}
	switch {
	case n == 1:
		_, err = c.nc.Write(batch[0].frame)
	case size > segment && !c.secure:
		err = c.writeSeveral(batch[:n])
	default:
		err = c.writeTogether(batch[:n], size)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errStalled
	}
	c.wrote(batch[:n])
	return n, err
}

// writeTogether copies small frames into one Write.
func (c *conn) writeTogether(batch []queued, size int) error {
	if cap(c.writer.together) < size {
		buffer.Recycle(c.writer.together)
		c.writer.together = buffer.New(size)
	}
	b := c.writer.together[:0]
	for _, q := range batch {
		b = append(b, q.frame...)
	}
	_, err := c.nc.Write(b)
	return err
}

// writeSeveral has the system gather larger frames.
func (c *conn) writeSeveral(batch []queued) error {
	b := c.writer.several[:0]
	for _, q := range batch {
		b = append(b, q.frame)
	}
	c.writer.several, c.writer.rest = b, b
	_, err := c.writer.rest.WriteTo(c.nc)
	clear(c.writer.several)
	return err
}

// fit returns how many frames share the next Write, and their size.
func (c *conn) fit(batch []queued) (n, size int) {
	size = len(batch[0].frame)
	most, small := pieceBytes, size <= segment
	switch {
	case c.r.o.Coalesce:
	case c.secure:
		return 1, size
	case small:
		most = segment
	}
	for n = 1; n < len(batch); n++ {
		next := len(batch[n].frame)
		if size+next > most || !c.r.o.Coalesce && small != (next <= segment) {
			break
		}
		size += next
	}
	return n, size
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
