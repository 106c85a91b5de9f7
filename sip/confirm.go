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

// accepted makes the 200 to an INVITE or an UPDATE, with our Contact and our side of the session if there is one to say.
func (c *Call) accepted(req *gosip.Request, sdp []byte) (*gosip.Response, error) {
	h, err := c.agent.contact(c.agent.sourceOf(req))
	if err != nil {
		return nil, err
	}
	t, _ := c.agent.answerTimer(req) // it was not refused before
	hs := append(c.agent.capabilities(), t.headers(req)...)
	res := c.agent.response(req, gosip.StatusOK, "OK", append(hs, h)...)
	if sdp != nil {
		res.AppendHeader(header("Content-Type", typeSDP))
	}
	res.SetBody(sdp)
	return res, nil
}

// expectACK is called with c.mu held before the 2xx to req is sent. A 2xx from before needs no ACK any more: the peer would not
// have gone on without having seen it.
func (c *Call) expectACK(req *gosip.Request) *confirmation {
	c.settle(c.pending)
	c.pending = &confirmation{seq: req.CSeq().SeqNo, offers: len(req.Body()) == 0, done: make(chan struct{})}
	return c.pending
}

// settle ends the waiting for an ACK. It is called with c.mu held.
func (c *Call) settle(p *confirmation) {
	if p != nil && c.pending == p {
		c.pending = nil
		c.settled()
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
			c.agent.absorb(tx, res)
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

// absorb keeps the transaction of an INVITE that is over, on UDP until timer L: INVITEs may come again. So may ACKs with its branch, and for each sipgo
// has a goroutine that waits until somebody takes it.
func (a *Agent) absorb(tx *gosip.ServerTx, res *gosip.Response) {
	if gosip.IsReliable(res.Transport()) {
		tx.Terminate()
	}
	for {
		select {
		case <-tx.Acks():
		case <-tx.Done():
			return
		case <-a.life.Done():
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
	c.settled()
	var (
		next session
		err  error
	)
	if p.offers {
		if next, err = c.session.answered(ack, c.session); err == nil && c.remote != nil && !sameSession(next.remote, c.remote) {
			err = fmt.Errorf("%w: the answer moves the session", ErrMedia)
		}
		if err == nil {
			c.setSession(next)
		}
	}
	c.mu.Unlock()
	if err != nil {
		c.hangUp(err) // before p.done, so that Answer sees the error
	}
	close(p.done)
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
