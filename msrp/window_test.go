package msrp

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestWindowBounds(t *testing.T) {
	now, cancel := context.WithCancel(ctx)
	cancel()
	for name, c := range map[string]struct{ size, fit int }{
		"frames": {1, windowFrames}, "bytes": {windowBytes / 4, 4}, "one larger than the window": {10 * windowBytes, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var w window
			for range c.fit {
				require.NoError(t, w.acquire(now, nil, nil, c.size))
			}
			require.ErrorIs(t, w.acquire(now, nil, nil, c.size), context.Canceled)
			w.release(c.size)
			require.NoError(t, w.acquire(now, nil, nil, c.size))
		})
	}
}

// Who waits first goes first, and who gives up leaves the others their turn.
func TestWindowTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w window
		require.NoError(t, w.acquire(ctx, nil, nil, windowBytes))
		order := make(chan int, 3)
		giveUp, cancel := context.WithCancel(ctx)
		for i := range 4 {
			within := ctx
			if i == 1 {
				within = giveUp
			}
			go func() {
				if w.acquire(within, nil, nil, windowBytes) == nil {
					order <- i
					w.release(windowBytes)
				}
			}()
			synctest.Wait()
		}
		require.Len(t, w.waiting, 4)
		cancel()
		synctest.Wait()
		w.release(windowBytes)
		synctest.Wait()
		require.Equal(t, []int{0, 2, 3}, []int{<-order, <-order, <-order})
		require.Empty(t, w.waiting)
		require.Zero(t, w.frames)
		require.Zero(t, w.bytes)
	})
}

func TestWindowEndsWithTheSession(t *testing.T) {
	var w window
	done := make(chan struct{})
	require.NoError(t, w.acquire(ctx, done, nil, windowBytes))
	close(done)
	require.ErrorIs(t, w.acquire(ctx, done, nil, 1), ErrClosed)
}

// Room that is granted to a sender that has just given up is not lost.
func TestWindowGrantedAndGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			var w window
			require.NoError(t, w.acquire(ctx, nil, nil, windowBytes))
			within, cancel := context.WithCancel(ctx)
			go func() {
				if w.acquire(within, nil, nil, 1) == nil {
					w.release(1)
				}
			}()
			synctest.Wait()
			cancel()
			w.release(windowBytes)
			synctest.Wait()
			require.Zero(t, w.frames)
			require.Zero(t, w.bytes)
		}
	})
}
