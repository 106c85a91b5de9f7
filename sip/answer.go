package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	gosip "github.com/emiago/sipgo/sip"
)

// Ring sends 180 Ringing, with our Contact (RFC 3261 §13.3.1.1). It may be called again.
//
// A caller that requires reliable provisional responses gets it again until it has acknowledged it, and the invitation ends
// with ErrTimeout when it never does (RFC 3262 §3). One that requires them and leaves the offer to us hears nothing before Answer: such a
// response would have to carry our side of the session.
func (i *Invitation) Ring(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := i.agent.contact(i.agent.sourceOf(i.request))
	if err != nil {
		return err
	}
	res := i.agent.response(i.request, gosip.StatusRinging, "Ringing", c)
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case !slices.Contains(listed(i.request, "Require"), reliable):
		return i.sendProvisional(res)
	case i.description == nil:
		return i.isOpen()
	}
	return i.ringReliably(res)
}

// isOpen says why the invitation cannot be answered any more. It is called with i.mu held.
func (i *Invitation) isOpen() error {
	if i.err == nil && i.answered {
		return ErrAnswered
	}
	return i.err
}

// sendProvisional is called with i.mu held: sipgo would repeat a provisional response in place of a final one that it comes after.
func (i *Invitation) sendProvisional(res *gosip.Response) error {
	if err := i.isOpen(); err != nil {
		return err
	}
	return i.send(res)
}

func (i *Invitation) send(res *gosip.Response) error {
	err := i.agent.respondToInvite(i.request, i.tx, res)
	if err == ErrCanceled {
		return cmp.Or(i.notCanceled(), err) // it may have been faster than OnCancel
	}
	return err
}

// respondToInvite sends a response. ErrCanceled says that a CANCEL was faster: sipgo has sent 487, and would repeat ours in its place,
// so it gets that back.
func (a *Agent) respondToInvite(req *gosip.Request, tx *gosip.ServerTx, res *gosip.Response) error {
	err := tx.Respond(res)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gosip.ErrTransactionCanceled):
		_ = tx.Respond(a.response(req, gosip.StatusRequestTerminated, "Request Terminated")) // the same error
		return ErrCanceled
	}
	return fmt.Errorf("sip: respond: %w", err)
}

// Reject refuses the call with a status code from 300 to 699 and a reason phrase; an empty reason is fine. 486 says busy,
// 603 that the user declined. The error is ErrCanceled, ErrAnswered, or that of the transport.
func (i *Invitation) Reject(ctx context.Context, code int, reason string) error {
	if err := checkReject(ctx, code, reason); err != nil {
		return err
	}
	if err := i.claim(); err != nil {
		return err
	}
	err := i.send(i.agent.response(i.request, code, reason))
	i.finish(err)
	return err
}

func checkReject(ctx context.Context, code int, reason string) error {
	if code < 300 || code > 699 {
		return fmt.Errorf("sip: reject: %d is no status code from 300 to 699", code)
	}
	if !isText(reason) || len(reason) > maxText {
		return errors.New("sip: reject: the reason is too long or holds a control character")
	}
	return ctx.Err()
}

// Answer takes the call: it sends 200 OK with our side of the MSRP session and waits for the ACK, which also carries the
// caller's side when the INVITE had no offer. A caller that hangs up at once leaves a call that is over already. The
// program should listen on the path before it calls Answer if it may be the passive side.
//
// An error that wraps ErrMedia is about our side, and Answer or Reject may be called again. With any other error the
// invitation is over, and where the 200 was out already the call is hung up, also when ctx ends.
func (i *Invitation) Answer(ctx context.Context, answer *Media) (*Call, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, res, err := i.prepare(answer)
	if err != nil {
		return nil, err
	}
	if err := i.claim(); err != nil {
		return nil, err
	}
	if err = i.take(ctx, c, res); err != nil {
		i.finish(err)
		return nil, err
	}
	i.finish(nil)
	return c, nil
}

// prepare makes the call and the 200 that opens it.
func (i *Invitation) prepare(ours *Media) (*Call, *gosip.Response, error) {
	c := i.agent.newCall(i.agent.serverDialog(i.request), i.address, i.name)
	c.focus = i.focus
	c.ours = ours.clone()
	var err error
	if i.offer == nil {
		if c.local, err = offerOf(ours); err == nil {
			c.sdp = appendOffer(nil, c.origin, c.local)
		}
	} else if c.local, err = answerTo(i.offer, ours); err == nil {
		c.session = c.session.answer(i.description, i.chat, i.offer, c.local)
	}
	if err != nil {
		return nil, nil, err
	}
	res, err := c.accepted(i.request, c.sdp)
	return c, res, err
}

// take sends the 200 and waits for the ACK.
func (i *Invitation) take(ctx context.Context, c *Call, res *gosip.Response) error {
	a := i.agent
	c.ringing = i.provisional() // no other follows it
	if !a.register(c, false) {
		a.respond(i.request, i.tx, gosip.StatusTemporarilyUnavailable, "Shutting Down")
		return ErrClosed
	}
	i.forget()
	c.mu.Lock()
	confirmed := c.expectACK(i.request)
	c.note(i.request)
	t, _ := a.answerTimer(i.request)
	c.startTimer(t.interval, t.refresher == "uas")
	c.mu.Unlock()
	err := i.notCanceled()
	if err == nil {
		err = i.send(res)
	}
	if err == nil && !a.task(func() { c.confirm(i.tx, res, confirmed) }) {
		err = ErrClosed
	}
	if err != nil {
		c.end(err)
		return err
	}
	select {
	case <-confirmed.done:
	case <-c.done:
	case <-ctx.Done():
		c.hangUp(ctx.Err())
		return ctx.Err()
	}
	if err := c.Err(); !errors.Is(err, ErrEnded) || c.Remote() == nil {
		return err
	}
	return nil // the BYE was as fast as the ACK: there was a call
}

// notCanceled keeps a 200 from going out after sipgo's 487.
func (i *Invitation) notCanceled() error {
	select {
	case <-i.canceled:
		return i.why
	default:
		return nil
	}
}
