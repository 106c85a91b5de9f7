package sip

import (
	"context"
	"math/rand/v2"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// maxGlare is how long a peer may ask us to wait for an INVITE of its own (RFC 3261 §14.2).
const maxGlare = 10 * time.Second

// Reinvite offers the peer to change the MSRP session (RFC 3261 §14.1): to move it to another path, to hold it, to take other types.
// Local and Remote are the new ones when it returns. With the path of Local the connection stays, with its roles where offer.Setup is
// absent; another path means a new connection. A peer's INVITE that crosses ours makes both wait and try again.
//
// An error changes nothing, with two exceptions. The call is over where the peer knows nothing of it or does not answer. And when ctx
// ends first the INVITE is canceled in the background; a peer that has taken it all the same has changed the session, which Changed
// tells. The error is a *StatusError for what the peer answered, ErrMedia for an offer that cannot be sent or an answer that does not fit,
// ErrTimeout, Err's once the call is over, or that of ctx or the transport.
func (c *Call) Reinvite(ctx context.Context, offer *Media) error {
	offer = offer.clone()
	change := func(s session) (session, error) { return s.offer(offer) }
	c.mu.Lock()
	_, err := change(c.session)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	run, giveUp := context.WithCancelCause(c.agent.life)
	stop := context.AfterFunc(ctx, func() { giveUp(context.Cause(ctx)) })
	result := make(chan error, 1)
	if !c.agent.task(func() {
		defer giveUp(nil)
		defer stop()
		err := c.renegotiate(run, change)
		if err != nil && c.isOver() {
			err = c.Err() // which says more
		}
		result <- err
	}) {
		return ErrClosed
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// renegotiate makes an offer of what change makes of the session, and again where it crosses one of the peer's.
func (c *Call) renegotiate(ctx context.Context, change func(session) (session, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.agent.task(func() { // a BYE of either side ends it
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	})
	for n := 1; ; n++ {
		was, err := c.startOffering(ctx)
		if err != nil {
			return err
		}
		next, err := change(was)
		var res *gosip.Response
		if err == nil {
			res, err = c.reinvite(ctx, next, was)
		}
		c.stopOffering()
		switch {
		case err != nil:
			return c.lost(err)
		case res.IsSuccess():
			return nil
		}
		pause, again := c.glare(res)
		if !again || n == maxAttempts {
			return c.lost(statusError(res))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// startOffering waits until no INVITE is in progress, whoever sent it (RFC 3261 §14.1), and returns the session that is to be changed.
func (c *Call) startOffering(ctx context.Context) (session, error) {
	for {
		c.mu.Lock()
		if c.over {
			defer c.mu.Unlock()
			return session{}, c.err
		}
		if !c.offering && !c.answering && c.pending == nil {
			defer c.mu.Unlock()
			c.offering, c.awaits = true, true
			return c.session, nil
		}
		idle := c.idle
		c.mu.Unlock()
		select {
		case <-idle:
		case <-c.done:
		case <-ctx.Done():
			return session{}, ctx.Err()
		}
	}
}

func (c *Call) stopOffering() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offering, c.awaits = false, false
	c.settled()
}

// glare reports whether a refusal says that two INVITEs have crossed, and how long to wait then (RFC 3261 §14.1, §14.2).
func (c *Call) glare(res *gosip.Response) (pause time.Duration, again bool) {
	const unit = 10 * time.Millisecond
	switch {
	case res.StatusCode == gosip.StatusRequestPending && !c.dialog.taken:
		return 2100*time.Millisecond + rand.N[time.Duration](191)*unit, true
	case res.StatusCode == gosip.StatusRequestPending:
		return rand.N[time.Duration](201) * unit, true
	case res.StatusCode == gosip.StatusInternalServerError:
		pause, again = retryAfterOf(res)
		return pause, again && pause <= maxGlare
	}
	return 0, false
}

// reinvite sends an INVITE that offers next in place of was, again with credentials or another session interval where that is wanted,
// and takes the answer of a 2xx.
func (c *Call) reinvite(ctx context.Context, next, was session) (*gosip.Response, error) {
	c.mu.Lock()
	uri, network := c.dialog.nextHop(), c.dialog.network
	c.mu.Unlock()
	hops, err := c.agent.locate(ctx, uri, network)
	if err != nil {
		return nil, err
	}
	answered := make(round)
	for n := 1; ; n++ {
		var (
			invite = c.invite(next.sdp)
			sent   *gosip.Request
			tx     *gosip.ClientTx
		)
		res, err := c.agent.failover(ctx, hops, func(h hop) (res *gosip.Response, err error) {
			sent = invite.Clone()
			c.credentials.sign(sent, h.network)
			if _, err := c.agent.prepare(ctx, sent, h); err != nil {
				return nil, err
			}
			tx, res, err = c.agent.sendInvite(ctx, sent, c.provisional)
			return res, err
		})
		switch {
		case err != nil:
			return nil, err
		case res.IsSuccess():
			defer tx.Terminate() // after the ACK: a 2xx that comes again gets it too
			return res, c.reinviteAccepted(sent, res, next, was)
		case n == maxAttempts || ctx.Err() != nil || !c.raise(res) && !c.credentials.learn(res, answered):
			return res, nil
		}
	}
}

// invite makes the next INVITE of the dialog. What happens to it before the answer need not be reliable.
func (c *Call) invite(sdp []byte) *gosip.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dialog.localSeq++
	req := c.dialog.request(gosip.INVITE, c.dialog.localSeq)
	for _, h := range append(c.agent.capabilities(reliable), c.timerOffer()...) {
		req.AppendHeader(h)
	}
	req.AppendHeader(header("Content-Type", typeSDP))
	req.SetBody(sdp)
	return req
}

// provisional takes a 1xx to an INVITE within the dialog.
func (c *Call) provisional(res *gosip.Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, focus, ok := contact(res); ok && isClean(res) {
		c.setFocus(focus)
	}
}

// reinviteAccepted takes the answer in the 2xx to an INVITE within the dialog, and acknowledges it: from the ACK on the peer may offer
// something itself.
func (c *Call) reinviteAccepted(invite *gosip.Request, res *gosip.Response, next, was session) error {
	if !isClean(res) {
		c.hangUp(errMalformed)
		return errMalformed
	}
	next, err := next.answered(res, was)
	c.mu.Lock()
	c.awaits = false
	c.refreshTarget(res)
	if err == nil {
		c.setSession(next)
		c.timerAnswered(res)
	}
	c.mu.Unlock()
	if unsent := c.sendACK(invite, res); err == nil {
		err = unsent
	}
	if err != nil {
		c.hangUp(err)
	}
	return err
}
