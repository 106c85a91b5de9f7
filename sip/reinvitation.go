package sip

import (
	"context"
	"errors"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// moveTime is how long a Reinvitation waits for Answer or Reject at most.
const moveTime = 30 * time.Second

// A Reinvitation is a peer's offer to move the MSRP session of a call: to another path, to TLS or away from it, or to another
// certificate (RFC 3261 §14.2). It waits for Answer or Reject, for 30 seconds at most; then the offer is refused, and the session
// stays as it was. All methods are safe for concurrent use.
type Reinvitation struct {
	call    *Call
	request *gosip.Request
	tx      *gosip.ServerTx
	moved   *movedOffer
	done    chan struct{}

	mu  sync.Mutex
	err error // why it cannot be answered any more
}

// reinvited takes an INVITE within the dialog, or an UPDATE (RFC 3311). What leaves the MSRP session as it is, with an offer or
// without, is answered here: a refresh, a hold, another stream, a new Contact. An INVITE that moves the session is the application's.
func (c *Call) reinvited(req *gosip.Request, tx *gosip.ServerTx) {
	var r *refusal
	c.mu.Lock()
	if isOffer(req) {
		r = c.crossing()
		c.answering = c.answering || r == nil
	}
	next, follows := c.session, c.follows
	c.mu.Unlock()
	if r != nil {
		c.agent.refuse(req, tx, r)
		return
	}
	var moved *movedOffer
	if _, r = c.agent.answerTimer(req); r == nil && len(req.Body()) > 0 {
		next, moved, r = next.reoffered(req, c.agent.opts.AcceptTLS)
	}
	switch {
	case r == nil && moved == nil:
		_ = c.accept(req, tx, next) // the peer is gone, or has canceled
		return
	case r == nil && !follows:
		r = notAcceptable
	case r == nil && !req.IsInvite(): // it takes longer than an UPDATE may (RFC 3311 §5.2)
		r = &refusal{code: gosip.StatusGatewayTimeout, reason: "Server Time-out"}
	case r == nil:
		c.ask(req, tx, moved)
		return
	}
	c.stopAnswering(req)
	c.agent.refuse(req, tx, r)
}

// accept answers an INVITE or UPDATE within the dialog with 200. next is the session from then on.
func (c *Call) accept(req *gosip.Request, tx *gosip.ServerTx, next session) error {
	var sdp []byte
	if isOffer(req) {
		sdp = next.sdp
	}
	res, err := c.accepted(req, sdp)
	if err != nil {
		c.stopAnswering(req)
		c.agent.respond(req, tx, gosip.StatusInternalServerError, "Server Internal Error")
		return err
	}
	p, undo := c.agree(req, next) // before the 200 is out: the ACK may be fast, and who sees the answer sees what came of it
	c.stopAnswering(req)
	err = c.agent.respondToInvite(req, tx, res)
	switch {
	case errors.Is(err, ErrCanceled): // sipgo has said 487
		undo()
		return err
	case err != nil:
		c.agent.log.Debug("response not sent", "method", req.Method.String(), "code", gosip.StatusOK)
	}
	if p != nil {
		c.agent.task(func() { c.confirm(tx, res, p) })
	}
	return nil
}

// agree makes next the session, moves the dialog to the Contact of the request, and starts the session timer again. undo takes back
// the first two. An INVITE's ACK is waited for.
func (c *Call) agree(req *gosip.Request, next session) (p *confirmation, undo func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, target, focus := c.session, c.dialog.target, c.focus
	if isOffer(req) { // a session of ours may have come about meanwhile
		c.setSession(next)
	}
	c.refreshTarget(req)
	c.note(req)
	t, _ := c.agent.answerTimer(req)
	c.startTimer(t.interval, t.refresher == "uas")
	if req.IsInvite() {
		p = c.expectACK(req)
	}
	return p, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.settle(p) // it was an INVITE, so no other has changed the session
		c.setSession(was)
		c.dialog.target = target
		c.setFocus(focus)
	}
}

// isOffer reports whether an INVITE or UPDATE begins an exchange of offer and answer.
func isOffer(req *gosip.Request) bool { return req.IsInvite() || len(req.Body()) > 0 }

// stopAnswering says that a request of the peer's waits for our answer no longer.
func (c *Call) stopAnswering(req *gosip.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if isOffer(req) {
		c.answering = false
		c.settled()
	}
}

