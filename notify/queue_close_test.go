package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/notify"
)

// Shutdown delivers what waits, also what came too soon.
func TestQueueShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(takes(time.Second))
		q := queue(t, notify.QueueOptions{Notifier: d, Interval: time.Hour})
		for i := range 6 {
			about(t, q, "bob@example.org", fmt.Sprint(i))
			time.Sleep(2 * time.Second)
		}
		require.Len(t, d.shown(), 3)
		require.NoError(t, q.Err())
		require.NoError(t, q.Shutdown(t.Context()))
		require.Equal(t, []string{"0s 0", "2s 1", "4s 2", "12s 5 (+2)"}, d.shown())
		require.Equal(t, 13*time.Second, time.Since(d.start))
		<-q.Done()
		require.ErrorIs(t, q.Err(), notify.ErrClosed)
		require.ErrorIs(t, q.Notify(t.Context(), changed), net.ErrClosed)
		require.NoError(t, q.Shutdown(t.Context()))
		require.NoError(t, q.Close())
		require.Equal(t, notify.QueueStats{Delivered: 4, Merged: 2}, q.Stats())
	})
}

// Any number may wait for the end.
func TestQueueShutdownTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 {
			require.NoError(t, queue(t, notify.QueueOptions{Notifier: newDesk(nil)}).Shutdown(ended), "nothing to wait for")
		}
		q := queue(t, notify.QueueOptions{Notifier: newDesk(takes(time.Second))})
		put(t, q, notify.Normal, "one", "two")
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() { assert.NoError(t, q.Shutdown(t.Context())) })
		}
		wg.Wait()
		require.EqualValues(t, 2, q.Stats().Delivered)
	})
}

// A Shutdown that takes too long, or is overtaken by Close, says so; meanwhile nothing is taken.
func TestQueueShutdownIsCutShort(t *testing.T) {
	for name, test := range map[string]struct {
		cut  func(q *notify.Queue, cancel func())
		want error
	}{
		"context": {func(_ *notify.Queue, cancel func()) { cancel() }, context.Canceled},
		"Close":   {func(q *notify.Queue, _ func()) { assert.NoError(t, q.Close()) }, notify.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(takes(time.Hour))
				q := queue(t, notify.QueueOptions{Notifier: d, Timeout: time.Hour})
				put(t, q, notify.Critical, "running", "waiting")
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(time.Minute, func() {
					assert.ErrorIs(t, q.Notify(t.Context(), changed), notify.ErrClosed)
					test.cut(q, cancel)
				})
				require.ErrorIs(t, q.Shutdown(ctx), test.want)
				require.Equal(t, time.Minute, time.Since(d.start))
				synctest.Wait()
				require.Equal(t, notify.QueueStats{Failed: 1, DroppedCritical: 1}, q.Stats())
			})
		})
	}
}

