package sip

import (
	"context"
	"fmt"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// sendInvite sends an INVITE that is ready to be sent, the first of a call or one within it, and waits for the final response.
// early sees the provisional ones.
//
// When ctx ends, the INVITE is canceled. CANCEL has to wait for a provisional response (RFC 3261 §9.1), and for the final response
// to a canceled INVITE we wait 64*T1 at most. A refusal is acknowledged already. The transaction of a 2xx is returned: it keeps one that
// comes again from being taken for a stray one until it is terminated.
func (a *Agent) sendInvite(
	ctx context.Context, req *gosip.Request, early func(*gosip.Response),
) (*gosip.ClientTx, *gosip.Response, error) {
	tx, err := a.transactions.Request(ctx, req)
	if err != nil {
		return nil, nil, fmt.Errorf("sip: send: %w", err)
	}
	tx.OnRetransmission(a.repeatedAnswer)
	var (
		givenUp  = ctx.Done()
		deadline <-chan time.Time
		ringing  bool
	)
	for {
		select {
		case res := <-tx.Responses():
			if res.IsSuccess() {
				return tx, res, nil
			}
			if !res.IsProvisional() {
				a.refused(req, res)
				tx.Terminate()
				return nil, res, nil
			}
			if deadline != nil && !ringing {
				a.cancel(ctx, req)
			}
			ringing = true
			early(res)
		case <-tx.Done():
			err := transactionError(tx)
			if ringing {
				err = noFailover(err) // it may be ringing there
			}
			return nil, nil, err
		case <-givenUp:
			givenUp = nil
			deadline = time.After(64 * gosip.T1)
			if ringing {
				a.cancel(ctx, req)
			}
		case <-deadline:
			tx.Terminate()
			return nil, nil, ErrTimeout
		case <-a.life.Done():
			return nil, nil, ErrClosed
		}
	}
}

// refused keeps the ACK to a refusal that came by datagram, which may come again (RFC 3261 §17.1.1.2). sipgo would wait T2 before it
// acknowledges each of those, with a goroutine for each.
func (a *Agent) refused(invite *gosip.Request, res *gosip.Response) {
	if gosip.IsReliable(invite.Transport()) {
		return
	}
	ack := hopByHop(invite, gosip.ACK)
	ack.RemoveHeader("To")
	gosip.CopyHeaders("To", res, ack)
	key := branch(invite)
	a.refusals.Store(key, ack)
	time.AfterFunc(gosip.Timer_D, func() { a.refusals.Delete(key) })
}

// refusedAgain acknowledges a refusal that came again.
func (a *Agent) refusedAgain(res *gosip.Response) {
	kept, ok := a.refusals.Load(branch(res))
	if !ok {
		return
	}
	ack, _ := kept.(*gosip.Request)
	if err := a.transport.WriteMsg(ack.Clone()); err != nil {
		a.log.Debug("ACK not sent", "error", err)
	}
}

// cancel sends CANCEL (RFC 3261 §9.1) in the background, with the Reason that ctx ended for if there is one.
func (a *Agent) cancel(ctx context.Context, invite *gosip.Request) {
	req := hopByHop(invite, gosip.CANCEL)
	if why := reasonFor(context.Cause(ctx)); why != nil {
		req.AppendHeader(why.header())
	}
	a.task(func() {
		if _, err := a.await(a.life, req); err != nil { // timer F bounds it
			a.log.Debug("CANCEL not answered", "error", err)
		}
	})
}

// hopByHop makes the CANCEL of an INVITE or the ACK to its refusal, which go where the INVITE went (RFC 3261 §9.1, §17.1.1.3).
func hopByHop(invite *gosip.Request, method gosip.RequestMethod) *gosip.Request {
	req := gosip.NewRequest(method, *invite.Recipient.Clone())
	req.AppendHeader(invite.Via().Clone())
	for _, name := range []string{"Route", "From", "To", "Call-ID", "Max-Forwards"} {
		gosip.CopyHeaders(name, invite, req)
	}
	req.AppendHeader(&gosip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: method})
	req.SetBody(nil)
	req.SetTransport(invite.Transport())
	req.SetDestination(invite.Destination())
	req.Laddr = invite.Laddr
	return req
}
