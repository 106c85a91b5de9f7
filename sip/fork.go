package sip

import (
	gosip "github.com/emiago/sipgo/sip"
)

// maxForks bounds what proxies may make of one INVITE of ours: early dialogs that we know of, and further answered calls that we
// hang up.
const maxForks = 8

// early is a dialog that a provisional response to an INVITE of ours began (RFC 3261 §12.1.2). Each phone that proxies forked the
// INVITE to has its own, told by the To tag. Its outgoing's lock guards it.
type early struct {
	dialog dialog
	focus  bool            // isfocus in the Contact that came last
	seq    uint32          // RSeq of the reliable response that came last, 0 before
	pracks bool            // a PRACK is under way
	answer *gosip.Response // the reliable response that answered our offer
	ended  error           // what its BYE said
}

// provisional takes a 1xx.
func (o *outgoing) provisional(res *gosip.Response) {
	if toTag(res) == "" || !isClean(res) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.early[toTag(res)]
	target, focus, ok := contact(res)
	switch {
	case e != nil && ok:
		e.dialog.refresh(target)
	case e == nil && len(o.early) == maxForks:
		return
	case e == nil:
		e = &early{dialog: o.dialog.confirm(res)}
		o.early[toTag(res)] = e
	}
	if ok {
		e.focus = focus
	}
	o.acknowledgeProvisional(e, res)
}

// established makes the call of the 2xx that came first and acknowledges it. Where the phone has answered our offer in a reliable
// provisional response, the 2xx adds nothing to that (RFC 3262 §5).
func (o *outgoing) established(res *gosip.Response) (*Call, error) {
	if !isClean(res) || res.CSeq().SeqNo != o.dialog.localSeq {
		return nil, errMalformed
	}
	c, unfit, err := o.acknowledge(res)
	if err != nil {
		return nil, err
	}
	if toTag(res) == "" { // no dialog: what the peer sends in it could not be told from a new request
		c.hangUp(errMalformed)
		return nil, errMalformed
	}
	if unfit != nil {
		c.hangUp(unfit)
		return nil, unfit
	}
	o.mu.Lock()
	o.won = true
	var ended error
	if e := o.early[toTag(res)]; e != nil {
		ended = e.ended
	}
	o.mu.Unlock()
	if ended != nil {
		c.end(ended)
	}
	return c, nil
}

// hungUp takes the BYE of a phone whose 2xx we have not seen or are serving: requests and responses may overtake each other. It
// reports false where there are too many.
func (o *outgoing) hungUp(bye *gosip.Request) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.early[fromTag(bye)]
	if e == nil && len(o.early) == maxForks {
		return false
	}
	if e == nil {
		e = &early{dialog: o.dialog}
		o.early[fromTag(bye)] = e
	}
	e.ended = because(ErrEnded, bye)
	return true
}

// confirm makes the call of a 2xx. unfit is what is wrong with the answer to our offer.
func (o *outgoing) confirm(res *gosip.Response) (c *Call, unfit error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e, answer := o.early[toTag(res)], res
	if e == nil {
		e = &early{dialog: o.dialog}
	}
	c = o.agent.newCall(e.dialog.confirm(res), o.address, "")
	if e.pracks { // it may be sent again with credentials; a gap is no error (RFC 3261 §12.2.2)
		c.dialog.localSeq += maxAttempts
	}
	if e.answer != nil {
		answer = e.answer
	}
	c.credentials, c.session, c.focus = o.credentials, o.session, e.focus
	if _, focus, ok := contact(res); ok {
		c.focus = focus
	}
	return c, c.begin(res, answer)
}

// acknowledge sends the ACK to a 2xx, after the call is registered: from the ACK on the peer may send requests.
func (o *outgoing) acknowledge(res *gosip.Response) (c *Call, unfit, err error) {
	c, unfit = o.confirm(res)
	if !o.agent.register(c, true) {
		return nil, nil, ErrClosed
	}
	o.mu.Lock()
	invite := o.invite
	o.mu.Unlock()
	if err := c.sendACK(invite, res); err != nil {
		c.end(err)
		return nil, nil, err
	}
	return c, unfit, nil
}

// strayResponse takes responses that match no transaction: a final one that comes again because our ACK was lost, and a 2xx that
// comes from a further phone or too late (RFC 3261 §13.2.2.4).
func (a *Agent) strayResponse(res *gosip.Response) {
	if !a.enter() {
		return
	}
	defer a.leave()
	defer a.recover("response")
	if res.IsProvisional() || !isClean(res) || res.CSeq() == nil || res.CSeq().MethodName != gosip.INVITE {
		return
	}
	if !res.IsSuccess() {
		a.refusedAgain(res)
		return
	}
	c, o := a.invitedBy(res)
	switch {
	case c != nil:
		c.acknowledgeAgain(res.CSeq().SeqNo)
	case o != nil && o.isAnswer(res):
		if c, _, err := o.acknowledge(res); err == nil {
			c.hangUp(o.why())
		}
	}
}

// repeatedAnswer takes a 2xx that comes while the first one is being served. Before that has made a call, it may be the same again.
func (a *Agent) repeatedAnswer(res *gosip.Response) {
	if c, o := a.invitedBy(res); c != nil || o != nil && o.hasWon() {
		a.strayResponse(res)
	}
}

// invitedBy finds the call that a 2xx belongs to, and the INVITE that it answers.
func (a *Agent) invitedBy(res *gosip.Response) (*Call, *outgoing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[dialogID{callID(res), fromTag(res), toTag(res)}], a.outgoing[outgoingID{callID(res), fromTag(res)}]
}

func (o *outgoing) hasWon() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.won
}

// isAnswer reports whether a 2xx may be one to an INVITE that was sent, of a phone that can be hung up on, within the limit.
func (o *outgoing) isAnswer(res *gosip.Response) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if toTag(res) == "" || res.CSeq().SeqNo > o.dialog.localSeq || o.further == maxForks {
		return false
	}
	o.further++
	return true
}

// why says why a further answer is hung up on: another phone has the call, or it came too late.
func (o *outgoing) why() error {
	if o.hasWon() {
		return answeredElsewhere
	}
	return ErrClosed
}
