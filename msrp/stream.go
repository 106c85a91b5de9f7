package msrp

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

var (
	errBrokeOff = fmt.Errorf("msrp: the session ended within the message: %w", io.ErrUnexpectedEOF)
	errSilence  = fmt.Errorf("%w: the sender broke off within the message", ErrTimeout)
	errNoRoom   = fmt.Errorf("%w: the message was not read in time, or has too many gaps", ErrTooLarge)
)

// stream is the Reader of a message that is handed out before it is whole. The read loop writes, the application reads. What waits here
// counts in the session's inbox, whose lock guards all of it.
type stream struct {
	s      *Session
	more   sync.Cond
	blocks [][]byte
	read   int   // bytes of the first block
	length int64 // of all that came
	err    error // after what waits: io.EOF if the message is whole
	closed bool  // by the application
}

func newStream(s *Session) *stream {
	return &stream{s: s, more: sync.Cond{L: &s.inbox.mu}}
}

// Read waits for the next bytes of the message. It gives no more than one block at a time, as the read loop waits for the lock.
func (st *stream) Read(p []byte) (int, error) {
	b := &st.s.inbox
	b.mu.Lock()
	for len(p) > 0 && len(st.blocks) == 0 && st.err == nil && !st.closed {
		st.more.Wait()
	}
	var due []withheld
	n, err := 0, error(nil)
	switch {
	case len(p) == 0:
	case st.closed:
		err = ErrClosed
	case len(st.blocks) > 0:
		n = st.take(p)
		due = b.freed(n)
	default:
		err = st.err
	}
	b.mu.Unlock()
	answer(due)
	return n, err
}

// take reads from the first block.
func (st *stream) take(p []byte) int {
	first := st.blocks[0]
	n := copy(p, first[st.read:])
	if st.read += n; st.read == len(first) {
		buffer.Recycle(first)
		st.blocks[0] = nil
		st.blocks, st.read = st.blocks[1:], 0
	}
	return n
}

// write takes as much of p as there is room for. If there is none, room is closed once there may be some. False if nobody wants it any more.
func (st *stream) write(p []byte) (n int, room <-chan struct{}, ok bool) {
	b := &st.s.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if st.closed || st.err != nil {
		return 0, nil, false
	}
	if n = min(len(p), b.mostBytes-b.bytes); n <= 0 {
		return 0, b.whenFreed(), true
	}
	for rest := p[:n]; len(rest) > 0; {
		last := len(st.blocks) - 1
		if last < 0 || len(st.blocks[last]) == cap(st.blocks[last]) {
			st.blocks = append(st.blocks, buffer.New(min(len(rest), buffer.Large)))
			last++
		}
		block := st.blocks[last]
		k := copy(block[len(block):cap(block)], rest)
		st.blocks[last], rest = block[:len(block)+k], rest[k:]
	}
	b.bytes += n
	st.length += int64(n)
	st.more.Signal()
	return n, nil, true
}

// end, under mu, says what comes after the bytes that wait in a stream, if there is one.
func (b *inbox) end(st *stream, err error) {
	if st == nil || st.err != nil {
		return
	}
	st.err = err
	st.more.Broadcast()
	b.streams = slices.DeleteFunc(b.streams, func(x *stream) bool { return x == st })
}

// received is how many bytes came.
func (st *stream) received() int64 {
	st.s.inbox.mu.Lock()
	defer st.s.inbox.mu.Unlock()
	return st.length
}

// Close gives up the rest.
func (st *stream) Close() error {
	b := &st.s.inbox
	b.mu.Lock()
	waiting := -st.read
	for _, block := range st.blocks {
		waiting += len(block)
		buffer.Recycle(block)
	}
	st.blocks, st.read, st.closed = nil, 0, true
	st.more.Broadcast()
	due := b.freed(waiting)
	b.mu.Unlock()
	answer(due)
	return nil
}

// handOver gives a message to Receive before it is whole.
func (s *Session) handOver(c *conn, p *partial) (code int) {
	m, b := new(Message), &s.inbox
	*m = p.m
	st := newStream(s)
	m.Reader, m.Size = st, max(p.last.Total, 0)
	if m.weight() > b.mostBytes {
		return StatusStopSending // there will never be room
	}
	for {
		b.mu.Lock()
		many := len(b.partials) == maxPartials && b.partials[m.ID] == nil
		closed, put := b.closed, !b.closed && !many && b.put(m)
		var room <-chan struct{}
		if put {
			b.streams = append(b.streams, st)
		} else {
			room = b.whenFreed()
		}
		b.mu.Unlock()
		switch {
		case closed:
			return StatusNoSession
		case put:
			p.stream = st
			return 0
		case many || !s.pause(c, room):
			return StatusStopSending
		}
	}
}

// pour hands bytes on to the Reader of a message.
func (s *Session) pour(c *conn, st *stream, p []byte) (code int) {
	for len(p) > 0 {
		n, room, ok := st.write(p)
		if !ok || n == 0 && !s.pause(c, room) {
			return StatusStopSending
		}
		p = p[n:]
	}
	return 0
}