// Close waits for nobody and leaves nothing behind, whatever the queue is doing.
func TestQueueClose(t *testing.T) {
	for name, test := range map[string]struct {
		before func(t *testing.T, q *notify.Queue)
		want   notify.QueueStats
	}{
		"unused":  {func(*testing.T, *notify.Queue) {}, notify.QueueStats{}},
		"idle":    {func(t *testing.T, q *notify.Queue) { put(t, q, notify.Low, "good") }, notify.QueueStats{Delivered: 1}},
		"running": {func(t *testing.T, q *notify.Queue) { put(t, q, notify.Low, "slow") }, notify.QueueStats{Failed: 1}},
		"waiting": {func(t *testing.T, q *notify.Queue) { put(t, q, notify.Low, "slow", "good", "good") }, notify.QueueStats{Failed: 1, DroppedLow: 2}},
		"too soon": {func(t *testing.T, q *notify.Queue) {
			about(t, q, "bob@example.org", "slow", "good", "good", "good", "good")
		}, notify.QueueStats{Failed: 1, Merged: 3, DroppedCritical: 1}},
		"held back": {func(t *testing.T, q *notify.Queue) {
			for range 5 {
				about(t, q, "bob@example.org", "good")
				synctest.Wait()
			}
		}, notify.QueueStats{Delivered: 3, Merged: 1, DroppedCritical: 1}},
		"closes itself": {func(t *testing.T, q *notify.Queue) {
			put(t, q, notify.Normal, "close", "good")
			time.Sleep(time.Second)
		}, notify.QueueStats{Delivered: 1, DroppedNormal: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var q *notify.Queue
				d := newDesk(func(ctx context.Context, n notify.Notification) error {
					switch n.Title {
					case "slow":
						<-ctx.Done()
						return ctx.Err()
					case "close":
						time.Sleep(time.Second)
						return q.Close()
					}
					return nil
				})
				q = queue(t, notify.QueueOptions{Notifier: d})
				test.before(t, q)
				synctest.Wait()
				for range 2 {
					require.NoError(t, q.Close())
				}
				<-q.Done()
				synctest.Wait()
				require.Equal(t, test.want, q.Stats())
				shown := d.shown()
				time.Sleep(time.Hour)
				require.Equal(t, shown, d.shown(), "nothing comes after Close")
			})
		})
	}
}

// A notifier that ignores its context keeps no Close waiting.
func TestQueueCloseDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d := newDesk(func(context.Context, notify.Notification) error { <-release; return errors.New("too late") })
		var log bytes.Buffer
		q := queue(t, notify.QueueOptions{Notifier: d, Timeout: time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		put(t, q, notify.Critical, "hangs", "waits")
		time.Sleep(time.Minute)
		require.Equal(t, notify.QueueStats{Waiting: 1, Running: 1}, q.Stats(), "it keeps its place")
		require.NoError(t, q.Close())
		require.Equal(t, time.Minute, time.Since(d.start))
		close(release)
		synctest.Wait()
		require.Equal(t, notify.QueueStats{Failed: 1, DroppedCritical: 1}, q.Stats())
		require.Contains(t, log.String(), `msg="notify: notifications are dropped, the queue was closed" count=1`)
		require.NotContains(t, log.String(), "too late", "the log may be gone by then")
	})
}

// Whatever comes from many goroutines is in exactly one of the numbers, and what is critical is not lost to what is not.
func TestQueueFromManyGoroutines(t *testing.T) {
	const callers, each = 32, 60
	var r recorder
	q := queue(t, notify.QueueOptions{Notifier: &r, Length: callers * 2, Parallel: 4, Interval: -1})
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range each {
				n := notify.Notification{Kind: notify.Kind(j % 3), Urgency: notify.Urgency(j%3 - 1), Contact: fmt.Sprint(i), Title: "x"}
				assert.NoError(t, q.Notify(t.Context(), n))
				q.Stats()
			}
		})
	}
	wg.Wait()
	require.NoError(t, q.Shutdown(t.Context()))
	s := q.Stats()
	assert.EqualValues(t, callers*each, s.Delivered+s.Merged+s.DroppedLow+s.DroppedNormal+s.DroppedCritical)
	assert.Zero(t, s.DroppedCritical)
	assert.EqualValues(t, len(r.all), s.Delivered)
	assert.Zero(t, s.Waiting+s.Running)
}

// Close at any moment leaves nothing unaccounted for.
func TestQueueCloseAtAnyMoment(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			q := queue(t, notify.QueueOptions{Notifier: &recorder{}, Parallel: 3})
			var wg sync.WaitGroup
			var taken atomic.Uint64
			for range 4 {
				wg.Go(func() {
					for q.Notify(t.Context(), notify.Notification{}) == nil {
						if taken.Add(1) == 20 {
							assert.NoError(t, q.Close())
						}
					}
				})
			}
			wg.Wait()
			synctest.Wait() // the last deliveries
			s := q.Stats()
			require.Equal(t, taken.Load(), s.Delivered+s.Failed+s.DroppedNormal)
			require.Zero(t, s.Waiting+s.Running)
		})
	}
}
