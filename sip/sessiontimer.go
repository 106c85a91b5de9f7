package sip

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// Bounds of session intervals (RFC 4028).
const (
	minSession   = 90 * time.Second // the least Min-SE
	maxSession   = 24 * time.Hour   // a Min-SE beyond it is not followed
	refreshPause = 10 * time.Second // between two attempts to refresh, at least
)

// A sessionTimer is what a 2xx to an INVITE or UPDATE says of the session timer.
type sessionTimer struct {
	interval  time.Duration // 0 for none
	refresher string        // the side of this request that sends the refreshes: "uac" or "uas"
}

// answerTimer is the session timer in our 2xx to a request (RFC 4028 §9).
func (a *Agent) answerTimer(req *gosip.Request) (sessionTimer, *refusal) {
	if a.opts.SessionExpires < 0 {
		return sessionTimer{}, nil
	}
	asked := timerIn(req)
	known := supports(req, "timer")
	if known && asked.interval > 0 && asked.interval < minSession {
		return sessionTimer{}, &refusal{422, "Session Interval Too Small", []gosip.Header{header("Min-SE", inSeconds(minSession))}}
	}
	t := sessionTimer{interval: a.opts.SessionExpires, refresher: asked.refresher}
	if asked.interval > 0 {
		t.interval = min(t.interval, asked.interval)
	}
	t.interval = max(t.interval, minSE(req), minSession)
	switch {
	case !known: // it cannot refresh, so we do (RFC 4028 table 2)
		t.refresher = "uas"
	case t.refresher == "":
		t.refresher = "uac"
	}
	return t, nil
}

// headers say it in the 2xx to req.
func (t sessionTimer) headers(req *gosip.Request) []gosip.Header {
	if t.interval == 0 {
		return nil
	}
	hs := []gosip.Header{header("Session-Expires", inSeconds(t.interval)+";refresher="+t.refresher)}
	if supports(req, "timer") {
		hs = append(hs, header("Require", "timer"))
	}
	return hs
}

// timerIn reads Session-Expires, x for short. What breaks the grammar counts as absent.
func timerIn(m message) (t sessionTimer) {
	value, params, _ := strings.Cut(cmp.Or(headerValue(m, "Session-Expires"), headerValue(m, "x")), ";")
	t.interval, _ = seconds(value)
	for p := range strings.SplitSeq(strings.ToLower(params), ";") {
		k, v, _ := strings.Cut(p, "=")
		if v = strings.TrimSpace(v); strings.TrimSpace(k) == "refresher" && (v == "uac" || v == "uas") {
			t.refresher = v
		}
	}
	return t
}

// minSE reads Min-SE (RFC 4028 §5), 0 where there is none that we follow: a peer that has vanished must be found one day.
func minSE(m message) time.Duration {
	value, _, _ := strings.Cut(headerValue(m, "Min-SE"), ";")
	d, _ := seconds(value)
	if d > maxSession {
		return 0
	}
	return d
}

func inSeconds(d time.Duration) string { return strconv.Itoa(int((d + time.Second - 1) / time.Second)) }

// tooShort returns the interval that a 422 demands, if it is more than ours was and not beyond reason (RFC 4028 §7.3).
func tooShort(res *gosip.Response, was time.Duration) (floor time.Duration, ok bool) {
	floor = minSE(res)
	return floor, res.StatusCode == 422 && floor > max(was, minSession)
}

// timerOffer asks for a session timer in an INVITE or UPDATE (RFC 4028 §7.1, §7.4). now is the timer that runs, with the zero
// value before the first; floor is the largest Min-SE that was heard of.
func (a *Agent) timerOffer(now sessionTimer, floor time.Duration) []gosip.Header {
	if a.opts.SessionExpires < 0 {
		return nil
	}
	if now.interval == 0 {
		now.interval = a.opts.SessionExpires
	}
	value := inSeconds(max(now.interval, floor))
	if now.refresher != "" {
		value += ";refresher=" + now.refresher
	}
	hs := []gosip.Header{header("Session-Expires", value)}
	if floor > 0 {
		hs = append(hs, header("Min-SE", inSeconds(floor)))
	}
	return hs
}

// timerOffer is called with c.mu held.
func (c *Call) timerOffer() []gosip.Header {
	now := sessionTimer{interval: c.interval}
	switch {
	case c.interval == 0:
	case c.refreshes:
		now.refresher = "uac"
	default:
		now.refresher = "uas"
	}
	return c.agent.timerOffer(now, c.floor)
}

