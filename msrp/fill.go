package msrp

import (
	"io"
	"sync"
)

// readBuffer is the memory of a Decoder: buf[start:] is the frame in hand with its head up to head, buf[body:end] what was read and not yet consumed.
type readBuffer struct {
	buf                    []byte
	start, head, body, end int

	small []byte // kept for the life of the Decoder; buf is this or a larger one
	full  bool   // the last Read filled the buffer: more is waiting
}

const (
	idleBytes = 1 << 10
	readBytes = 64 << 10
	leastRoom = 256 // for a body, several times its end-line
)

// readBuffers has buffers that no Decoder needs at the moment.
var readBuffers = sync.Pool{New: func() any { return new([readBytes]byte) }}

// release gives a large buffer back, between two frames and with nothing buffered: the peer may be silent for long.
func (b *readBuffer) release() {
	if len(b.buf) == readBytes {
		readBuffers.Put((*[readBytes]byte)(b.buf))
	}
	b.buf, b.full = b.small, false
	b.start, b.head, b.body, b.end = 0, 0, 0, 0
}

// fill reads more bytes behind what is buffered. Whatever the Frame aliases stays where it is.
func (d *Decoder) fill() error {
	room := d.headRoom
	if d.state != atHead {
		room = d.bodyRoom
	}
	p := room()
	n, err := d.r.Read(p)
	d.end += n
	d.full = n == len(p)
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// headRoom makes room for the rest of a head. If what there is of it has to move, its lines are parsed again: once in each buffer.
func (d *Decoder) headRoom() []byte {
	old := d.buf
	switch {
	case d.end == len(d.buf) && d.start == 0, d.full && len(d.buf) < readBytes:
		d.buf = d.larger()
	case d.end <= len(d.buf)/2 || d.start == 0:
		return d.buf[d.end:]
	}
	d.end = copy(d.buf, old[d.start:d.end])
	d.start, d.body = 0, 0
	d.restart()
	if len(old) == readBytes && len(d.buf) > readBytes {
		readBuffers.Put((*[readBytes]byte)(old))
	}
	return d.buf[d.end:]
}

func (d *Decoder) larger() []byte {
	switch n := len(d.buf); {
	case n == 0:
		d.small = make([]byte, idleBytes)
		return d.small
	case n < readBytes:
		return readBuffers.Get().(*[readBytes]byte)[:]
	default:
		return make([]byte, min(2*n, d.limits.HeadBytes))
	}
}

// bodyRoom makes room for more of a body, behind its head or in front of it. What the Frame aliases stays where it is: if neither is
// enough, the body goes on in another buffer.
func (d *Decoder) bodyRoom() []byte {
	rest := d.buf[d.body:d.end] // could begin an end-line, so it is short
	from, to := d.head, len(d.buf)
	if d.start > to-from {
		from, to = 0, d.start
	}
	if to-from < leastRoom || d.full && len(d.buf) < readBytes {
		d.buf = readBuffers.Get().(*[readBytes]byte)[:]
		d.start, d.head = 0, 0
		from, to = 0, len(d.buf)
	}
	d.body, d.end = from, from+copy(d.buf[from:to], rest)
	return d.buf[d.end:to]
}
