package msrptest

import "time"

// Faults is what goes wrong on a Line. The zero value is a flawless one. Line.Set changes it at any moment; Network has it for new connections.
type Faults struct {
	// Split gives the reader at most so many bytes at a time, so that frames arrive in pieces. Default 0: each Write arrives as a whole.
	Split int
	// Delay is how long everything is under way. Default 0.
	Delay time.Duration
	// Cut resets the connection once so many bytes were written to the line since it began: both ends fail with syscall.ECONNRESET, the
	// reader of this line behind the bytes that were still under way. Default 0: never.
	Cut int64
	// Change may change the bytes of b in their place; offset is how many were written to the line before them. It is called during the Write,
	// must not use the connection or its Wire, and may come in the middle of a frame. Default nil.
	Change func(offset int64, b []byte)
}
