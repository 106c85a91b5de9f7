package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"time"

	"github.com/otrchat/otrchat/notify/internal/plain"
)

// ErrClosed says that a Queue takes nothing more. It wraps net.ErrClosed.
var ErrClosed = fmt.Errorf("notify: closed: %w", net.ErrClosed)

// Bounds of QueueOptions.
const (
	maxLength   = 1 << 10
	maxParallel = 1 << 10
)

// QueueOptions set up a [Queue].
type QueueOptions struct {
	// Notifier is who delivers. Required.
	Notifier Notifier
	// Length is how many notifications may wait, at most 1,024. Default: 64.
	Length int
	// Parallel is how many deliveries may run at a time, at most 1,024. From 2 on, the last free place is kept for critical notifications.
	// Default: 1.
	Parallel int
	// Timeout is how long one delivery may take; then its context ends. Default: 1 min.
	Timeout time.Duration
	// Interval paces notifications of the same Topic: three are delivered as they come, and from then on one in each Interval, at most 1 h. Negative: no
	// pace is kept. Default: 10 s.
	Interval time.Duration
	// Logger is told what was dropped and what could not be delivered, by kind and not by text. Default: nothing is logged.
	Logger *slog.Logger
}

func (o *QueueOptions) withDefaults() (QueueOptions, error) {
	if o == nil || o.Notifier == nil {
		return QueueOptions{}, errors.New("notify: QueueOptions.Notifier is required")
	}
	r := *o
	switch {
	case r.Length < 0 || r.Length > maxLength:
		return r, fmt.Errorf("notify: QueueOptions.Length is not between 0 and %d", maxLength)
	case r.Parallel < 0 || r.Parallel > maxParallel:
		return r, fmt.Errorf("notify: QueueOptions.Parallel is not between 0 and %d", maxParallel)
	case r.Timeout < 0:
		return r, errors.New("notify: QueueOptions.Timeout is negative")
	case r.Interval > time.Hour:
		return r, errors.New("notify: QueueOptions.Interval is longer than 1 h")
	}
	r.Length = cmp.Or(r.Length, 64)
	r.Parallel = cmp.Or(r.Parallel, 1)
	r.Timeout = cmp.Or(r.Timeout, time.Minute)
	r.Interval = cmp.Or(r.Interval, 10*time.Second)
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	return r, nil
}

// Queue is a [Notifier] that never keeps its caller waiting: it takes a notification and delivers it in the background, the most urgent first, and
// among equals the oldest. When more than QueueOptions.Length wait, the oldest of the least urgent is dropped, perhaps the new one; so a critical
// notification is dropped only where all that wait are critical.
//
// Of each [Notification.Topic] a single notification waits. A newer one takes its place, as urgent as the more urgent of them, and its title tells
// how many it stands for besides itself, as in "New key of bob@example.org (+3)". So a peer that does the same thing over and over takes one place of many,
// and QueueOptions.Interval keeps it from filling the person's screen. Neither holds for notifications without a Topic.
//
// A notifier that fails, panics or takes too long holds up no caller; one that ignores its context keeps its place until it returns.
//
// It is safe for concurrent use. While there is nothing to deliver it has no goroutines.
type Queue struct {
	o       QueueOptions
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	idle    chan struct{} // closed when Shutdown has nothing more to wait for
	drained func()        // closes idle

	mu       sync.Mutex
	backlog  backlog
	timer    *time.Timer // starts what came too soon
	draining bool        // Shutdown or Close has been called
	stats    QueueStats  // but for Waiting
}

// QueueStats tells what became of the notifications that a Queue has taken. Each is in one of the numbers.
type QueueStats struct {
	Waiting   int    // to be delivered
	Running   int    // being delivered
	Delivered uint64 // without an error
	Failed    uint64 // with an error
	Merged    uint64 // a newer one of the same Topic took the place
	// Dropped, for want of room or by Close: up to Low, in between, and from Critical on.
	DroppedLow, DroppedNormal, DroppedCritical uint64
}

// NewQueue checks o and makes a Queue. The error names the option that is wrong.
func NewQueue(o *QueueOptions) (*Queue, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	q := &Queue{o: opts, backlog: backlog{pace: pace{interval: opts.Interval}}, idle: make(chan struct{})}
	q.drained = sync.OnceFunc(func() { close(q.idle) })
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q, nil
}

