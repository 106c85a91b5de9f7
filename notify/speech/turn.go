package speech

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/otrchat/otrchat/notify"
)

// maxWaiting is how many notifications may wait for the voice.
const maxWaiting = 8

// turn gives the one voice to one notification after the other, the most urgent first and among equals the oldest. Where more than maxWaiting wait,
// the oldest of the least urgent is turned away, as notify.Queue does it.
type turn struct {
	mu      sync.Mutex
	taken   bool
	waiting []*waiter // oldest first
}

type waiter struct {
	urgency notify.Urgency
	called  chan struct{} // closed when the voice is the waiter's, or with err
	err     error
}

// take returns nil when the voice is the caller's, who then has to release it.
func (t *turn) take(ctx context.Context, u notify.Urgency) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("speech: %w", err)
	}
	w := t.join(u)
	select {
	case <-w.called:
		return w.err
	case <-ctx.Done():
		t.leave(w)
		return fmt.Errorf("speech: %w", ctx.Err())
	}
}

func (t *turn) join(u notify.Urgency) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &waiter{urgency: u, called: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	switch {
	case !t.taken:
		t.next()
	case len(t.waiting) > maxWaiting:
		t.call(slices.MinFunc(t.waiting, byUrgency), ErrBusy)
	}
	return w
}

// leave is for a waiter that gives up, at the same moment as it is called perhaps.
func (t *turn) leave(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, w); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	} else if w.err == nil {
		t.next()
	}
}

func (t *turn) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next()
}

func (t *turn) next() {
	if t.taken = len(t.waiting) > 0; t.taken {
		t.call(slices.MaxFunc(t.waiting, byUrgency), nil)
	}
}

func (t *turn) call(w *waiter, err error) {
	i := slices.Index(t.waiting, w)
	t.waiting = slices.Delete(t.waiting, i, i+1)
	w.err = err
	close(w.called)
}

func byUrgency(a, b *waiter) int { return cmp.Compare(a.urgency, b.urgency) }
