//go:build !race

package relay

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/msrptest"
)

// A message of 256 MiB in one frame goes through a relay that never has more of it than its queue takes, whatever its receiver does.
func TestStreamsAreSmall(t *testing.T) {
	const size = 256 << 20
	g := newRig(t, &Options{QueueBytes: leastQueue, Rate: 1 << 30})
	alice, bob := g.piped("alice"), g.piped("bob")
	head, _, _ := strings.Cut(wire("stream", "SEND", join(alice.use, bob.sdp()), alice.Path, ""), "Byte-Range")
	go func() {
		io.WriteString(alice.Conn, head+"Failure-Report: no\r\nByte-Range: 1-*/*\r\nContent-Type: text/plain\r\n\r\n")
		piece := []byte(strings.Repeat("x", pieceBytes))
		for range size / pieceBytes {
			alice.Conn.Write(piece)
		}
		io.WriteString(alice.Conn, "\r\n-------stream$\r\n")
	}()
	before, most, read := heap(), 0, 0
	b := make([]byte, pieceBytes)
	for next := 0; read < size; {
		n, err := bob.Conn.Read(b)
		require.NoError(t, err)
		if read += n; read >= next && read < size-2*leastQueue { // it stops reading until the queue is full
			next += size / 32
			for g.r.Stats().QueuedBytes < leastQueue/2 {
				runtime.Gosched()
			}
			most = max(most, heap()-before)
		}
	}
	require.LessOrEqual(t, most, leastQueue+8*pieceBytes)
}

// piped is a client on a net.Pipe, which keeps nothing of what goes over it.
func (g *rig) piped(user string) *client {
	ours, theirs := net.Pipe()
	g.Cleanup(func() { ours.Close() })
	g.r.ServeConn(theirs)
	c := &client{Peer: msrptest.PeerOn(ours), g: g}
	c.Path = mustPath("msrp://" + user + ".example.com:2855/" + user + ";tcp")
	c.auth(user)
	return c
}
