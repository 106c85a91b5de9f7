package relay

import (
	"sync"
	"time"
)

// bucket bounds bytes in time: those of a second at once, and from then on as many as come in. It is safe for concurrent use.
type bucket struct {
	mu   sync.Mutex
	debt time.Duration // how long what was taken takes, at
	at   time.Duration
}

// take takes n bytes of rate in a second, and returns how long to wait for them.
func (b *bucket) take(n, rate int, now time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now > b.at {
		b.debt, b.at = max(b.debt-(now-b.at), 0), now
	}
	b.debt += time.Duration(float64(n) / float64(rate) * float64(time.Second))
	return max(b.debt-time.Second, 0)
}

// owes tells how long what was taken takes from now on.
func (b *bucket) owes(now time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.debt-(now-b.at), 0)
}

// pay waits until the sender may send n bytes more. Meanwhile its connection is not read, and so it is slowed down.
func (c *conn) pay(t *route, n int) error {
	if t.bucket == nil {
		return nil
	}
	wait := t.bucket.take(n, c.r.o.Rate, c.now)
	if wait == 0 {
		return nil
	}
	c.r.counts.throttled.Add(1)
	c.flush()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		c.now = c.r.clock()
		return nil
	case <-c.ctx.Done():
		return ErrClosed
	}
}
