package sip

import (
	"context"
	"errors"
	"fmt"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// sendInvite sends an INVITE that is ready to be sent, the first of a call or one within it, and waits for the final response.
// early sees the provisional ones.
//
// When ctx ends, the INVITE is canceled. CANCEL has to wait for a provisional response (RFC 3261 §9.1), and for the final response
// to a canceled INVITE we wait 64*T1 at most. The transaction stays after a final response, to acknowledge it again where that is
// needed.
func (a *Agent) sendInvite(
	ctx context.Context, req *gosip.Request, early func(*gosip.Response),
) (*gosip.ClientTx, *gosip.Response, error) {
	tx, err := a.transactions.Request(ctx, req)
	if err != nil {
		return nil, nil, fmt.Errorf("sip: send: %w", err)
	}
	var (
		givenUp  = ctx.Done()
		deadline <-chan time.Time
		ringing  bool
	)
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return tx, res, nil
			}
			if deadline != nil && !ringing {
				a.cancel(ctx, req)
			}
			ringing = true
			early(res)
		case <-tx.Done():
			return nil, nil, transactionError(tx)
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

// cancel sends CANCEL (RFC 3261 §9.1) in the background, with the Reason that ctx ended for if there is one.
func (a *Agent) cancel(ctx context.Context, invite *gosip.Request) {
	req := gosip.NewRequest(gosip.CANCEL, *invite.Recipient.Clone())
	req.AppendHeader(invite.Via().Clone())
	for _, name := range []string{"Route", "From", "To", "Call-ID", "Max-Forwards"} {
		gosip.CopyHeaders(name, invite, req)
	}
	req.AppendHeader(&gosip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: gosip.CANCEL})
	var why *Reason
	if errors.As(context.Cause(ctx), &why) && why.check() == nil {
		req.AppendHeader(why.header())
	}
	req.SetBody(nil)
	req.SetTransport(invite.Transport())
	req.SetDestination(invite.Destination())
	req.Laddr = invite.Laddr
	a.task(func() {
		if _, err := a.await(a.life, req); err != nil { // timer F bounds it
			a.log.Debug("CANCEL not answered", "error", err)
		}
	})
}
