package sip

import (
	"context"
	"slices"

	gosip "github.com/emiago/sipgo/sip"
)

// maxACKs bounds the ACKs that a call keeps.
const maxACKs = 4

// A sentACK is kept for a 2xx that comes again because the ACK was lost (RFC 3261 §13.2.2.4).
type sentACK struct {
	seq uint32
	req *gosip.Request
	hop hop
}

// sendACK acknowledges the 2xx to an INVITE of ours, with the same credentials as that (RFC 3261 §22.1).
func (c *Call) sendACK(invite *gosip.Request, res *gosip.Response) error {
	seq := res.CSeq().SeqNo
	c.mu.Lock()
	d := c.dialog
	ack := d.request(gosip.ACK, seq)
	c.mu.Unlock()
	if invite != nil && invite.CSeq().SeqNo == seq {
		gosip.CopyHeaders("Authorization", invite, ack)
		gosip.CopyHeaders("Proxy-Authorization", invite, ack)
	}
	sent, h, err := c.agent.write(ack, &d)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.acks) == maxACKs {
		c.acks = slices.Delete(c.acks, 0, 1)
	}
	c.acks = append(c.acks, sentACK{seq, sent, h})
	return nil
}

// acknowledgeAgain sends the same ACK once more. One that is being sent right now need not be.
func (c *Call) acknowledgeAgain(seq uint32) {
	c.mu.Lock()
	i := slices.IndexFunc(c.acks, func(a sentACK) bool { return a.seq == seq })
	if i < 0 {
		c.mu.Unlock()
		return
	}
	ack, h := c.acks[i].req.Clone(), c.acks[i].hop
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(c.agent.life, 64*gosip.T1)
	defer cancel()
	_, err := c.agent.connect(ctx, ack, h)
	if err == nil {
		err = c.agent.transport.WriteMsg(ack)
	}
	if err != nil {
		c.agent.log.Debug("ACK not sent", "error", err)
	}
}
