package msrp

import (
	"net"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
	"github.com/stretchr/testify/require"
)

// Two that queue as fast as they may take turns, also on one processor, where who has queued last would always be woken first.
func TestWaitingTakesTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		var w *writer
		w = newWriter(ours, false, func() { go w.run() })
		for _, name := range "ab" {
			go func() {
				for w.wait(ctx, nil, 0) == nil {
					w.push(append(buffer.New(buffer.Tiny), byte(name)))
				}
			}()
		}
		passes := map[byte]int{}
		for range 100 {
			synctest.Wait()
			var one [1]byte
			_, err := theirs.Read(one[:])
			require.NoError(t, err)
			passes[one[0]]++
		}
		require.InDelta(t, passes['a'], passes['b'], 2)
		w.close()
		theirs.Close()
	})
}
