package msrp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// writer owns the sending half of a connection: a bounded queue and one goroutine. One frame is one Write: Blink's parser loses the
// continuation flag if a segment ends before it, AG Projects' relay loses a frame that is not alone in its TLS record.
type writer struct {
	nc       net.Conn
	wake     chan struct{}
	done     chan struct{}
	deadline time.Time // of the goroutine: the write deadline that is set

	mu      sync.Mutex
	queue   []queued
	spare   []queued // the queue's other array
	bytes   int      // queued or being written
	owed    int      // of these, responses and reports
	room    chan struct{}
	waiting int
	stopped bool // responses and reports are dropped
	closed  bool
}

type queued struct {
	frame []byte
	d     *Delivery // of a request; nil for what we owe, a response or report
}

// buffers are for single frames. They belong to no connection, so that an idle one keeps none.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

const (
	bufferBytes  = 16 << 10 // a larger buffer is not kept
	queueEntries = 512      // nor a longer queue
)

// newBuffer returns an empty buffer for one frame, which the writer takes back.
func newBuffer() []byte { return (*buffers.Get().(*[]byte))[:0] }

func recycle(b []byte) {
	if cap(b) <= bufferBytes {
		buffers.Put(&b)
	}
}

func newWriter(nc net.Conn) *writer {
	return &writer{nc: nc, wake: make(chan struct{}, 1), done: make(chan struct{}), room: make(chan struct{})}
}

// push queues a response or report without waiting: the read loop calls it. ErrStalled if the peer does not read what we owe it.
func (w *writer) push(frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	if w.stopped {
		recycle(frame)
		return nil
	}
	if w.owed+len(frame) > responseQueue {
		return ErrStalled
	}
	w.owed += len(frame)
	w.add(queued{frame, nil})
	return nil
}

// wait returns when at most n bytes are queued.
func (w *writer) wait(ctx context.Context, n int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.bytes > n && !w.closed {
		room := w.room
		w.waiting++
		w.mu.Unlock()
		var err error
		select {
		case <-room:
		case <-w.done:
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

// request queues a request of d behind a wait.
func (w *writer) request(frame []byte, d *Delivery) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	d.queued++
	w.add(queued{frame, d})
	return nil
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

func (w *writer) add(q queued) {
	w.queue = append(w.queue, q)
	w.bytes += len(q.frame)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes until the writer is closed or a Write fails.
func (w *writer) run() error {
	for {
		w.mu.Lock()
		batch := w.queue
		w.queue, w.spare = w.spare[:0], batch
		w.mu.Unlock()
		for i, q := range batch {
			if err := w.write(q); err != nil {
				return err
			}
			batch[i] = queued{}
		}
		if cap(batch) > queueEntries {
			w.spare = nil
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-w.wake:
		case <-w.done:
			return nil
		}
	}
}

func (w *writer) write(q queued) error {
	limit := writeTimeout + time.Duration(len(q.frame)>>14)*time.Second
	if now := time.Now(); (w.deadline.Sub(now) - limit).Abs() > time.Second { // not for every frame
		w.deadline = now.Add(limit)
		w.nc.SetWriteDeadline(w.deadline)
	}
	_, err := w.nc.Write(q.frame)
	recycle(q.frame)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrStalled
	} else if err != nil {
		err = fmt.Errorf("msrp: write: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes -= len(q.frame)
	if q.d == nil {
		w.owed -= len(q.frame)
	} else {
		q.d.queued--
		q.d.written = time.Now()
	}
	if w.waiting > 0 {
		close(w.room)
		w.room = make(chan struct{})
	}
	return err
}

func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.done)
	}
}
