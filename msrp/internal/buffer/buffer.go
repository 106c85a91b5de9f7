package buffer

import "sync"

// The sizes of buffers, in bytes.
const (
	Tiny   = 384           // a response, a report
	Small  = 1 << 10       // a chat line
	Middle = 4 << 10       // a long line
	Frame  = 12 << 10      // a chunk towards a relay
	Large  = 32<<10 + 4096 // a piece of a larger frame, with the frame's head
	Huge   = 64<<10 + 8192 // the largest frame that a relay passes on whole, with its head
)

var (
	tiny   = sync.Pool{New: func() any { return new([Tiny]byte) }}
	small  = sync.Pool{New: func() any { return new([Small]byte) }}
	middle = sync.Pool{New: func() any { return new([Middle]byte) }}
	frame  = sync.Pool{New: func() any { return new([Frame]byte) }}
	large  = sync.Pool{New: func() any { return new([Large]byte) }}
	huge   = sync.Pool{New: func() any { return new([Huge]byte) }}
)

// New returns an empty buffer with room for n bytes, for Recycle to take back.
func New(n int) []byte {
	switch {
	case n <= Tiny:
		return tiny.Get().(*[Tiny]byte)[:0]
	case n <= Small:
		return small.Get().(*[Small]byte)[:0]
	case n <= Middle:
		return middle.Get().(*[Middle]byte)[:0]
	case n <= Frame:
		return frame.Get().(*[Frame]byte)[:0]
	case n <= Large:
		return large.Get().(*[Large]byte)[:0]
	case n <= Huge:
		return huge.Get().(*[Huge]byte)[:0]
	}
	return make([]byte, 0, n)
}

// Recycle takes a buffer back, unless it has grown to a size of its own.
func Recycle(b []byte) {
	switch b = b[:cap(b)]; len(b) {
	case Tiny:
		tiny.Put((*[Tiny]byte)(b))
	case Small:
		small.Put((*[Small]byte)(b))
	case Middle:
		middle.Put((*[Middle]byte)(b))
	case Frame:
		frame.Put((*[Frame]byte)(b))
	case Large:
		large.Put((*[Large]byte)(b))
	case Huge:
		huge.Put((*[Huge]byte)(b))
	}
}
