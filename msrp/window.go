package msrp

import (
	"context"
	"sync"
)

// window bounds the requests of a session that have no response yet, in number and bytes, and lets waiting senders in by turn:
// Kamailio drops what does not fit into its queue without a word, so a relay's queue must never overflow.
type window struct {
	mu      sync.Mutex
	frames  int
	bytes   int
	full    bool // who waits is let in when a quarter is free again: waking a sender for each frame costs more than the frame
	waiting []*ticket
}

type ticket struct {
	bytes   int
	granted chan struct{}
}

// acquire takes room for one frame of n bytes. A frame over the whole window goes when it is alone. It gives up when ctx ends, done is closed or d, which may
// be nil, has its outcome.
func (w *window) acquire(ctx context.Context, done <-chan struct{}, d *Delivery, n int) error {
	w.mu.Lock()
	if len(w.waiting) == 0 && w.fits(n) {
		w.take(n)
		w.mu.Unlock()
		return nil
	}
	t := &ticket{n, make(chan struct{})}
	w.waiting = append(w.waiting, t)
	w.full = w.full || len(w.waiting) == 1
	w.mu.Unlock()
	var err error
	var ended <-chan struct{}
	if d != nil {
		ended = d.Done()
	}
	select {
	case <-t.granted:
		return nil
	case <-ended:
		err = d.Wait(ctx)
	case <-ctx.Done():
		err = ctx.Err()
	case <-done:
		err = ErrClosed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, x := range w.waiting {
		if x == t {
			w.waiting = append(w.waiting[:i], w.waiting[i+1:]...)
			w.grant()
			return err
		}
	}
	w.give(n) // granted meanwhile
	return err
}

// release gives back what acquire took.
func (w *window) release(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.give(n)
}

// load is how many bytes are taken.
func (w *window) load() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}

func (w *window) fits(n int) bool {
	return w.frames == 0 || w.frames < windowFrames && w.bytes+n <= windowBytes
}

func (w *window) take(n int) {
	w.frames++
	w.bytes += n
}

func (w *window) give(n int) {
	w.frames--
	w.bytes -= n
	w.grant()
}

func (w *window) grant() {
	if w.full && w.frames > windowFrames*3/4 {
		return
	}
	w.full = false
	for len(w.waiting) > 0 && w.fits(w.waiting[0].bytes) {
		w.take(w.waiting[0].bytes)
		close(w.waiting[0].granted)
		w.waiting = w.waiting[1:]
	}
}
