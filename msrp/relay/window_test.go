package relay

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// flood sends n SENDs with bodies of size bytes, without waiting for anything.
func (c *client) flood(n, size int, failureReport string) {
	body := strings.Repeat("x", size)
	for i := range n {
		c.Send(&msrp.Frame{
			TransactionID: fmt.Appendf(nil, "flood%d", i), MessageID: fmt.Appendf(nil, "m%d", i), ContentType: []byte("text/plain"),
			FailureReport: []byte(failureReport), ByteRange: msrp.ByteRange{Start: 1, End: int64(size), Total: int64(size)},
		}, []byte(body))
	}
}

// count reads the frames that come until nothing has come for a while, and returns how many of each status there were; requests have 0.
func (c *client) count(silence time.Duration) map[int]int {
	c.g.Helper()
	seen := map[int]int{}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), silence)
		f, err := c.Next(ctx)
		cancel()
		if err != nil {
			return seen
		}
		seen[f.Status]++
	}
}

// Up to 64 SENDs of one way, or 320 KiB, wait for the next hop's answers and are answered at once. The sender of more gets its answer with that of the next hop.
func TestResponsesAreWithheld(t *testing.T) {
	for _, tt := range []struct{ size, window int }{{10, 64}, {10 << 10, 32}, {64 << 10, 5}} {
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t, nil)
			alice, bob := g.pair()
			go alice.flood(tt.window+3, tt.size, "")
			require.Equal(t, map[int]int{200: tt.window}, alice.count(time.Second))
			for i := range tt.window + 3 {
				f := bob.next()
				require.Equal(t, fmt.Sprintf("m%d", i), string(f.MessageID))
				bob.answer(f, msrp.StatusOK)
			}
			require.Equal(t, map[int]int{200: 3}, alice.count(time.Second))
			require.Zero(t, g.holds().Unanswered)
			g.r.Close()
		})
	}
}

// An answer is withheld for 20 s at most; a next hop that refuses instead makes a 200 and a report.
func TestWithheldResponsesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		alice, bob := g.pair()
		alice.flood(66, 10, "")
		for i := range 66 {
			f := bob.next()
			if i == 65 {
				bob.answer(f, msrp.StatusStopSending)
			}
		}
		for i := range 64 {
			alice.expect(fmt.Sprintf("flood%d", i), msrp.StatusOK)
		}
		alice.expect("flood65", msrp.StatusOK)
		require.Equal(t, "000 413 Stop Sending", string(alice.next().StatusHeader))
		begun := time.Now()
		alice.expect("flood64", msrp.StatusOK)
		require.Equal(t, 20*time.Second, time.Since(begun))
		for range 65 {
			require.Equal(t, "000 408 Timeout", string(alice.next().StatusHeader))
			require.Equal(t, 30*time.Second, time.Since(begun))
		}
		g.r.Close()
	})
}

// A body of exactly 64 KiB is passed on as it is; one byte more makes two chunks.
func TestWholeFrames(t *testing.T) {
	for size, want := range map[int][]string{
		0: {"1-0/0 $"}, pieceBytes: {"1-65536/65536 $"}, pieceBytes + 1: {"1-65536/65537 +", "65537-65537/65537 $"}, 2 * pieceBytes: {"1-65536/131072 +", "65537-131072/131072 $"},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t, nil)
			alice, bob := g.pair()
			go alice.send("first1", strings.Repeat("x", size))
			for _, chunk := range want {
				f := bob.next()
				require.Equal(t, chunk, fmt.Sprintf("%d-%d/%d %c", f.ByteRange.Start, f.ByteRange.End, f.ByteRange.Total, f.Continuation))
				require.Len(t, f.Body, int(f.ByteRange.End-f.ByteRange.Start+1))
			}
			alice.expect("first1", msrp.StatusOK)
			alice.quiet()
			g.r.Close()
		})
	}
}

// A sender that is lost within a long frame has its message ended for the receiver.
func TestSenderIsLostWithinAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		alice, bob := g.pair()
		wire := wire("long01", "SEND", alice.Remote, alice.Path, strings.Repeat("x", 3*pieceBytes))
		go func() {
			alice.write(wire[:len(wire)-pieceBytes/2])
			alice.Conn.Close()
		}()
		sum := 0
		for {
			f := bob.next()
			sum += len(f.Body)
			require.Equal(t, int64(sum), f.ByteRange.End)
			if f.Continuation != msrp.More {
				require.Equal(t, msrp.Aborted, f.Continuation)
				require.Empty(t, f.Body)
				break
			}
		}
		require.Equal(t, 2*pieceBytes, sum)
		g.r.Close()
	})
}

// A long chunk that is still coming does not keep others from its receiver: theirs stand between its pieces, whose range and order are right.
func TestLongChunkLetsOthersThrough(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		carol := g.client("carol")
		carol.talkTo(bob)
		long := wire("long01", "SEND", carol.Remote, carol.Path, strings.Repeat("x", 4*pieceBytes))
		half := len(long) / 2
		go carol.write(long[:half])
		f := bob.next()
		require.Equal(t, "mlong01", string(f.MessageID))
		require.Equal(t, msrp.More, f.Continuation)
		bob.answer(f, msrp.StatusOK)
		g.serves(alice, bob)
		synctest.Wait() // for the first half to be written
		go carol.write(long[half:])
		end := f.ByteRange.End
		for f.Continuation == msrp.More {
			f = bob.next()
			require.Equal(t, end+1, f.ByteRange.Start)
			end = f.ByteRange.End
			bob.answer(f, msrp.StatusOK)
		}
		require.Equal(t, int64(4*pieceBytes), end)
		carol.expect("long01", msrp.StatusOK)
	})
}
