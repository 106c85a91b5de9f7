package msrp

import "sync"

// Buffers for frames to be sent, in five sizes. They belong to no connection, so that an idle one keeps none.
const (
	tinyBytes   = 384               // a response, a report
	headBytes   = 512               // the head and end-line of a SEND, mostly
	smallBytes  = 1 << 10           // a chat line
	middleBytes = 4 << 10           // a long line
	frameBytes  = 12 << 10          // a chunk towards a relay
	largeBytes  = pieceBytes + 4096 // a piece of a larger frame, with the frame's head
)

var (
	tinyBuffers   = sync.Pool{New: func() any { return new([tinyBytes]byte) }}
	smallBuffers  = sync.Pool{New: func() any { return new([smallBytes]byte) }}
	middleBuffers = sync.Pool{New: func() any { return new([middleBytes]byte) }}
	frameBuffers  = sync.Pool{New: func() any { return new([frameBytes]byte) }}
	largeBuffers  = sync.Pool{New: func() any { return new([largeBytes]byte) }}
)

// newBuffer returns an empty buffer for about n bytes, which the writer takes back.
func newBuffer(n int) []byte {
	switch {
	case n <= tinyBytes:
		return tinyBuffers.Get().(*[tinyBytes]byte)[:0]
	case n <= smallBytes:
		return smallBuffers.Get().(*[smallBytes]byte)[:0]
	case n <= middleBytes:
		return middleBuffers.Get().(*[middleBytes]byte)[:0]
	case n <= frameBytes:
		return frameBuffers.Get().(*[frameBytes]byte)[:0]
	case n <= largeBytes:
		return largeBuffers.Get().(*[largeBytes]byte)[:0]
	}
	return make([]byte, 0, n)
}

// recycle takes a buffer back, unless it has grown to a size of its own.
func recycle(b []byte) {
	switch b = b[:cap(b)]; len(b) {
	case tinyBytes:
		tinyBuffers.Put((*[tinyBytes]byte)(b))
	case smallBytes:
		smallBuffers.Put((*[smallBytes]byte)(b))
	case middleBytes:
		middleBuffers.Put((*[middleBytes]byte)(b))
	case frameBytes:
		frameBuffers.Put((*[frameBytes]byte)(b))
	case largeBytes:
		largeBuffers.Put((*[largeBytes]byte)(b))
	}
}
