package sip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

const reliable = "100rel" // the option tag of RFC 3262

// acknowledgeProvisional acknowledges a reliable provisional response with PRACK (RFC 3262 §4). One that comes again, or before the one
// that it follows, is passed over: the peer repeats it. So is one that comes while a PRACK is under way. It is called with o.mu
// held.
func (o *outgoing) acknowledgeProvisional(e *early, res *gosip.Response) {
	seq, ok := rseq(res)
	if !ok || e.pracks || e.seq != 0 && seq != e.seq+1 {
		return
	}
	a, d, c := o.agent, &e.dialog, o.credentials
	next, network, rack := d.nextHop(), d.network, fmt.Sprintf("%d %d INVITE", seq, res.CSeq().SeqNo)
	e.pracks = a.task(func() {
		ctx, cancel := context.WithTimeout(a.life, 64*gosip.T1)
		defer cancel()
		_, err := a.exchange(ctx, next, network, c, func(hop) *gosip.Request {
			o.mu.Lock()
			defer o.mu.Unlock()
			d.localSeq++
			req := d.request("PRACK", d.localSeq)
			req.AppendHeader(header("RAck", rack))
			return req
		})
		if err != nil {
			a.log.Debug("PRACK not answered", "error", err)
		}
		o.mu.Lock()
		e.pracks = false
		o.mu.Unlock()
	})
	e.seq = seq
	if e.answer == nil && isSDP(res) {
		e.answer = res
	}
}

// rseq reads the number of a reliable provisional response, and reports false for any other.
func rseq(res *gosip.Response) (uint32, bool) {
	if !slices.Contains(listed(res, "Require"), reliable) || res.StatusCode <= 100 {
		return 0, false
	}
	h := res.GetHeader("RSeq")
	if h == nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
	return uint32(n), err == nil && n != 0
}

// A provisional is a reliable provisional response of ours that waits for its PRACK (RFC 3262 §3).
type provisional struct {
	seq, invite uint32 // RSeq, and CSeq of the INVITE
	acked       atomic.Bool
	done        chan struct{} // closed when acked
}

// ringReliably sends 180 reliably. One that waits for its PRACK already is repeated without us, and the next has to wait for that. It is
// called with i.mu held.
func (i *Invitation) ringReliably(res *gosip.Response) error {
	if err := i.isOpen(); err != nil {
		return err
	}
	p := &provisional{seq: 1 + rand.Uint32N(1<<30), invite: i.request.CSeq().SeqNo, done: make(chan struct{})}
	if before := i.ringing; before != nil {
		if !before.acked.Load() {
			return nil
		}
		p.seq = before.seq + 1
	}
	res.AppendHeader(header("Require", reliable))
	res.AppendHeader(header("RSeq", strconv.FormatUint(uint64(p.seq), 10)))
	if err := i.sendProvisional(res); err != nil {
		return err
	}
	i.ringing = p
	i.agent.task(func() { i.repeat(res, p) })
	return nil
}

// repeat sends a reliable provisional response again until its PRACK or a final response, and refuses the call when no
// PRACK comes.
func (i *Invitation) repeat(res *gosip.Response, p *provisional) {
	interval := gosip.T1
	again := time.NewTimer(interval)
	defer again.Stop()
	giveUp := time.NewTimer(64 * gosip.T1)
	defer giveUp.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-i.done:
			return
		case <-again.C:
			i.mu.Lock()
			err := i.sendProvisional(res)
			i.mu.Unlock()
			if err != nil {
				return
			}
			interval *= 2
			again.Reset(interval)
		case <-giveUp.C:
			i.giveUp(gosip.StatusGatewayTimeout, "No PRACK", ErrTimeout)
			return
		}
	}
}

func (i *Invitation) provisional() *provisional {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.ringing
}

// pracked takes a PRACK. p is the reliable provisional response of the dialog that was sent last, nil without one.
func (a *Agent) pracked(req *gosip.Request, tx *gosip.ServerTx, p *provisional) {
	if p == nil || !p.acknowledged(req) {
		a.refuseUnknown(req, tx)
		return
	}
	a.respond(req, tx, gosip.StatusOK, "OK")
}

// acknowledged reports whether a PRACK is for p and the first one, and lets p rest then.
func (p *provisional) acknowledged(req *gosip.Request) bool {
	h := req.GetHeader("RAck")
	if h == nil || !slices.Equal(strings.Fields(h.Value()), strings.Fields(fmt.Sprintf("%d %d INVITE", p.seq, p.invite))) {
		return false
	}
	if !p.acked.CompareAndSwap(false, true) {
		return false
	}
	close(p.done)
	return true
}
