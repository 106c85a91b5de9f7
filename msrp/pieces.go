package msrp

import (
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// pieces is a frame that is being queued in pieces.
type pieces struct {
	id      [16]byte // its transaction
	d       *Delivery
	patient bool     // only requests end it early, not what we owe the peer
	tail    [32]byte // the last bytes of its body, for an end-line that begins there
	n       int      // so many of them
}

// begin queues the head and first piece of a frame.
func (w *writer) begin(p *pieces, b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	w.interrupt()
	p.d.queued++
	w.frame = p
	w.add(queued{b, p.d, true})
	return nil
}

// extend queues another piece of the body of p; with a flag that is not 0 also its end-line. False if p has been ended early, or has to be: because the
// piece would hold its end-line, or because what is held has waited long enough.
func (w *writer) extend(p *pieces, body []byte, flag Continuation) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || p == nil || w.frame != p {
		return false
	}
	if p.endLineIn(body) || w.owed > responseQueue/4 || len(w.held) > 0 && time.Since(w.since) > heldTimeout {
		w.interrupt()
		return false
	}
	b := append(buffer.New(len(body)+len(p.id)+16), body...)
	if flag != 0 {
		w.end(append(b, p.endLine(flag)...))
	} else {
		w.add(queued{b, p.d, true})
	}
	return true
}

// interrupt, under w.mu, ends a frame in pieces early.
func (w *writer) interrupt() {
	if w.frame != nil {
		w.end(w.frame.endLine(More))
	}
}

// cut ends the frame of d that is being queued in pieces, false if there is none.
func (w *writer) cut(d *Delivery, flag Continuation) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.frame == nil || w.frame.d != d {
		return false
	}
	w.end(w.frame.endLine(flag))
	return true
}

// end, under w.mu, queues the end of a frame in pieces, and what was held behind it.
func (w *writer) end(b []byte) {
	w.add(queued{frame: b, d: w.frame.d})
	w.frame = nil
	for i, q := range w.held {
		w.add(q)
		w.held[i] = queued{}
	}
	w.held = w.held[:0]
}

func (p *pieces) endLine(flag Continuation) []byte {
	return append(appendEnd(make([]byte, 0, 32), p.id[:]), byte(flag), '\r', '\n')
}

// endLineIn looks for the end-line where body follows what went before, and notes the end of body for the next time.
func (p *pieces) endLineIn(body []byte) bool {
	if endLineIn(body, p.id[:]) {
		return true
	}
	var seam [2 * len(p.tail)]byte
	n := copy(seam[:], p.tail[:p.n])
	n += copy(seam[n:], body[:min(len(body), len(p.tail))])
	if endLineIn(seam[:n], p.id[:]) {
		return true
	}
	p.n = copy(p.tail[:], body[max(0, len(body)-len(p.tail)):]) // only the last piece is shorter
	return false
}
