package msrptest

import (
	"bytes"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Line is one direction of a Wire.
type Line struct {
	wire *Wire

	// Under wire.mu.
	changed  sync.Cond // a Read or Write may go on
	faults   Faults
	held     bool
	pieces   []piece // under way, oldest first
	bytes    int     // in pieces, or written since nobody reads
	passed   int64   // bytes, since the beginning
	readErr  error   // what every Read returns from now on, nil if it may go on
	writeErr error   // the same for Write
	gone     bool    // the reading end was closed
	readBy   deadline
	writeBy  deadline
	record   []byte
	limit    int // of record
}

// piece is what one Read gets: bytes, or the end of them.
type piece struct {
	data []byte
	err  error
	at   time.Time // arrives then
}

const lineBytes = 64 << 10 // under way, before Write waits

func newLine(w *Wire, record int) *Line {
	l := &Line{wire: w, limit: record}
	l.changed.L = &w.mu
	return l
}

// Set replaces the Faults of the line, for what is written from now on.
func (l *Line) Set(f Faults) {
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	l.faults = f
}

// Hold keeps back everything that is under way, the end of the stream too, until Release. The sender notices nothing until the line is full. Held
// in both directions a wire is like an unplugged one.
func (l *Line) Hold() { l.hold(true) }

// Release lets pass what Hold kept back.
func (l *Line) Release() { l.hold(false) }

func (l *Line) hold(held bool) {
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	l.held = held
	l.drop()
}

// Passed is how many bytes were written to the line since the connection began.
func (l *Line) Passed() int64 {
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	return l.passed
}

// write waits until everything is under way.
func (l *Line) write(b []byte) (n int, err error) {
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	for n < len(b) {
		switch {
		case l.writeErr != nil:
			return n, l.writeErr
		case l.writeBy.over():
			return n, os.ErrDeadlineExceeded
		case l.sink() && (l.bytes >= lineBytes || l.wire.other(l).drained()):
			return n, syscall.EPIPE
		case l.bytes >= lineBytes:
			l.changed.Wait()
			continue
		}
		n += l.pass(b[n:min(n+lineBytes-l.bytes, len(b))])
	}
	return n, nil
}

// pass puts b on its way, up to where the line is cut.
func (l *Line) pass(b []byte) int {
	f := l.faults
	cut := f.Cut > 0 && l.passed+int64(len(b)) >= f.Cut
	if cut {
		b = b[:max(f.Cut-l.passed, 0)]
	}
	l.record = append(l.record, b[:min(len(b), l.limit-len(l.record))]...)
	if len(b) > 0 && !l.sink() {
		l.queue(bytes.Clone(b), f)
	}
	l.bytes += len(b)
	l.passed += int64(len(b))
	if cut {
		l.finish(syscall.ECONNRESET, syscall.ECONNRESET)
		l.wire.other(l).reset()
	}
	l.changed.Broadcast()
	return len(b)
}

func (l *Line) queue(data []byte, f Faults) {
	if f.Change != nil {
		f.Change(l.passed, data)
	}
	at := time.Now().Add(f.Delay)
	for ; f.Split > 0 && len(data) > f.Split; data = data[f.Split:] {
		l.pieces = append(l.pieces, piece{data: data[:f.Split], at: at})
	}
	l.pieces = append(l.pieces, piece{data: data, at: at})
}

// read waits for the next piece.
func (l *Line) read(b []byte) (int, error) {
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	for {
		switch {
		case l.readErr != nil:
			return 0, l.readErr
		case l.readBy.over():
			return 0, os.ErrDeadlineExceeded
		case l.arrived():
			return l.take(b)
		case l.held || len(l.pieces) == 0:
			l.changed.Wait()
		default:
			t := time.AfterFunc(time.Until(l.pieces[0].at), l.wake)
			l.changed.Wait()
			t.Stop()
		}
	}
}

// arrived tells whether the oldest piece may be read.
func (l *Line) arrived() bool {
	return !l.held && len(l.pieces) > 0 && !time.Now().Before(l.pieces[0].at)
}

// take gives out the oldest piece, or what fits of it.
func (l *Line) take(b []byte) (int, error) {
	p := &l.pieces[0]
	if p.err != nil {
		return 0, p.err // again and again
	}
	n := copy(b, p.data)
	l.bytes -= n
	if p.data = p.data[n:]; len(p.data) == 0 {
		*p = piece{}
		l.pieces = l.pieces[1:]
	}
	l.changed.Broadcast()
	return n, nil
}

// finish ends the stream behind what is under way, with one error for Read and one for Write. What came first counts.
func (l *Line) finish(read, write error) {
	if l.writeErr == nil {
		l.writeErr = write
		l.pieces = append(l.pieces, piece{err: read, at: time.Now().Add(l.faults.Delay)})
	}
	l.writeBy.stop()
	l.changed.Broadcast()
}

// abandon is for the Close of the reading end.
func (l *Line) abandon() {
	l.readErr, l.gone = net.ErrClosed, true
	l.readBy.stop()
	l.drop()
}

// sink tells whether what is written vanishes: nobody will read it.
func (l *Line) sink() bool { return l.gone && !l.held }

// drop forgets what is under way where nobody will read it.
func (l *Line) drop() {
	if l.sink() {
		l.pieces, l.bytes = nil, 0
	}
	l.changed.Broadcast()
}

// drained tells whether the reading end has only the end of the stream before it.
func (l *Line) drained() bool {
	return l.readErr != nil || l.arrived() && l.pieces[0].err != nil
}

func (l *Line) reset() {
	if l.writeErr == nil {
		l.writeErr = syscall.ECONNRESET
	}
	if l.readErr == nil {
		l.readErr = syscall.ECONNRESET
	}
	l.pieces, l.bytes = nil, 0
	l.readBy.stop()
	l.writeBy.stop()
	l.changed.Broadcast()
}

func (l *Line) wake() {
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	l.changed.Broadcast()
}