// ask hands an offer to AcceptReinvite.
func (c *Call) ask(req *gosip.Request, tx *gosip.ServerTx, moved *movedOffer) {
	r := &Reinvitation{call: c, request: req, tx: tx, moved: moved, done: make(chan struct{})}
	if !tx.OnCancel(func(*gosip.Request) { r.finish(ErrCanceled, nil) }) { // a CANCEL that was faster; sipgo has answered both
		r.finish(ErrCanceled, nil)
		return
	}
	select { // one that nobody took in time makes room
	case <-c.asked:
	default:
	}
	select { // there is room: only one INVITE is answered at a time
	case c.asked <- r:
	default:
	}
	if !c.agent.task(r.watch) {
		r.finish(ErrClosed, nil)
	}
}

// AcceptReinvite returns the next offer of the peer's that moves the MSRP session. Before it is called for the first time such offers
// are refused with 488; from then on they wait for it. Offers that leave the session as it is, a hold for example, are answered
// without it; Changed tells of those. The error is that of ctx, or Err's once the call is over.
func (c *Call) AcceptReinvite(ctx context.Context) (*Reinvitation, error) {
	c.mu.Lock()
	c.follows = true
	c.mu.Unlock()
	for {
		select {
		case r := <-c.asked:
			if r.claimed() == nil {
				return r, nil
			}
		case <-c.done:
			return nil, c.Err()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// watch ends a Reinvitation that nobody answers.
func (r *Reinvitation) watch() {
	patience := time.NewTimer(moveTime)
	defer patience.Stop()
	select {
	case <-r.done:
	case <-r.tx.Done(): // its connection is gone
		r.finish(ErrCanceled, nil)
	case <-patience.C:
		r.finish(ErrTimeout, notAcceptable)
	case <-r.call.done: // RFC 3261 §15.1.2
		r.finish(r.call.Err(), &refusal{code: gosip.StatusRequestTerminated, reason: "Request Terminated"})
	}
}

// claim lets only one of Answer, Reject and the watcher end it; err is what the others are told.
func (r *Reinvitation) claim(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.err = err
	close(r.done)
	return nil
}

func (r *Reinvitation) claimed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// finish ends it, with a refusal where one is due; err says why. It does nothing where another has ended it.
func (r *Reinvitation) finish(err error, refuse *refusal) {
	if r.claim(err) != nil {
		return
	}
	r.call.stopAnswering(r.request)
	if refuse != nil {
		r.call.agent.refuse(r.request, r.tx, refuse)
	}
}

// Offer is a copy of the peer's side of the MSRP session as it shall be.
func (r *Reinvitation) Offer() *Media { return r.moved.offer.clone() }

// Answer takes the offer: it sends 200 OK with our side of the new session, which should listen already if it may be the passive
// side. Local and Remote of the call are the new ones when it returns; a peer that never acknowledges the 200 is hung up on. A
// Setup that is absent leaves the roles to AnswerSetup.
//
// An error that wraps ErrMedia is about our side, and Answer or Reject may be called again. Otherwise it is ErrCanceled where the
// peer gave up, ErrTimeout after 30 seconds, ErrAnswered, Err's of the call where that is over, or ctx's.
func (r *Reinvitation) Answer(ctx context.Context, answer *Media) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	local, err := fit(r.moved.offer, answer)
	if err != nil {
		return err
	}
	if err := r.claim(ErrAnswered); err != nil {
		return err
	}
	c := r.call
	c.mu.Lock()
	next := c.session
	c.mu.Unlock()
	next.ours = answer.clone()
	return c.accept(r.request, r.tx, next.answer(r.moved.description, r.moved.chat, r.moved.offer, local))
}

// Reject refuses the offer with a status code from 300 to 699 and a reason phrase; 488 is the usual one. The session stays as it
// was. The errors are those of Answer.
func (r *Reinvitation) Reject(ctx context.Context, code int, reason string) error {
	if err := checkReject(ctx, code, reason); err != nil {
		return err
	}
	if err := r.claim(ErrAnswered); err != nil {
		return err
	}
	r.call.stopAnswering(r.request)
	return r.call.agent.respondToInvite(r.request, r.tx, r.call.agent.response(r.request, code, reason))
}
