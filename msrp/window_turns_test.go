package msrp

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// waitFor has n bytes wait for room in w; the channel is closed when they have it.
func waitFor(ctx context.Context, w *window, n int) <-chan struct{} {
	granted := make(chan struct{})
	go func() {
		if w.acquire(ctx, nil, nil, n) == nil {
			close(granted)
		}
	}()
	synctest.Wait()
	return granted
}

func has(c <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Once the window is full, who waits is let in when a quarter of it is free again: neither for each frame nor only when it is empty.
func TestWindowLetsInByQuarters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w window
		for range windowFrames {
			require.NoError(t, w.acquire(ctx, nil, nil, 1))
		}
		first, second := waitFor(ctx, &w, 1), waitFor(ctx, &w, 1)
		for range windowFrames/4 - 1 {
			w.release(1)
			require.False(t, has(first))
		}
		w.release(1)
		require.True(t, has(first))
		require.True(t, has(second))
	})
}

// A small frame does not overtake a large one for which there is no room yet, and gets its turn when that one gives up.
func TestWindowKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w window
		require.NoError(t, w.acquire(ctx, nil, nil, windowBytes/2))
		within, giveUp := context.WithCancel(ctx)
		waitFor(within, &w, windowBytes)
		small := waitFor(ctx, &w, 1)
		require.False(t, has(small))
		giveUp()
		require.True(t, has(small))
		require.Equal(t, windowBytes/2+1, w.load())
	})
}

// Room in the window that a message has got is given back when it does not get to the connection.
func TestWindowOfAMessageThatGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []int{1, unbrokenBytes + 1} { // whole, and in pieces
			s, _, _ := rawPeer(t, nil) // it does not read
			for range 5 {
				go s.Send(ctx, &Message{ContentType: "a/b", Body: make([]byte, unbrokenBytes), FailureReport: No})
			}
			synctest.Wait()
			short, cancel := context.WithTimeout(ctx, time.Second)
			_, err := s.Send(short, &Message{ContentType: "a/b", Body: make([]byte, size)})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
			require.Zero(t, s.window.load())
			require.Empty(t, s.inflight)
			s.e.Close()
		}
	})
}

// A chunk of 2,048 bytes tells its end, a longer one does not (RFC 4975 section 7.1.1).
func TestRFC4975_7_1_1_EndOfAChunk(t *testing.T) {
	s, _, d := rawPeer(t, nil)
	for size, end := range map[int]int64{interruptible: interruptible, interruptible + 1: Unknown} {
		sendLater(t, s, &Message{ContentType: "a/b", Body: make([]byte, size), FailureReport: No})
		f, body := next(t, d)
		require.Len(t, body, size)
		require.Equal(t, ByteRange{1, end, int64(size)}, f.ByteRange)
	}
}
