package msrp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// writer owns the sending half of a connection: a bounded queue, and one goroutine while there is something in it. One frame is one Write: Blink's parser
// loses the continuation flag if a segment ends before it, AG Projects' relay loses a frame that is not alone in its TLS record. Only a frame that is too
// large for one buffer is queued in pieces, and the next request ends it early, so that a short message overtakes a long one.
type writer struct {
	nc       net.Conn
	coalesce bool      // several frames may share a Write
	start    func()    // starts a goroutine for run
	deadline time.Time // of run: the write deadline that is set
	together []byte    // of run: frames that share a Write
	done     chan struct{}

	mu       sync.Mutex
	running  bool
	queue    []queued
	spare    []queued  // the queue's other array
	bytes    int       // queued or being written, without held
	total    int64     // ever queued
	owed     int       // memory of responses and reports, held ones too
	frame    *pieces   // is being queued in pieces
	held     []queued  // wait for its end
	since    time.Time // when the first of them came
	room     chan struct{}
	waiting  int
	lines    [2][]*turn // of those in wait: for whole frames, and for pieces
	relieved bool       // the peer has had its moment to read them
	stopped  bool       // responses and reports are dropped
	closed   bool
}

type queued struct {
	frame []byte
	d     *Delivery // of a request; nil for what we owe, a response or report
	part  bool      // of a frame that goes on
}

func newWriter(nc net.Conn, coalesce bool, start func()) *writer {
	return &writer{nc: nc, coalesce: coalesce, start: start, done: make(chan struct{}), room: make(chan struct{})}
}

// push queues a response or report without waiting: the read loop calls it. ErrStalled if the peer does not read what we owe it.
func (w *writer) push(frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	if w.stopped {
		buffer.Recycle(frame)
		return nil
	}
	if w.owed+cap(frame) > responseQueue {
		return ErrStalled
	}
	w.owed += cap(frame)
	if w.frame != nil && w.frame.patient {
		if len(w.held) == 0 {
			w.since = time.Now()
		}
		w.held = append(w.held, queued{frame: frame})
		return nil
	}
	w.interrupt()
	w.add(queued{frame: frame})
	return nil
}

// relieve gives a peer that sends faster than our answers are written a moment to read them, but not twice if it does not. The read loop calls it: meanwhile TCP
// slows the peer down.
func (w *writer) relieve() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.owed <= responseQueue/4 {
		w.relieved = false
	}
	if w.owed <= responseQueue/2 || w.relieved {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), relieveTimeout)
	defer cancel()
	w.relieved = w.until(ctx, nil, func() bool { return w.owed <= responseQueue/4 }) != nil
}

// request queues a whole request of d behind a wait.
func (w *writer) request(frame []byte, d *Delivery) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	w.interrupt()
	d.queued++
	w.add(queued{frame: frame, d: d})
	return nil
}

// wait returns when at most n bytes are queued, or with ErrClosed when done is closed. Who queues pieces does not count what is held: it would wait for itself.
// Those who wait for the same go in by turn, or on one processor the first to queue a piece would always be there first again.
func (w *writer) wait(ctx context.Context, done <-chan struct{}, n int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := &w.lines[0]
	if n < writeQueue {
		line = &w.lines[1]
	}
	if len(*line) == 0 && w.bytes <= n && !w.closed {
		return nil
	}
	turn := new(turn)
	*line = append(*line, turn)
	err := w.until(ctx, done, func() bool { return w.bytes <= n && (*line)[0] == turn })
	i := slices.Index(*line, turn)
	*line = slices.Delete(*line, i, i+1)
	w.look() // the next has its turn
	return err
}

// turn is a place in a line.
type turn struct{ _ byte }

// flush returns when what is queued now is written, whatever other sessions of the connection queue meanwhile.
func (w *writer) flush(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	end := w.total
	return w.until(ctx, nil, func() bool { return w.total-int64(w.bytes) >= end })
}

