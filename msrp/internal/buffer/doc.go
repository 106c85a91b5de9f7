// Package buffer has buffers for frames to be sent, in a few sizes. They belong to no connection, so that an idle one keeps none. Package msrp and the
// relay server both take theirs from it.
//
// # Concurrency
//
// The functions are safe for concurrent use. A buffer belongs to one goroutine at a time, and to nobody after Recycle.
//
// # Limits
//
// Buffers that nobody needs are left to the garbage collector. One larger than Huge is not kept at all.
//
// # Security
//
// A buffer is handed out empty, but its memory still holds what was in it before: nothing may be read beyond what has been appended.
package buffer
