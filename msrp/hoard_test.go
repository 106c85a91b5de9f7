package msrp

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A peer that sends a long message and then, with the same ID, a short one in its place has the short one received: nothing holds the memory of the long one,
// which counts nowhere.
func TestMessageThatShrinks(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	const long = 64 << 10
	require.Equal(t, StatusOK, statusOf(t, nc, d, part(s, "1-*/*", strings.Repeat("x", long), More)))
	require.Equal(t, StatusOK, statusOf(t, nc, d, part(s, "1-1/1", "y", Complete)))
	m := receive(t, s)
	require.Equal(t, "y", string(m.Body))
	require.Less(t, cap(m.Body), 64)
}

// What a stream keeps for its bytes is in proportion to them.
func TestStreamMemory(t *testing.T) {
	s, nc, d := rawPeer(t, &Options{StreamAbove: 100})
	for _, size := range []int{tinyBytes + 1, smallBytes, smallBytes + 1, 2048, middleBytes + 1, frameBytes, frameBytes + 1, largeBytes + 1, 100_000} {
		require.Equal(t, StatusOK, statusOf(t, nc, d, part(s, "1-*/*", strings.Repeat("x", size), Complete)))
		m := receive(t, s)
		kept, bytes := 0, 0
		s.inbox.mu.Lock()
		for _, b := range m.Reader.(*stream).blocks {
			kept += cap(b)
			bytes += len(b)
		}
		s.inbox.mu.Unlock()
		require.Equal(t, size, bytes)
		require.LessOrEqual(t, kept, 4*size, "of %d bytes", size)
		require.NoError(t, m.Close())
	}
}

// Many headers of a few bytes each take more memory than their text.
func TestTinyHeadersCount(t *testing.T) {
	m := Message{Header: make([]Header, maxHeaders)}
	require.Equal(t, maxHeaders*headerBytes-freeHead, m.weight())
	b := newInbox(&Options{InboxMessages: 10, InboxBytes: 2*m.weight() + 1})
	require.True(t, b.put(&m))
	require.True(t, b.put(&m))
	require.False(t, b.put(&m))
}

// A stranger who does not read its refusals is cut off at once: 256 of them could hold 256 MiB otherwise.
func TestStrangerThatDoesNotReadItsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc := passiveEndpoint(t, nil)
		defer s.e.Close()
		begin, sent := time.Now(), 0
		for ; sent < 1<<20; sent += len(unknownFrame) {
			if _, err := io.WriteString(nc, unknownFrame); err != nil {
				break
			}
		}
		require.Less(t, sent, 2*strangerQueue)
		require.Greater(t, sent, strangerQueue/2)
		require.Zero(t, time.Since(begin))
		synctest.Wait()
		require.Zero(t, s.e.unbound.Load())
	})
}