// until, under w.mu, waits for a condition, looking whenever something has been written; with ErrClosed when done is closed.
func (w *writer) until(ctx context.Context, done <-chan struct{}, met func() bool) error {
	for !met() && !w.closed {
		room := w.room
		w.waiting++
		w.mu.Unlock()
		var err error
		select {
		case <-room:
		case <-w.done:
		case <-done:
			err = ErrClosed
		case <-ctx.Done():
			err = ctx.Err()
		}
		w.mu.Lock()
		w.waiting--
		if err != nil {
			return err
		}
	}
	if w.closed {
		return ErrClosed
	}
	return nil
}

// stop drops what we would owe the peer from now on.
func (w *writer) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
}

// due is until when the responses to d may take: the peer's time begins when it has the last byte.
func (w *writer) due(d *Delivery) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.queued > 0 {
		return time.Now().Add(responseTimeout)
	}
	return d.written.Add(responseTimeout)
}

// load is how many bytes wait, held ones too.
func (w *writer) load() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.bytes
	for _, q := range w.held {
		n += len(q.frame)
	}
	return n
}

func (w *writer) add(q queued) {
	w.queue = append(w.queue, q)
	w.bytes += len(q.frame)
	w.total += int64(len(q.frame))
	if !w.running {
		w.running = true
		w.start()
	}
}

// run writes until nothing is queued, the writer is closed or a Write fails.
func (w *writer) run() error {
	for {
		w.mu.Lock()
		if len(w.queue) == 0 || w.closed {
			w.running = false
			w.rest()
			buffer.Recycle(w.together)
			w.together = nil
			w.mu.Unlock()
			return nil
		}
		batch := w.queue
		w.queue, w.spare = w.spare[:0], batch
		w.mu.Unlock()
		for rest := batch; len(rest) > 0; {
			n, err := w.writeSome(rest)
			if err != nil {
				return err
			}
			rest = rest[n:]
		}
		clear(batch)
		if cap(batch) > queueEntries {
			w.spare = nil
		}
	}
}

// rest, under w.mu, takes the write deadline back: TLS writes on its own when the peer changes its keys, at any time.
func (w *writer) rest() {
	if _, ok := w.nc.(*tls.Conn); ok && !w.closed {
		w.deadline = time.Time{}
		w.nc.SetWriteDeadline(w.deadline)
	}
}

// writeSome does one Write, of one frame or, where frames may share it, of several.
func (w *writer) writeSome(batch []queued) (n int, err error) {
	if n = w.fitTogether(batch); n < 2 {
		return 1, w.write(batch[:1], batch[0].frame)
	}
	if w.together == nil {
		w.together = buffer.New(pieceBytes)
	}
	b := w.together[:0]
	for _, q := range batch[:n] {
		b = append(b, q.frame...)
	}
	return n, w.write(batch[:n], b)
}

func (w *writer) fitTogether(batch []queued) (n int) {
	for size := 0; w.coalesce && n < len(batch); n++ {
		if size += len(batch[n].frame); size > pieceBytes {
			break
		}
	}
	return n
}

func (w *writer) write(batch []queued, b []byte) error {
	limit := writeTimeout + time.Duration(len(b)>>14)*time.Second
	now := time.Now()
	if (w.deadline.Sub(now) - limit).Abs() > time.Second { // not for every frame
		w.deadline = now.Add(limit)
		w.nc.SetWriteDeadline(w.deadline)
	}
	_, err := w.nc.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrStalled
	} else if err != nil {
		err = fmt.Errorf("msrp: write: %w", err)
	}
	now = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, q := range batch {
		w.wrote(q, now)
	}
	w.look()
	return err
}

// look, under w.mu, has those who wait look whether it is over.
func (w *writer) look() {
	if w.waiting > 0 {
		close(w.room)
		w.room = make(chan struct{})
	}
}

// wrote, under w.mu, takes a frame off the books.
func (w *writer) wrote(q queued, now time.Time) {
	w.bytes -= len(q.frame)
	switch {
	case q.d == nil:
		w.owed -= cap(q.frame)
	case !q.part:
		q.d.queued--
		q.d.written = now
	}
	buffer.Recycle(q.frame)
}

func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.done)
	}
}
