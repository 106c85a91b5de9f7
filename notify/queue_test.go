package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/notify"
)

// desk is a notifier that keeps what it is notified of, and when, and is as slow as a test wants.
type desk struct {
	mu    sync.Mutex
	start time.Time
	lines []string // "1s title"
	slow  func(ctx context.Context, n notify.Notification) error
}

func newDesk(slow func(context.Context, notify.Notification) error) *desk {
	return &desk{start: time.Now(), slow: slow}
}

func (d *desk) Notify(ctx context.Context, n notify.Notification) error {
	d.mu.Lock()
	d.lines = append(d.lines, fmt.Sprintf("%v %s", time.Since(d.start), n.Title))
	d.mu.Unlock()
	if d.slow == nil {
		return nil
	}
	return d.slow(ctx, n)
}

func (d *desk) shown() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string{}, d.lines...)
}

// takes returns a notifier's slowness: each delivery takes that long, or until its context ends.
func takes(d time.Duration) func(context.Context, notify.Notification) error {
	return func(ctx context.Context, _ notify.Notification) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func queue(t *testing.T, o notify.QueueOptions) *notify.Queue {
	t.Helper()
	q, err := notify.NewQueue(&o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	return q
}

// put notifies of an application's own kind, which is never merged.
func put(t *testing.T, q *notify.Queue, u notify.Urgency, titles ...string) {
	t.Helper()
	for _, title := range titles {
		require.NoError(t, q.Notify(t.Context(), notify.Notification{Urgency: u, Title: title}))
	}
}

// about notifies of the same kind about contact.
func about(t *testing.T, q *notify.Queue, contact string, titles ...string) {
	t.Helper()
	for _, title := range titles {
		require.NoError(t, q.Notify(t.Context(), notify.Notification{Kind: notify.FingerprintChanged, Urgency: notify.Critical, Contact: contact, Title: title}))
	}
}

func TestQueueOptions(t *testing.T) {
	none := notify.Multi()
	for want, o := range map[string]*notify.QueueOptions{
		"notify: QueueOptions.Notifier is required":               {},
		"notify: QueueOptions.Length is not between 0 and 1024":   {Notifier: none, Length: 1025},
		"notify: QueueOptions.Parallel is not between 0 and 1024": {Notifier: none, Parallel: -1},
		"notify: QueueOptions.Timeout is negative":                {Notifier: none, Timeout: -1},
		"notify: QueueOptions.Interval is longer than 1 h":        {Notifier: none, Interval: time.Hour + 1},
	} {
		_, err := notify.NewQueue(o)
		require.EqualError(t, err, want)
	}
	_, err := notify.NewQueue(nil)
	require.EqualError(t, err, "notify: QueueOptions.Notifier is required")
	for _, o := range []notify.QueueOptions{
		{Notifier: none}, {Notifier: none, Length: 1024, Parallel: 1024, Interval: time.Hour}, {Notifier: none, Interval: -1},
	} {
		queue(t, o)
	}
}

// What is urgent goes first, and the rest in order.
func TestQueueOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(takes(time.Second))
		q := queue(t, notify.QueueOptions{Notifier: d})
		put(t, q, notify.Low, "low 1", "low 2")
		put(t, q, notify.Normal, "normal 1", "normal 2")
		put(t, q, notify.Critical, "critical 1", "critical 2")
		put(t, q, notify.Low, "low 3")
		put(t, q, 7, "beyond critical")
		require.NoError(t, q.Shutdown(t.Context()))
		require.Equal(t, []string{
			"0s low 1", "1s beyond critical", "2s critical 1", "3s critical 2", "4s normal 1", "5s normal 2", "6s low 2", "7s low 3",
		}, d.shown())
		require.Equal(t, notify.QueueStats{Delivered: 8}, q.Stats())
	})
}

