package sip

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

const (
	outageTime = 5 * time.Minute // a server that failed is the last choice for so long, at most
	maxOutages = 256
)

// failover tries the hops one after the other until one takes the request (RFC 3263 §4.3): try sends it there, with a
// branch of its own, and returns the final response, or nil for an ACK. The next hop's turn comes after an error,
// ErrTimeout too, and after 503 (RFC 3261 §21.5.4). Hops that failed lately come last. When all have failed it returns a 503 if there was one.
func (a *Agent) failover(ctx context.Context, hops []hop, try func(hop) (*gosip.Response, error)) (*gosip.Response, error) {
	var (
		refused *gosip.Response
		errs    []error
		last    committed
	)
	for _, h := range a.outages.order(hops) {
		res, err := try(h)
		unavailable := err == nil && res != nil && res.StatusCode == gosip.StatusServiceUnavailable
		switch {
		case err == nil && !unavailable:
			if res != nil { // that an ACK left proves nothing
				a.outages.forget(h)
			}
			return res, nil
		case errors.As(err, &last):
			return res, last.error
		case ctx.Err() != nil, errors.Is(err, ErrClosed):
			return res, err
		case unavailable:
			refused = res
			wait, _ := retryAfterOf(res)
			a.outages.note(h, wait)
		default:
			errs = append(errs, err)
			a.outages.note(h, outageTime)
		}
	}
	if refused != nil {
		return refused, nil
	}
	return nil, errors.Join(errs...)
}

// committed is an error after which the request must not go to another server.
type committed struct{ error }

// noFailover marks the error of a request that a server has begun to serve: it answered with a provisional response (RFC 3263 §4.3).
func noFailover(err error) error { return committed{err} }

// outages remembers for a while which hops failed, so that not every request waits for a dead server first. Such a hop
// is still tried when no other is left, so nobody who makes us remember one can cut us off. The zero value is empty.
type outages struct {
	mu    sync.Mutex
	until map[hop]time.Time
}

// order returns the hops, those that failed lately last.
func (o *outages) order(hops []hop) []hop {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	var healthy, failed []hop
	for _, h := range hops {
		if o.until[h].After(now) {
			failed = append(failed, h)
		} else {
			healthy = append(healthy, h)
		}
	}
	return append(healthy, failed...)
}

// note remembers a failure for d, and makes room for it where there is none.
func (o *outages) note(h hop, d time.Duration) {
	if d <= 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if _, known := o.until[h]; !known && len(o.until) >= maxOutages {
		maps.DeleteFunc(o.until, func(_ hop, t time.Time) bool { return !t.After(now) })
		for old := range o.until {
			if len(o.until) < maxOutages {
				break
			}
			delete(o.until, old)
		}
	}
	if o.until == nil {
		o.until = make(map[hop]time.Time)
	}
	o.until[h] = now.Add(min(d, outageTime))
}

func (o *outages) forget(h hop) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.until, h)
}

// retryAfterOf is how long the sender of a response wants to be left alone (RFC 3261 §20.33), if it says so.
func retryAfterOf(res *gosip.Response) (d time.Duration, ok bool) {
	value := headerValue(res, "Retry-After")
	if i := strings.IndexAny(value, "(;"); i >= 0 { // a comment, parameters
		value = value[:i]
	}
	return seconds(value)
}
