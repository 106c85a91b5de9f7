package speech

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/notify"
)

// queue has waiters of these urgencies wait for a voice that is taken. Each waiter that gets it adds its place to order and releases it.
func queue(ctx context.Context, voice *turn, urgencies ...notify.Urgency) (order *[]int, errs []error) {
	order, errs = new([]int), make([]error, len(urgencies))
	for i, u := range urgencies {
		go func() {
			if errs[i] = voice.take(ctx, u); errs[i] == nil {
				*order = append(*order, i)
				voice.release()
			}
		}()
		synctest.Wait()
	}
	return order, errs
}

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var voice turn
		require.NoError(t, voice.take(t.Context(), notify.Low))
		order, _ := queue(t.Context(), &voice, notify.Low, notify.Normal, notify.Critical, notify.Low, notify.Critical, notify.Normal)
		assert.Empty(t, *order)
		voice.release()
		synctest.Wait()
		assert.Equal(t, []int{2, 4, 1, 5, 0, 3}, *order)
		require.NoError(t, voice.take(t.Context(), notify.Low), "it is free again")
	})
}

// Of too many the oldest of the least urgent is turned away, be it the new one.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var voice turn
		require.NoError(t, voice.take(t.Context(), notify.Critical))
		const l, n, c = notify.Low, notify.Normal, notify.Critical
		order, errs := queue(t.Context(), &voice, c, l, n, l, c, c, c, c, c, n, l, c, c, c)
		for i, err := range errs {
			switch i {
			case 0, 1, 2, 3, 9, 10:
				require.ErrorIs(t, err, ErrBusy, i)
			default:
				require.NoError(t, err, i)
			}
		}
		assert.Len(t, voice.waiting, maxWaiting)
		voice.release()
		synctest.Wait()
		assert.Equal(t, []int{4, 5, 6, 7, 8, 11, 12, 13}, *order)
	})
}

func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var voice turn
		require.NoError(t, voice.take(t.Context(), notify.Low))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		order, errs := queue(ctx, &voice, notify.Critical, notify.Critical)
		patient, _ := queue(t.Context(), &voice, notify.Low)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.ErrorIs(t, errs[0], context.DeadlineExceeded)
		require.ErrorIs(t, errs[1], context.DeadlineExceeded)
		require.ErrorIs(t, voice.take(ctx, notify.Critical), context.DeadlineExceeded)
		voice.release()
		synctest.Wait()
		assert.Empty(t, *order)
		assert.Equal(t, []int{0}, *patient)
	})
}

// A waiter that is called in the moment in which it gives up passes the voice on.
func TestCalledAndGivenUp(t *testing.T) {
	var voice turn
	require.NoError(t, voice.take(t.Context(), notify.Low))
	first, second := voice.join(notify.Normal), voice.join(notify.Normal)
	voice.release()
	<-first.called
	voice.leave(first)
	<-second.called
	require.NoError(t, second.err)
	voice.release()

	require.NoError(t, voice.take(t.Context(), notify.Low))
	turnedAway := voice.join(notify.Low)
	for range maxWaiting {
		voice.join(notify.Normal)
	}
	require.ErrorIs(t, turnedAway.err, ErrBusy)
	voice.leave(turnedAway)
	assert.Len(t, voice.waiting, maxWaiting, "the voice was never its own to pass on")
}

func TestManyWaiters(t *testing.T) {
	var voice turn
	var speaking, spoke atomic.Int32
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(1000))*time.Microsecond)
			defer cancel()
			if voice.take(ctx, notify.Urgency(i%3-1)) != nil {
				return
			}
			assert.Equal(t, int32(1), speaking.Add(1))
			spoke.Add(1)
			speaking.Add(-1)
			voice.release()
		})
	}
	wg.Wait()
	require.NoError(t, voice.take(t.Context(), notify.Low), "nobody kept the voice")
	assert.Empty(t, voice.waiting)
	t.Log(spoke.Load(), "of 200 got the voice")
}
