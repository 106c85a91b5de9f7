package sip

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

var errMalformed = errors.New("sip: malformed response")

// maxForks bounds the further dialogs that proxies may make of one INVITE and that we hang up.
const maxForks = 8

type outgoingID struct{ callID, local string }

// outgoing is an INVITE of ours, until 32 seconds after its end: a 2xx may come late (RFC 3261 §13.2.2.4).
type outgoing struct {
	agent       *Agent
	dialog      dialog // without a remote tag
	address     string
	local       *Media
	origin      origin
	sdp         []byte
	credentials *credentials

	ctx    context.Context // ends when the caller of Invite gives up, or the agent's life
	giveUp context.CancelCauseFunc
	result chan outcome
	over   atomic.Bool
	forks  atomic.Int32

	earlyTag string // of the 1xx whose Contact came last
	focus    bool   // what that Contact said
}

type outcome struct {
	call *Call
	err  error
}

// Invite calls target, a SIP URI such as "sip:bob@example.com" or "sip:bob@192.0.2.1:5060;transport=tcp", and offers the
// MSRP session. A target without a transport parameter is called over UDP if the agent listens there, otherwise over TCP; an
// INVITE too large for a datagram goes over TCP in any case (RFC 3261 §18.1.1). It returns when the peer has answered and the
// answer fits.
//
// When ctx ends first the INVITE is canceled in the background, and a peer that answers all the same is hung up on.
// The error is a *StatusError for what the peer answered, ErrTimeout, ErrMedia for an offer that cannot be sent or an
// answer that does not fit, ErrNotListening, ErrClosed, or that of ctx or the transport.
func (a *Agent) Invite(ctx context.Context, target string, offer *Media) (*Call, error) {
	u, err := parseURI(target)
	if err != nil {
		return nil, fmt.Errorf("sip: invite: %w", err)
	}
	local, err := offerOf(offer)
	if err != nil {
		return nil, err
	}
	o := a.newOutgoing(u, local)
	defer o.giveUp(nil)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !a.start(o) {
		return nil, ErrClosed
	}
	select {
	case r := <-o.result:
		return r.call, r.err
	case <-ctx.Done():
		o.giveUp(context.Cause(ctx))
		return nil, ctx.Err()
	case <-a.closing:
		return nil, ErrClosed
	}
}

func (a *Agent) newOutgoing(target gosip.Uri, local *Media) *outgoing {
	to := *target.Clone()
	to.UriParams = nil
	o := &outgoing{
		agent: a,
		dialog: dialog{
			id:        dialogID{callID: newID(), local: newID()},
			local:     party{quote(a.opts.DisplayName), a.self},
			remote:    party{uri: to},
			target:    target,
			routes:    a.preloaded(),
			remoteSeq: -1,
		},
		address:     addressOfRecord(to),
		local:       local,
		origin:      newOrigin(),
		credentials: a.newCredentials(),
		result:      make(chan outcome),
	}
	o.sdp = appendOffer(nil, o.origin, local)
	o.ctx, o.giveUp = context.WithCancelCause(a.life)
	return o
}

// start runs the INVITE in the background, unless the agent is closing.
func (a *Agent) start(o *outgoing) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.draining {
		return false
	}
	a.outgoing[o.id()] = o
	a.tasks.Go(o.run)
	return true
}

func (o *outgoing) id() outgoingID { return outgoingID{o.dialog.id.callID, o.dialog.id.local} }

func (o *outgoing) isOver() bool { return o.over.Load() }

// run places the call and hands it to Invite, or hangs it up when Invite does not wait any more.
func (o *outgoing) run() {
	call, err := o.place()
	select {
	case o.result <- outcome{call, err}:
	case <-o.ctx.Done():
		if call != nil {
			call.hangUp(context.Cause(o.ctx))
		}
	}
	o.over.Store(true)
	time.AfterFunc(64*gosip.T1, func() {
		o.agent.mu.Lock()
		defer o.agent.mu.Unlock()
		delete(o.agent.outgoing, o.id())
	})
}

// place sends the INVITE, again with credentials where it is challenged.
func (o *outgoing) place() (*Call, error) {
	hops, err := o.agent.locate(o.ctx, o.dialog.nextHop(), "")
	if err != nil {
		return nil, err
	}
	answered := make(round)
	for n := 1; ; n++ {
		o.dialog.localSeq++
		var (
			req *gosip.Request
			tx  *gosip.ClientTx
		)
		res, err := o.agent.failover(o.ctx, hops, func(h hop) (res *gosip.Response, err error) {
			req, tx, res, err = o.sendTo(h)
			return res, err
		})
		switch {
		case err != nil:
			return nil, err
		case res.IsSuccess():
			defer tx.Terminate() // after the call is registered: a 2xx that comes again finds one of the two
			return o.established(req, res)
		case n == maxAttempts || o.ctx.Err() != nil || !o.credentials.learn(res, answered):
			return nil, statusError(res)
		}
	}
}

