//go:build !race

package msrp

import (
	"runtime"
	"testing"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
	"github.com/stretchr/testify/require"
)

// The race detector needs memory of its own and has pools forget at random, so "make cost" runs these tests without it.

// An idle session costs at most 16 KiB.
func TestIdleSessionsAreSmall(t *testing.T) {
	const ends = 1000
	e := loopback(t)
	before := memory()
	pairs := idlePairs(t, e, ends/2)
	require.LessOrEqual(t, (memory()-before)/ends, int64(16<<10))
	runtime.KeepAlive(pairs)
}

// Neither finding a frame's session nor answering it allocates anything, however many sessions share the connection.
func TestRespondingAllocatesNothing(t *testing.T) {
	s, _, _ := rawPeer(t, nil)
	c := s.conn
	frames := make([]*Frame, 3)
	for i := range frames {
		other := s
		if i > 0 {
			other = otherSession(t, s)
			other.peer, other.seenTo, other.seenFrom = s.peer, other.own, rawPath
			require.True(t, other.take(c))
		}
		frames[i] = &Frame{TransactionID: []byte("a786hjs2"), Method: []byte(MethodSend), ToPath: []byte(other.own), FromPath: []byte(rawPath)}
	}
	c.w.mu.Lock()
	c.w.running = true // nobody writes
	c.w.mu.Unlock()
	i := 0
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		f := frames[i%len(frames)]
		i++
		found, code := c.route(f)
		if found == nil || code != 0 {
			t.Fatal(code)
		}
		if err := c.respond(f, StatusOK); err != nil {
			t.Fatal(err)
		}
		c.w.mu.Lock()
		buffer.Recycle(c.w.queue[0].frame)
		c.w.queue, c.w.bytes, c.w.owed = c.w.queue[:0], 0, 0
		c.w.mu.Unlock()
	}))
}
