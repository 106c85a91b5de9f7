package iscomposing_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/iscomposing"
)

// shown is a change and when the user interface heard of it.
type shown struct {
	at     time.Duration
	change iscomposing.Change
}

// watch runs in a bubble while a goroutine fetches every change.
func watch(t *testing.T, run func(r *iscomposing.Receiver, at func(time.Duration))) (got []shown) {
	synctest.Test(t, func(t *testing.T) {
		r := iscomposing.NewReceiver()
		fetch(t, r.Next, func(at time.Duration, change iscomposing.Change) { got = append(got, shown{at, change}) }, func(at func(time.Duration)) { run(r, at) })
	})
	return got
}

func is(from string) iscomposing.Change      { return iscomposing.Change{From: from, Active: true} }
func stopped(from string) iscomposing.Change { return iscomposing.Change{From: from} }

func TestRFC3994_3_3_IdleDocument(t *testing.T) {
	got := watch(t, func(r *iscomposing.Receiver, at func(time.Duration)) {
		at(1 * second)
		r.Status("alice", &active60)
		at(5 * second)
		r.Status("alice", &idle)
		at(100 * second)
	})
	assert.Equal(t, []shown{{1 * second, is("alice")}, {5 * second, stopped("alice")}}, got)
}

func TestRFC3994_3_3_ContentMessage(t *testing.T) {
	got := watch(t, func(r *iscomposing.Receiver, at func(time.Duration)) {
		r.Content("bob") // nothing was known of Bob
		r.Status("alice", &active60)
		at(5 * second)
		r.Content("bob")
		at(6 * second)
		r.Content("alice")
		at(100 * second)
	})
	assert.Equal(t, []shown{{0, is("alice")}, {6 * second, stopped("alice")}}, got)
}

func TestRFC3994_3_3_RefreshTimeout(t *testing.T) {
	for _, c := range []struct {
		name    string
		refresh time.Duration
		want    time.Duration
	}{
		{"as told", 90 * second, 90 * second},
		{"not told", 0, 120 * second},
		{"shorter than a sender may", 1 * second, 1 * second},
		{"longer than we take", 100 * time.Hour, iscomposing.MaxRefresh},
		{"nonsense", -second, 120 * second},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := watch(t, func(r *iscomposing.Receiver, at func(time.Duration)) {
				r.Status("", &iscomposing.Document{Active: true, Refresh: c.refresh})
				at(2 * iscomposing.MaxRefresh)
			})
			assert.Equal(t, []shown{{0, is("")}, {c.want, stopped("")}}, got)
		})
	}
}

// The latest document counts, whenever it comes: no change is shown, the timer begins anew.
func TestRFC3994_3_3_ConsecutiveActive(t *testing.T) {
	got := watch(t, func(r *iscomposing.Receiver, at func(time.Duration)) {
		r.Status("alice", &active60)
		for now := time.Duration(0); now < 30*second; now += second {
			at(now)
			r.Status("alice", &active60)
		}
		r.Status("alice", &iscomposing.Document{Active: true}) // no interval: 120 s again
		at(100 * second)
		r.Status("alice", &active60)
		at(1000 * second)
	})
	assert.Equal(t, []shown{{0, is("alice")}, {160 * second, stopped("alice")}}, got)
}

func TestRFC3994_3_3_ActiveAgain(t *testing.T) {
	got := watch(t, func(r *iscomposing.Receiver, at func(time.Duration)) {
		r.Status("alice", &active60)
		at(70 * second)
		r.Status("alice", &active60)
		at(80 * second)
	})
	assert.Equal(t, []shown{{0, is("alice")}, {60 * second, stopped("alice")}, {70 * second, is("alice")}}, got)
}

func TestReceiverManyComposers(t *testing.T) {
	got := watch(t, func(r *iscomposing.Receiver, at func(time.Duration)) {
		r.Status("alice", &active)
		at(1 * second)
		r.Status("bob", &active60)
		at(2 * second)
		r.Status("carol", &iscomposing.Document{Active: true, ContentType: "audio"})
		at(3 * second)
		r.Status("carol", &iscomposing.Document{Active: true, ContentType: "video"})
		at(4 * second)
		r.Content("alice")
		at(1000 * second)
	})
	assert.Equal(t, []shown{
		{0, is("alice")},
		{1 * second, is("bob")},
		{2 * second, iscomposing.Change{From: "carol", Active: true, ContentType: "audio"}},
		{3 * second, iscomposing.Change{From: "carol", Active: true, ContentType: "video"}},
		{4 * second, stopped("alice")},
		{61 * second, stopped("bob")},
		{123 * second, stopped("carol")},
	}, got)
}

// While nobody fetches, changes are merged and come in the order in which they happened.
func TestReceiverMergesWhatIsNotFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := iscomposing.NewReceiver()
		next := func() iscomposing.Change {
			change, err := r.Next(t.Context())
			require.NoError(t, err)
			return change
		}
		r.Status("gone", &active60)
		time.Sleep(60 * second)
		r.Status("sent", &active60)
		r.Content("sent")
		r.Status("first", &active)
		time.Sleep(second)
		r.Status("second", &active60)
		assert.Equal(t, is("first"), next())
		assert.Equal(t, is("second"), next())
		r.Status("first", &idle)
		r.Status("first", &active) // active, as it was shown
		time.Sleep(1000 * second)
		assert.Equal(t, stopped("second"), next())
		assert.Equal(t, stopped("first"), next())
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := r.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// However many names a peer invents, fetched or not, MaxComposers are kept, and none for longer than its time.
func TestMaxComposers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := iscomposing.NewReceiver()
		count := func() (n int) {
			for {
				ctx, cancel := context.WithTimeout(t.Context(), second)
				_, err := r.Next(ctx)
				cancel()
				if err != nil {
					return n
				}
				n++
			}
		}
		flood := func() {
			for i := range 10 * iscomposing.MaxComposers {
				r.Status(fmt.Sprintf("im:%d@example.com", i), &active60)
			}
		}
		flood()
		assert.Equal(t, iscomposing.MaxComposers, count())
		r.Status("im:0@example.com", &active) // one that is known is refreshed
		r.Status("late", &active60)
		assert.Zero(t, count())
		time.Sleep(60 * second)
		assert.Equal(t, iscomposing.MaxComposers-1, count(), "all but the one that was refreshed are idle")
		flood()
		assert.Equal(t, iscomposing.MaxComposers-1, count())
	})
}

// For the race detector: everything at once.
func TestConcurrently(t *testing.T) {
	s, err := iscomposing.NewSender(nil)
	require.NoError(t, err)
	r := iscomposing.NewReceiver()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if doc, err := s.Next(ctx); err == nil {
				r.Status("alice", doc)
			}
		}
	})
	wg.Go(func() {
		for ctx.Err() == nil {
			_, _ = r.Next(ctx)
		}
	})
	for range 4 {
		wg.Go(func() {
			for range 200 {
				s.Composing()
				r.Status("bob", &active)
				s.ContentSent()
				r.Content("alice")
			}
		})
	}
	cancel()
	wg.Wait()
}