// sendTo makes the INVITE for one hop and waits for its final response.
func (o *outgoing) sendTo(h hop) (*gosip.Request, *gosip.ClientTx, *gosip.Response, error) {
	req := o.request()
	sent, err := o.agent.prepare(o.ctx, req, h)
	if err != nil {
		return nil, nil, nil, err
	}
	o.dialog.network = sent.network
	tx, res, err := o.agent.sendInvite(o.ctx, req, o.noteContact)
	return req, tx, res, err
}

func (o *outgoing) request() *gosip.Request {
	req := o.dialog.request(gosip.INVITE, o.dialog.localSeq)
	for _, h := range o.agent.capabilities() {
		req.AppendHeader(h)
	}
	req.AppendHeader(header("Content-Type", typeSDP))
	req.SetBody(o.sdp)
	o.credentials.sign(req)
	return req
}

// noteContact remembers isfocus of a provisional response, for a 2xx without a Contact.
func (o *outgoing) noteContact(res *gosip.Response) {
	if _, focus, ok := contact(res); ok {
		o.earlyTag, o.focus = toTag(res), focus
	}
}

// established makes the call of a 2xx and acknowledges it.
func (o *outgoing) established(invite *gosip.Request, res *gosip.Response) (*Call, error) {
	if !isClean(res) {
		return nil, errMalformed
	}
	c, err := o.acknowledge(invite, res)
	if err != nil {
		return nil, err
	}
	d, err := readDescription(res)
	if err == nil {
		c.mu.Lock()
		c.local, c.remote, err = d.answered(0, o.local)
		c.mu.Unlock()
	}
	if err != nil {
		c.hangUp(err)
		return nil, err
	}
	return c, nil
}

// acknowledge sends the ACK to a 2xx, after the call is registered: from the ACK on the peer may send requests.
func (o *outgoing) acknowledge(invite *gosip.Request, res *gosip.Response) (*Call, error) {
	a := o.agent
	d := o.dialog.confirm(res)
	c := a.newCall(d, o.address, "")
	c.credentials, c.origin, c.sdp = o.credentials, o.origin, o.sdp
	c.local = o.local
	if _, focus, ok := contact(res); ok {
		c.focus = focus
	} else if o.earlyTag == toTag(res) {
		c.focus = o.focus
	}
	if !a.register(c, true) {
		return nil, ErrClosed
	}
	ack := d.request(gosip.ACK, res.CSeq().SeqNo)
	if invite != nil { // the same credentials as the INVITE (RFC 3261 §22.1)
		gosip.CopyHeaders("Authorization", invite, ack)
		gosip.CopyHeaders("Proxy-Authorization", invite, ack)
	}
	sent, h, err := a.write(ack, &d)
	if err != nil {
		c.end(err)
		return nil, err
	}
	c.mu.Lock()
	c.ack, c.ackHop = sent, h
	c.mu.Unlock()
	return c, nil
}

// strayResponse takes responses that match no transaction: a 2xx that comes again because our ACK was lost, and one
// that comes from a further branch or too late (RFC 3261 §13.2.2.4).
func (a *Agent) strayResponse(res *gosip.Response) {
	if !a.enter() {
		return
	}
	defer a.leave()
	defer a.recover("response")
	if !res.IsSuccess() || !isClean(res) || res.CSeq() == nil || res.CSeq().MethodName != gosip.INVITE {
		return
	}
	a.mu.Lock()
	c := a.calls[dialogID{callID(res), fromTag(res), toTag(res)}]
	o := a.outgoing[outgoingID{callID(res), fromTag(res)}]
	a.mu.Unlock()
	switch {
	case c != nil:
		c.acknowledgeAgain()
	case o != nil && strings.TrimSpace(toTag(res)) != "" && o.forks.Add(1) <= maxForks:
		if c, err := o.acknowledge(nil, res); err == nil {
			c.hangUp(answeredElsewhere)
		}
	}
}

// acknowledgeAgain sends the same ACK once more.
func (c *Call) acknowledgeAgain() {
	c.mu.Lock()
	var ack *gosip.Request
	if c.ack != nil {
		ack = c.ack.Clone()
	}
	h := c.ackHop
	c.mu.Unlock()
	if ack == nil {
		return // it is being sent
	}
	ctx, cancel := context.WithTimeout(c.agent.life, 64*gosip.T1)
	defer cancel()
	err := c.agent.connect(ctx, ack, h)
	if err == nil {
		err = c.agent.transport.WriteMsg(ack)
	}
	if err != nil {
		c.agent.log.Debug("ACK not sent", "error", err)
	}
}