// note remembers what a request or a 2xx of the peer's says of refreshes. It is called with c.mu held.
func (c *Call) note(m message) {
	if methods := listed(m, "Allow"); len(methods) > 0 {
		c.updates = slices.Contains(methods, "update")
	}
	if floor := minSE(m); floor > c.floor {
		c.floor = floor
	}
}

// timerAnswered takes the 2xx to an INVITE or UPDATE of ours. A peer that does not know session timers has nothing to do with ours: we
// refresh, and so learn that it is gone (RFC 4028 §7.2). It is called with c.mu held.
func (c *Call) timerAnswered(res *gosip.Response) {
	c.note(res)
	if c.agent.opts.SessionExpires < 0 {
		return
	}
	t := timerIn(res)
	if t.interval == 0 {
		t = sessionTimer{interval: max(c.agent.opts.SessionExpires, c.floor)}
	}
	c.startTimer(min(max(t.interval, minSession), maxSession), t.refresher != "uas")
}

// startTimer starts the session timer, again with each refresh. refreshes says that this side sends them, after half the interval;
// the other one hangs up where none has come shortly before its end (RFC 4028 §10). It is called with c.mu held.
func (c *Call) startTimer(interval time.Duration, refreshes bool) {
	c.stopTimer()
	if interval == 0 || c.over {
		return
	}
	c.interval, c.refreshes = interval, refreshes
	end := interval - min(32*time.Second, interval/3)
	deadline, round := time.Now().Add(end), c.round
	wait, f := end, func() { c.hangUp(ErrTimeout) }
	if refreshes {
		wait, f = interval/2, func() { c.refresh(round, deadline) }
	}
	c.timer = time.AfterFunc(wait, func() {
		if c.isRound(round) {
			c.agent.task(f)
		}
	})
}

// stopTimer is called with c.mu held.
func (c *Call) stopTimer() {
	c.round++
	if c.timer != nil {
		c.timer.Stop()
	}
}

// isRound reports whether no refresh has come since the session timer was started for the given time.
func (c *Call) isRound(n uint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.round == n
}

// refresh refreshes the session, which starts the timer again, and hangs up where that cannot be done until the deadline.
func (c *Call) refresh(round uint, deadline time.Time) {
	ctx, cancel := context.WithDeadline(c.agent.life, deadline)
	defer cancel()
	for c.isRound(round) {
		if c.refreshOnce(ctx) == nil {
			return
		}
		select {
		case <-time.After(max(refreshPause, time.Until(deadline)/2)):
		case <-c.done:
			return
		case <-ctx.Done():
			if c.isRound(round) {
				c.hangUp(ErrTimeout)
			}
			return
		}
	}
}

// refreshOnce sends UPDATE where the peer takes that, else an INVITE that offers the session as it is (RFC 4028 §7.4).
func (c *Call) refreshOnce(ctx context.Context) error {
	c.mu.Lock()
	updates := c.updates
	c.mu.Unlock()
	if updates {
		err := c.update(ctx)
		var status *StatusError
		if !errors.As(err, &status) || status.Code != gosip.StatusMethodNotAllowed && status.Code != gosip.StatusNotImplemented {
			return err
		}
		c.mu.Lock()
		c.updates = false
		c.mu.Unlock()
	}
	return c.renegotiate(ctx, func(s session) (session, error) { return s, nil })
}

// update sends an UPDATE without an offer (RFC 3311 §5.1).
func (c *Call) update(ctx context.Context) error {
	for n := 1; ; n++ {
		c.mu.Lock()
		hs := append(c.agent.capabilities(), c.timerOffer()...)
		c.mu.Unlock()
		res, err := c.exchange(ctx, gosip.UPDATE, hs...)
		switch {
		case err != nil:
			return c.lost(err)
		case res.IsSuccess() && !isClean(res):
			return errMalformed
		case res.IsSuccess():
			c.mu.Lock()
			defer c.mu.Unlock()
			c.refreshTarget(res)
			c.timerAnswered(res)
			return nil
		case n == maxAttempts || !c.raise(res):
			return c.lost(statusError(res))
		}
	}
}

// raise takes a 422 and reports whether it is worth asking for more.
func (c *Call) raise(res *gosip.Response) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	floor, ok := tooShort(res, max(c.interval, c.floor))
	if ok {
		c.floor = floor
	}
	return ok
}

// lost hangs up where err says that the peer knows nothing of the call, or does not answer (RFC 3261 §12.2.1.2).
func (c *Call) lost(err error) error {
	var status *StatusError
	gone := errors.As(err, &status) && (status.Code == gosip.StatusCallTransactionDoesNotExists || status.Code == gosip.StatusRequestTimeout)
	if gone || errors.Is(err, ErrTimeout) {
		c.hangUp(err)
	}
	return err
}
