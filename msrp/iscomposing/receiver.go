package iscomposing

import (
	"context"
	"slices"
	"sync"
	"time"
)

// MaxComposers is how many composers a [Receiver] knows at a time. While so many are active, others are taken for idle.
const MaxComposers = 256

// Change is what a user interface shows of a composer.
type Change struct {
	From        string // the composer, as it was given to Status
	Active      bool   // whether a message is being composed now
	ContentType string // what is being composed, if the composer tells; see [Document]
}

// Receiver is the receiver's state machine (RFC 3994 section 3.3) for all composers of a conversation.
type Receiver struct {
	wake chan struct{}

	mu        sync.Mutex
	composers []composer // those that are active, or that Next has shown as active
}

type composer struct {
	now, shown Change // as it is, and what Next last returned
	until      time.Time
	changed    time.Time
}

// NewReceiver returns a Receiver that takes everybody for idle.
func NewReceiver() *Receiver { return &Receiver{wake: make(chan struct{}, 1)} }

// Status takes a document that came from a composer: in a chat of two from may be empty, in a conference it is the sender in the
// message/cpim envelope. It never waits.
func (r *Receiver) Status(from string, m *Document) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.expire(now)
	i := slices.IndexFunc(r.composers, func(c composer) bool { return c.now.From == from })
	switch {
	case i < 0 && (!m.Active || len(r.composers) == MaxComposers):
		return
	case i < 0:
		i = len(r.composers)
		r.composers = append(r.composers, composer{shown: Change{From: from}})
	}
	c := &r.composers[i]
	next := Change{From: from, Active: m.Active}
	if m.Active {
		next.ContentType = m.ContentType
		c.until = now.Add(timeout(m))
	}
	if c.now != next {
		c.now, c.changed = next, now
	}
	signal(r.wake)
}

// timeout is how long a document holds.
func timeout(m *Document) time.Duration {
	if m.Refresh <= 0 {
		return DefaultRefresh
	}
	return min(m.Refresh, MaxRefresh)
}

// Content says that a content message came from the composer, who by that is idle again (RFC 3994 section 3.3). It never waits.
func (r *Receiver) Content(from string) { r.Status(from, &Document{}) }

// Next waits for the next change: somebody begins to compose, composes something else, or is idle again, because of a document or
// a message, or because no document came in time. The error is that of the context.
func (r *Receiver) Next(ctx context.Context) (Change, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Change{}, err
		}
		change, due := r.step(time.Now())
		if change != nil {
			return *change, nil
		}
		wait(ctx, r.wake, due)
	}
}

// step returns the oldest change that was not shown, or when the next composer's time ends.
func (r *Receiver) step(now time.Time) (change *Change, due time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	var first *composer
	for i := range r.composers {
		c := &r.composers[i]
		if c.now != c.shown && (first == nil || c.changed.Before(first.changed)) {
			first = c
		}
		if c.now.Active && (due.IsZero() || c.until.Before(due)) {
			due = c.until
		}
	}
	if first == nil {
		return nil, due
	}
	first.shown = first.now
	shown := first.now
	return &shown, time.Time{}
}

// expire makes idle whose time has ended, and forgets who is idle and shown so.
func (r *Receiver) expire(now time.Time) {
	for i := range r.composers {
		if c := &r.composers[i]; c.now.Active && !now.Before(c.until) {
			c.now, c.changed = Change{From: c.now.From}, c.until
		}
	}
	r.composers = slices.DeleteFunc(r.composers, func(c composer) bool { return !c.now.Active && !c.shown.Active })
}