// Notify takes n and returns at once; Stats and QueueOptions.Logger tell what became of it. Each text is cut to 4,096 bytes. Nothing of ctx reaches
// the delivery, which goes on when the caller has given up. The error is ErrClosed after Shutdown or Close, else nil.
func (q *Queue) Notify(ctx context.Context, n Notification) error {
	for _, text := range []*string{&n.Contact, &n.DisplayName, &n.Fingerprint, &n.Text, &n.Title, &n.Body, &n.Spoken} {
		*text = plain.Cut(*text, maxFilled)
	}
	dropped, err := q.add(n)
	if dropped != nil {
		q.o.Logger.Warn("notify: too many notifications wait; one is dropped", "kind", dropped.Kind.String(), "urgency", dropped.Urgency.String())
	}
	return err
}

func (q *Queue) add(n Notification) (dropped *item, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.draining {
		return nil, ErrClosed
	}
	if q.backlog.add(n) {
		q.stats.Merged++
	}
	q.start()
	if len(q.backlog.items) > q.o.Length {
		i := q.backlog.drop()
		q.countDropped(i.Urgency)
		dropped = &i
	}
	return dropped, nil
}

func (q *Queue) countDropped(u Urgency) {
	switch {
	case u <= Low:
		q.stats.DroppedLow++
	case u < Critical:
		q.stats.DroppedNormal++
	default:
		q.stats.DroppedCritical++
	}
}

// start, under mu, begins the deliveries for which there is a place.
func (q *Queue) start() {
	for q.stats.Running < q.o.Parallel {
		from := Urgency(math.MinInt)
		if q.o.Parallel > 1 && q.stats.Running == q.o.Parallel-1 {
			from = Critical
		}
		i, wait, ok := q.backlog.take(time.Now(), from, !q.draining)
		if !ok {
			q.startIn(wait)
			break
		}
		q.stats.Running++
		go q.deliver(i)
	}
	if q.draining && q.ctx.Err() == nil && q.stats.Running == 0 && len(q.backlog.items) == 0 {
		q.drained()
	}
}

// startIn, under mu, comes back to start when the first notification that came too soon is due.
func (q *Queue) startIn(wait time.Duration) {
	if q.timer != nil {
		q.timer.Stop()
	}
	if wait > 0 {
		q.timer = time.AfterFunc(wait, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.start()
		})
	}
}

var errGone = errors.New("the notifier ended its goroutine")

// deliver is a goroutine of its own for each delivery.
func (q *Queue) deliver(i item) {
	ctx, cancel := context.WithTimeout(q.ctx, q.o.Timeout)
	defer cancel()
	err := errGone // stays for one that calls runtime.Goexit
	defer func() { q.delivered(i, err) }()
	err = try(ctx, q.o.Notifier, i.notification())
}

func (q *Queue) delivered(i item, err error) {
	if err != nil && q.ctx.Err() == nil {
		q.o.Logger.Warn("notify: not delivered", "kind", i.Kind.String(), "urgency", i.Urgency.String(), "error", plain.Cut(err.Error(), maxLogged))
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Running--
	if err != nil {
		q.stats.Failed++
	} else {
		q.stats.Delivered++
	}
	q.start()
}

// Stats counts what became of the notifications so far.
func (q *Queue) Stats() QueueStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Waiting = len(q.backlog.items)
	return s
}

// Shutdown takes nothing more, delivers what waits without regard to QueueOptions.Interval, and closes when that is done. The error is ctx's if it ends
// first, or ErrClosed if Close comes first; the Queue is closed in any case. On a closed Queue it does nothing. The notifier itself must not call it: it
// would wait for itself.
func (q *Queue) Shutdown(ctx context.Context) error {
	if q.ctx.Err() != nil {
		return nil
	}
	q.mu.Lock()
	q.draining = true
	q.start()
	q.mu.Unlock()
	defer q.Close()
	var err error
	select {
	case <-q.idle:
	case <-q.ctx.Done():
		err = ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	select {
	case <-q.idle: // whatever else came at the same time
		return nil
	default:
		return err
	}
}

// Close ends the contexts of the deliveries under way and drops what waits. It waits for no notifier: after it returns no goroutine of the Queue runs, but
// for those of notifiers that have not returned yet. It is idempotent and safe from any goroutine, and returns nil.
func (q *Queue) Close() error {
	q.mu.Lock()
	lost := q.backlog.items
	q.backlog.items = nil
	q.draining = true
	for _, i := range lost {
		q.countDropped(i.Urgency)
	}
	q.startIn(0)
	q.cancel()
	q.mu.Unlock()
	if len(lost) > 0 {
		q.o.Logger.Warn("notify: notifications are dropped, the queue was closed", "count", len(lost))
	}
	return nil
}

// Done is closed when the Queue is.
func (q *Queue) Done() <-chan struct{} { return q.ctx.Done() }

// Err is nil until the Queue is closed, then ErrClosed.
func (q *Queue) Err() error {
	if q.ctx.Err() != nil {
		return ErrClosed
	}
	return nil
}