// The oldest of the least urgent goes, and nobody waits.
func TestQueueDrops(t *testing.T) {
	const l, n, c = notify.Low, notify.Normal, notify.Critical
	for name, test := range map[string]struct {
		in    []notify.Urgency // titled 0, 1, …
		left  string
		stats notify.QueueStats
	}{
		"room":                   {[]notify.Urgency{l, n, c}, "2 1 0", notify.QueueStats{}},
		"the oldest low":         {[]notify.Urgency{l, n, l, c}, "3 1 2", notify.QueueStats{DroppedLow: 1}},
		"the new one is equal":   {[]notify.Urgency{n, n, n, n}, "1 2 3", notify.QueueStats{DroppedNormal: 1}},
		"the new one is least":   {[]notify.Urgency{n, c, n, l}, "1 0 2", notify.QueueStats{DroppedLow: 1}},
		"normal before crit":     {[]notify.Urgency{c, n, c, c, l, n}, "0 2 3", notify.QueueStats{DroppedNormal: 2, DroppedLow: 1}},
		"all critical":           {[]notify.Urgency{c, c, c, c, c}, "2 3 4", notify.QueueStats{DroppedCritical: 2}},
		"low less than low":      {[]notify.Urgency{l, -7, n, c}, "3 2 0", notify.QueueStats{DroppedLow: 1}},
		"critical against flood": {append(append([]notify.Urgency{c}, make([]notify.Urgency, 20)...), c), "0 21 20", notify.QueueStats{DroppedNormal: 19}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(takes(time.Second))
				var log bytes.Buffer
				q := queue(t, notify.QueueOptions{Notifier: d, Length: 3, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				put(t, q, n, "running")
				for i, u := range test.in {
					put(t, q, u, fmt.Sprint(i))
				}
				test.stats.Waiting, test.stats.Running = 3, 1
				require.Equal(t, test.stats, q.Stats())
				dropped := int(test.stats.DroppedLow + test.stats.DroppedNormal + test.stats.DroppedCritical)
				require.Equal(t, dropped, strings.Count(log.String(), `level=WARN msg="notify: too many notifications wait; one is dropped" kind=other urgency=`))
				require.NotContains(t, log.String(), "title")

				require.NoError(t, q.Shutdown(t.Context()))
				var left []string
				for _, line := range d.shown()[1:] {
					left = append(left, strings.Fields(line)[1])
				}
				require.Equal(t, test.left, strings.Join(left, " "))
			})
		})
	}
}

// Of one kind about one contact only the newest waits, at the place of the first.
func TestQueueMerges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(takes(time.Second))
		q := queue(t, notify.QueueOptions{Notifier: d, Length: 5, Interval: -1})
		put(t, q, notify.Low, "running", "own")
		message := notify.Notification{Kind: notify.MessageReceived, Urgency: notify.Normal, Contact: "bob@example.org", Title: "first of Bob"}
		require.NoError(t, q.Notify(t.Context(), message))
		about(t, q, "bob@example.org", "Bob's key")
		about(t, q, "carol@example.org", "Carol's key")
		for i := range 100 {
			message.Urgency, message.Title = notify.Low, fmt.Sprint("more of Bob ", i)
			require.NoError(t, q.Notify(t.Context(), message))
			about(t, q, "bob@example.org", fmt.Sprint("Bob's key ", i))
		}
		put(t, q, notify.Low, "the last place")
		require.Equal(t, notify.QueueStats{Waiting: 5, Running: 1, Merged: 200}, q.Stats())
		require.NoError(t, q.Shutdown(t.Context()))
		require.Equal(t, []string{
			"0s running", "1s Bob's key 99 (+100)", "2s Carol's key", "3s more of Bob 99 (+100)", "4s own", "5s the last place",
		}, d.shown())
	})
}

