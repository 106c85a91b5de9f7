package msrp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// keep renews the URIs of a Relay before they expire, and ends it when one has.
func (r *Relay) keep() {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		l := r.next()
		if l == nil {
			return
		}
		t.Reset(time.Until(l.due))
		select {
		case <-r.ended.Done():
			return
		case <-t.C:
		}
		if !time.Now().Before(l.until) {
			r.end(l.expired())
			return
		}
		r.renew(l)
	}
}

// next is the lease that has to be looked after first, nil if none has to.
func (r *Relay) next() (next *lease) {
	for _, l := range r.leases {
		if !l.due.IsZero() && (next == nil || l.due.Before(next.due)) {
			next = l
		}
	}
	return next
}

// errOtherURI says that a relay gave another URI in place of the one that was to be renewed, which is in our SDP.
var errOtherURI = errors.New("msrp: the relay renews no URI")

// renew asks for more time at the URI itself, as AG Projects' relay wants it. A relay that gives a new URI there, or knows it not, is asked at its
// own URI, now and from then on.
func (r *Relay) renew(l *lease) {
	ctx, cancel := context.WithDeadline(r.ended, l.until)
	defer cancel()
	path, until, err := r.authenticate(ctx, l, l.target)
	if err == nil && !path.Equal(l.path) {
		err = errOtherURI
	}
	switch {
	case err == nil:
		l.extend(until)
		return
	case !isFinal(err):
		l.due = time.Now().Add(max(time.Until(l.until)/4, time.Second)) // with time left for more
	case isUnauthorized(err) && !isUnauthorized(l.failed): // the relay may have had enough of somebody else behind our address
		l.due = time.Now().Add(time.Until(l.until) / 2)
	case l.target != l.o.uri && !isUnauthorized(err):
		l.target, l.due = l.o.uri, time.Now()
	default:
		l.due = l.until // it is good until then
	}
	l.failed = err
	if l.due.After(l.until) {
		l.due = l.until
	}
	if r.Err() == nil {
		r.e.o.Logger.Warn("msrp: renewing a relay's URI", "error", err)
	}
}

// extend notes until when the URI is good. It is renewed when 60 to 75 % of the time has passed: not by all clients of a relay at once.
func (l *lease) extend(until time.Time) {
	l.until, l.due, l.failed = until, time.Time{}, nil
	if !until.IsZero() {
		left := max(0, time.Until(until)) // an answer may take longer than its time
		l.due = until.Add(-left/4 - rand.N(left/100*15+1))
	}
}

func (l *lease) expired() error {
	if l.failed == nil {
		return ErrExpired // its time was over before we heard of it
	}
	return fmt.Errorf("%w: %w", ErrExpired, l.failed)
}

// isUnauthorized tells whether a relay refused our credentials.
func isUnauthorized(err error) bool {
	var refused *StatusError
	return errors.As(err, &refused) && (refused.Code == StatusUnauthorized || refused.Code == StatusForbidden)
}

// isFinal tells whether an AUTH that failed would fail again, now or with another relay of the domain: not what the network does, nor a fault of the relay's own.
func isFinal(err error) bool {
	var refused *StatusError
	if errors.As(err, &refused) {
		return refused.Code < 500 && refused.Code != StatusTimeout
	}
	return errors.Is(err, ErrMalformed) || errors.Is(err, ErrRspauth) || errors.Is(err, ErrInsecure) || errors.Is(err, errOtherURI)
}
