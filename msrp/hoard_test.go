package msrp

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
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
	for _, size := range []int{buffer.Tiny + 1, buffer.Small, buffer.Small + 1, 2048, buffer.Middle + 1, buffer.Frame, buffer.Frame + 1, buffer.Large + 1, 100_000} {
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

// Who sets a read deadline holds conn.mu, so that the one of a connection which has just lost its last session cannot be taken back by a Read that had looked before.
func TestReadDeadlineIsSetUnderTheLock(t *testing.T) {
	e, err := New(nil)
	require.NoError(t, err)
	local, remote := net.Pipe()
	defer local.Close()
	defer remote.Close()
	nc := &lockedDeadlines{Conn: local}
	c := newConn(e, nc, false)
	nc.c = c
	c.parked = 1
	c.paced = true
	go io.WriteString(remote, "MSRP")
	_, err = c.Read(make([]byte, 4))
	require.NoError(t, err)
	require.Equal(t, 1, nc.set)
	c.unpark()
	require.Equal(t, 2, nc.set)
	c.pace(true) // of a Read that comes later
	require.Equal(t, 2, nc.set)
	require.False(t, nc.free)
}

// lockedDeadlines counts those set, and notes whether one was without the lock.
type lockedDeadlines struct {
	net.Conn
	c    *conn
	set  int
	free bool
}

func (d *lockedDeadlines) SetReadDeadline(t time.Time) error {
	d.set++
	if d.c.mu.TryLock() {
		d.c.mu.Unlock()
		d.free = true
	}
	return d.Conn.SetReadDeadline(t)
}