// An application's own kinds, and what is about nobody, may be different things each time.
func TestQueueMergesNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue(t, notify.QueueOptions{Notifier: newDesk(nil)})
		for range 5 {
			require.NoError(t, q.Notify(t.Context(), notify.Notification{Contact: "bob@example.org"}))
			require.NoError(t, q.Notify(t.Context(), notify.Notification{Kind: notify.ContactsUnavailable}))
		}
		synctest.Wait()
		require.Equal(t, notify.QueueStats{Delivered: 10}, q.Stats())
	})
}

// Each contact has a pace of its own, in whatever order they came.
func TestQueuePaceOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(nil)
		q := queue(t, notify.QueueOptions{Notifier: d})
		contacts := []string{"first@example.org", "second@example.org", "third@example.org"}
		for _, contact := range contacts {
			for range 3 {
				about(t, q, contact, contact)
				synctest.Wait()
			}
			time.Sleep(time.Second)
		}
		for _, i := range []int{1, 0, 2} {
			about(t, q, contacts[i], "again "+contacts[i])
		}
		time.Sleep(time.Minute)
		require.Equal(t, []string{"10s again first@example.org", "11s again second@example.org", "12s again third@example.org"}, d.shown()[9:])
	})
}

// A peer that does the same over and over is told of three times, and then once in each interval. It holds up nobody else.
func TestQueuePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(nil)
		q := queue(t, notify.QueueOptions{Notifier: d, Interval: 9700 * time.Millisecond})
		for i := range 25 {
			about(t, q, "mallory@example.org", fmt.Sprint("M", i))
			if i%10 == 0 {
				about(t, q, "bob@example.org", fmt.Sprint("B", i))
				put(t, q, notify.Low, "own", "own")
			}
			synctest.Wait()
			time.Sleep(time.Second)
		}
		require.Equal(t, notify.QueueStats{Waiting: 1, Delivered: 14, Merged: 19}, q.Stats())
		time.Sleep(time.Minute)
		about(t, q, "mallory@example.org", "M again", "M and again")
		synctest.Wait()
		require.Equal(t, []string{
			"0s M0", "0s B0", "0s own", "0s own", "1s M1", "2s M2", "9.7s M9 (+6)", "10s B10", "10s own", "10s own",
			"19.4s M19 (+9)", "20s B20", "20s own", "20s own", "29.1s M24 (+4)",
			"1m25s M again", "1m25s M and again",
		}, d.shown())
	})
}

// A delivery ends with its time, and a place is left for what is critical.
func TestQueueTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(takes(time.Hour))
		var log bytes.Buffer
		q := queue(t, notify.QueueOptions{Notifier: d, Parallel: 3, Timeout: 5 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		put(t, q, notify.Normal, "N1", "N2", "N3")
		put(t, q, notify.Critical, "C1", "C2")
		require.NoError(t, q.Shutdown(t.Context()))
		require.ElementsMatch(t, []string{"0s N1", "0s N2", "0s C1", "5s C2", "5s N3"}, d.shown())
		require.Equal(t, notify.QueueStats{Failed: 5}, q.Stats())
		require.Equal(t, 5, strings.Count(log.String(), `msg="notify: not delivered" kind=other urgency=`))
		require.Contains(t, log.String(), `error="context deadline exceeded"`)
	})
}

// Nothing that a notifier does ends the queue.
func TestQueueHostileNotifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := newDesk(func(_ context.Context, n notify.Notification) error {
			switch n.Title {
			case "panic":
				panic("with a secret")
			case "exit":
				runtime.Goexit()
			case "error":
				return errors.New(strings.Repeat("x", 1<<20))
			}
			return nil
		})
		q := queue(t, notify.QueueOptions{Notifier: d, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		put(t, q, notify.Normal, "panic", "exit", "error", "good")
		require.NoError(t, q.Shutdown(t.Context()))
		require.Equal(t, notify.QueueStats{Delivered: 1, Failed: 3}, q.Stats())
		require.Contains(t, log.String(), `error="panic with a string"`)
		require.Contains(t, log.String(), `error="the notifier ended its goroutine"`)
		require.NotContains(t, log.String(), "secret")
		require.Less(t, log.Len(), 4<<10)
	})
}

