package relay

import (
	"bytes"
	"fmt"
	"time"

	"github.com/otrchat/otrchat/msrp"
)

// report is the REPORT that the sender of a failed SEND is owed (RFC 4976 section 6.4.1). It goes back on the sender's connection, whatever the From-Path says.
func (c *conn) report(p *pending, code int) []byte {
	c.r.counts.reports.Add(1)
	var id [idBytes]byte
	return encode(&msrp.Frame{
		TransactionID: c.appendID(id[:0], c.nextSilent(), false), Method: []byte(msrp.MethodReport),
		ToPath: p.route.rawFrom, FromPath: p.route.own, MessageID: p.messageID.bytes(), ByteRange: p.byteRange,
		StatusHeader: fmt.Appendf(nil, "000 %03d %s", code, msrp.StatusText(code)),
	})
}

// nextSilent is the number of a request without an answer.
func (c *conn) nextSilent() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silents++
	return c.silents
}

// arm, under mu, has sweep look at the pending requests when the first of them may be late.
func (c *conn) arm() {
	switch {
	case c.armed:
	case c.timer == nil:
		c.timer = time.AfterFunc(withholdTimeout, c.sweep)
	default:
		c.timer.Reset(withholdTimeout)
	}
	c.armed = true
}

// sweep ends the waiting of requests whose time is over.
func (c *conn) sweep() {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	late, held, next := c.overdue(c.r.clock())
	if c.armed = next > 0; c.armed {
		c.timer.Reset(next)
	} else {
		c.slots = nil
	}
	c.mu.Unlock()
	for i := range held {
		c.give(held[i].route.source, held[i].answer(), owedBytes/2)
	}
	for i := range late {
		c.lost(&late[i], msrp.StatusTimeout)
	}
	c.mu.Lock()
	c.look()
	c.mu.Unlock()
}

// overdue, under mu, takes out the requests without an answer in time, finds the responses that have been withheld for long enough, and tells in how
// long to look again.
func (c *conn) overdue(now time.Duration) (late, held []pending, next time.Duration) {
	for n := c.first; n < c.next; n++ {
		p := c.ring.at(n)
		if p.route == nil {
			continue
		}
		due := now + responseTimeout // of one that is not written yet
		if p.written > 0 {
			due = p.written + responseTimeout
		}
		if due <= now {
			late = append(late, *p)
			c.ring.remove(n)
			continue
		}
		if p.kind == withheld {
			if by := p.since + withholdTimeout; by <= now {
				held = append(held, *p)
				p.kind = reported
			} else {
				due = min(due, by)
			}
		}
		if wait := due - now; next == 0 || wait < next {
			next = wait
		}
	}
	return late, held, next
}

func first(path []byte) []byte {
	uri, _, _ := bytes.Cut(path, []byte{' '})
	return uri
}

// samePath compares a path that a peer has sent with one of ours.
func samePath(theirs, ours []byte) bool {
	if bytes.Equal(theirs, ours) {
		return true
	}
	p, err := msrp.ParsePath(string(theirs))
	if err != nil {
		return false
	}
	q, err := msrp.ParsePath(string(ours))
	return err == nil && p.Equal(q)
}
