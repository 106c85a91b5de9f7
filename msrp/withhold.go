package msrp

import (
	"errors"
	"time"
)

// withheld is a response that its sender gets later. RFC 4975 section 7.2 wants it at once; but a response is all that slows a sender down who shares
// its connection or sends through a relay, and it is still in time for his 30 s.
type withheld struct {
	c     *conn
	frame []byte
	due   time.Time
}

// withhold keeps the 200 for a chunk back if more than half of what may wait in the inbox waits there. False if it is to be given at once.
func (s *Session) withhold(c *conn, f *Frame) bool {
	b := &s.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.bytes <= b.mostBytes/2 || len(b.withheld) == maxWithheld {
		return false
	}
	if frame := response(f, StatusOK); frame != nil {
		b.withheld = append(b.withheld, withheld{c, frame, time.Now().Add(withholdTimeout)})
		s.tidyAt(b.withheld[0].due)
	}
	return true
}

// overdue, under inbox.mu, takes out the responses that have been withheld for as long as they may be.
func (s *Session) overdue(now time.Time) (due []withheld) {
	b := &s.inbox
	for len(b.withheld) > 0 && !now.Before(b.withheld[0].due) {
		due = append(due, b.withheld[0])
		b.withheld = b.withheld[1:]
	}
	if len(b.withheld) > 0 {
		s.tidyAt(b.withheld[0].due)
	}
	return due
}

// answer gives responses that were withheld. It is called without a lock.
func answer(due []withheld) {
	for _, w := range due {
		if err := w.c.w.push(w.frame); errors.Is(err, ErrStalled) {
			w.c.close(err)
		}
	}
}