type key struct{}

// A caller may give up, and what it knows stays with it.
func TestQueueContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan error, 1)
		q := queue(t, notify.QueueOptions{Notifier: notify.Func(func(ctx context.Context, _ notify.Notification) error {
			assert.Nil(t, ctx.Value(key{}))
			deadline, ok := ctx.Deadline()
			assert.True(t, ok)
			assert.Equal(t, time.Now().Add(time.Minute), deadline)
			got <- ctx.Err()
			return nil
		})})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "secret"))
		cancel()
		require.NoError(t, q.Notify(ctx, changed))
		require.NoError(t, <-got)
	})
}

// A queue keeps what a peer has chosen within bounds, and passes on all else as it is.
func TestQueueBounds(t *testing.T) {
	huge := strings.Repeat("x", 1<<20)
	var r recorder
	q := queue(t, notify.QueueOptions{Notifier: &r})
	n := ofBob(notify.FingerprintChanged)
	n.Time, n.Text, n.Title, n.Body, n.Spoken, n.Urgency = time.Unix(1, 0), "text", "title", "body", "spoken", notify.Critical
	require.NoError(t, q.Notify(t.Context(), n))
	require.NoError(t, q.Notify(t.Context(), notify.Notification{
		Contact: huge, DisplayName: huge, Fingerprint: huge, Text: huge, Title: huge, Body: huge, Spoken: huge,
	}))
	require.NoError(t, q.Shutdown(t.Context()))
	require.Equal(t, n, r.all[0])
	cut := strings.Repeat("x", 4<<10-len("…")) + "…"
	require.Equal(t, notify.Notification{Contact: cut, DisplayName: cut, Fingerprint: cut, Text: cut, Title: cut, Body: cut, Spoken: cut}, r.all[1])
}

// What an application leaves out of the options is as their comments say.
func TestQueueDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(takes(time.Hour))
		q := queue(t, notify.QueueOptions{Notifier: d})
		put(t, q, notify.Low, make([]string, 1+64+5)...)
		require.Equal(t, notify.QueueStats{Running: 1, Waiting: 64, DroppedLow: 5}, q.Stats())
		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		require.Len(t, d.shown(), 1)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Len(t, d.shown(), 2, "its time was over")
	})
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(nil)
		q := queue(t, notify.QueueOptions{Notifier: d})
		for i := range 5 {
			about(t, q, "bob@example.org", fmt.Sprint(i))
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		require.Equal(t, []string{"0s 0", "0s 1", "0s 2", "10s 4 (+1)"}, d.shown())
	})
}

func TestFilter(t *testing.T) {
	var r recorder
	urgent := notify.Filter(&r, func(n notify.Notification) bool { return n.Urgency > notify.Low })
	require.NoError(t, urgent.Notify(t.Context(), notify.Notification{Urgency: notify.Low}))
	require.NoError(t, urgent.Notify(t.Context(), changed))
	require.Equal(t, []notify.Notification{changed}, r.all)

	failed := errors.New("no daemon")
	fails := notify.Func(func(context.Context, notify.Notification) error { return failed })
	require.ErrorIs(t, notify.Filter(fails, nil).Notify(t.Context(), changed), failed)
	require.NoError(t, notify.Filter(nil, nil).Notify(t.Context(), changed))
}

func BenchmarkQueueNotify(b *testing.B) {
	for name, n := range map[string]notify.Notification{"own": {Title: "x"}, "merged": changed} {
		b.Run(name, func(b *testing.B) {
			hangs := notify.Func(func(ctx context.Context, _ notify.Notification) error { <-ctx.Done(); return nil })
			q, err := notify.NewQueue(&notify.QueueOptions{Notifier: hangs})
			require.NoError(b, err)
			defer q.Close()
			b.ReportAllocs()
			for b.Loop() {
				q.Notify(b.Context(), n)
			}
		})
	}
}
