package sip

import (
	"errors"
	"fmt"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// A confirmation is a 2xx of ours to an INVITE that waits for its ACK.
type confirmation struct {
	seq    uint32
	offers bool          // the 2xx carries an offer, so the ACK carries the answer
	done   chan struct{} // closed when nothing is waited for any more
}

// accepted makes the 200 to an INVITE, with our Contact and c.sdp.
func (c *Call) accepted(req *gosip.Request) (*gosip.Response, error) {
	h, err := c.agent.contact(sourceOf(req))
	if err != nil {
		return nil, err
	}
	res := c.agent.response(req, gosip.StatusOK, "OK", append(c.agent.capabilities(), h, header("Content-Type", typeSDP))...)
	res.SetBody(c.sdp)
	return res, nil
}

// expectACK is called before the 2xx to req is sent. A 2xx from before needs no ACK any more: the peer would not have gone on
// without having seen it.
func (c *Call) expectACK(req *gosip.Request) *confirmation {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle(c.pending)
	c.pending = &confirmation{seq: req.CSeq().SeqNo, offers: len(req.Body()) == 0, done: make(chan struct{})}
	return c.pending
}

// settle ends the waiting for an ACK. It is called with c.mu held.
func (c *Call) settle(p *confirmation) {
	if p != nil && c.pending == p {
		c.pending = nil
		close(p.done)
	}
}

// confirm sends a 2xx again until its ACK comes, on every transport, and hangs up if it never does (RFC 3261 §13.3.1.4).
func (c *Call) confirm(tx *gosip.ServerTx, res *gosip.Response, p *confirmation) {
	interval := gosip.T1
	again := time.NewTimer(interval)
	defer again.Stop()
	giveUp := time.NewTimer(64 * gosip.T1)
	defer giveUp.Stop()
	gone := tx.Done()
	for {
		select {
		case <-p.done:
			if gosip.IsReliable(res.Transport()) {
				tx.Terminate() // on UDP it absorbs INVITEs that come again, until timer L
			}
			return
		case <-tx.Acks(): // with the branch of the INVITE, as RFC 2543 had it: order took it
		case <-gone: // the connection; the ACK may come on another
			gone = nil
			again.Stop()
		case <-again.C:
			_ = tx.Respond(res) // tried again later
			interval = min(2*interval, gosip.T2)
			again.Reset(interval)
		case <-giveUp.C:
			c.finish(ErrTimeout) // before p.done, so that Answer sees the error
			c.mu.Lock()
			c.settle(p)
			c.mu.Unlock()
			c.hangUp(ErrTimeout)
			return
		case <-c.agent.life.Done():
			return
		}
	}
}

// acknowledge takes the peer's ACK to a 2xx of ours.
func (c *Call) acknowledge(ack *gosip.Request) {
	c.mu.Lock()
	p := c.pending
	if p == nil || ack.CSeq() == nil || ack.CSeq().SeqNo != p.seq {
		c.mu.Unlock()
		return
	}
	c.pending = nil
	var err error
	if p.offers {
		err = c.takeAnswer(ack)
	}
	c.mu.Unlock()
	if err != nil {
		c.hangUp(err) // before p.done, so that Answer sees the error
	}
	close(p.done)
}

// takeAnswer reads the answer in an ACK. It is called with c.mu held.
func (c *Call) takeAnswer(ack *gosip.Request) error {
	d, err := readDescription(ack)
	if err != nil {
		return err
	}
	local, remote, err := d.answered(c.chat, c.local)
	if err != nil {
		return err
	}
	if c.remote != nil && !sameSession(remote, c.remote) {
		return fmt.Errorf("%w: the answer moves the session", ErrMedia)
	}
	c.setMedia(local, remote)
	return nil
}

// readDescription reads an answer from an ACK or a 2xx.
func readDescription(m message) (*description, error) {
	if !isSDP(m) {
		return nil, fmt.Errorf("%w: no SDP in the answer", ErrMedia)
	}
	d, err := parseSDP(m.Body())
	if err != nil {
		return nil, errors.Join(ErrMedia, err)
	}
	return d, nil
}

// reinvited takes an INVITE within the dialog: a keep-alive, a hold of another stream, a new Contact. The MSRP
// session stays as it is; an offer that moves it is refused, and a refused one changes nothing (RFC 3261 §14.2).
func (c *Call) reinvited(req *gosip.Request, tx *gosip.ServerTx) {
	if len(req.Body()) > 0 {
		if r := c.reoffered(req); r != nil {
			c.agent.respond(req, tx, r.code, r.reason, r.headers...)
			return
		}
	}
	c.mu.Lock()
	if target, focus, ok := contact(req); ok { // target refresh (RFC 3261 §12.2.2)
		c.dialog.target = target
		c.setFocus(focus)
	}
	res, err := c.accepted(req)
	c.mu.Unlock()
	if err != nil {
		c.agent.respond(req, tx, gosip.StatusInternalServerError, "Server Internal Error")
		return
	}
	p := c.expectACK(req)
	if err := tx.Respond(res); err != nil {
		c.agent.log.Debug("response not sent", "method", "INVITE", "code", gosip.StatusOK)
	}
	c.agent.task(func() { c.confirm(tx, res, p) })
}

// reoffered fits our side to a new offer, which must name the same MSRP session, and keeps the roles.
func (c *Call) reoffered(req *gosip.Request) *refusal {
	d, r := readOffer(req)
	if r != nil {
		return r
	}
	refuse := &refusal{code: gosip.StatusNotAcceptableHere, reason: "Not Acceptable Here"}
	chat, offer, err := d.offered(true)
	if err != nil {
		return refuse
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.remote == nil || !sameSession(offer, c.remote) {
		return refuse
	}
	if _, err := AnswerSetup(offer.Setup, c.local.Setup); err != nil {
		return refuse
	}
	offer.Setup = c.remote.Setup
	c.chat = chat
	c.setMedia(c.local, offer)
	if sdp := appendAnswer(nil, c.origin, d, chat, c.local); string(sdp) != string(c.sdp) {
		c.origin.version++
		c.sdp = appendAnswer(nil, c.origin, d, chat, c.local)
	}
	return nil
}
