package sip

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

var errMalformed = errors.New("sip: malformed response")

type outgoingID struct{ callID, local string }

// outgoing is an INVITE of ours, until 32 seconds after its end: a 2xx may come late (RFC 3261 §13.2.2.4).
type outgoing struct {
	agent    *Agent
	address  string
	session  session   // our offer
	deadline time.Time // of the context of Invite, for Expires; zero without one

	ctx    context.Context // ends when the caller of Invite gives up, or the agent's life
	giveUp context.CancelCauseFunc
	result chan outcome
	over   atomic.Bool

	mu          sync.Mutex
	dialog      dialog // without a remote tag
	credentials *credentials
	floor       time.Duration     // the Min-SE that was demanded
	invite      *gosip.Request    // the one that was sent last
	early       map[string]*early // by remote tag
	won         bool              // a phone has the call
	further     int               // answers of further phones
}

type outcome struct {
	call *Call
	err  error
}

// Invite calls target, a SIP URI such as "sip:bob@example.com" or "sip:bob@192.0.2.1:5060;transport=tcp", and offers the MSRP session. It returns
// when the peer has answered and the answer fits. A target without a transport parameter is called as the records of its domain say (RFC 3263), and
// where those say nothing over UDP if the agent listens there, otherwise over TCP; an INVITE too large for a datagram goes over TCP in any case
// (RFC 3261 §18.1.1).
//
// A peer that redirects us (300, 301, 302) is followed to the SIP URIs that it names, within Options.MaxRedirects (RFC 3261 §8.1.3.4);
// the call keeps the address that was called. Where proxies ring several phones the first that answers has the call.
// A peer that hangs up at once leaves a call that is over already.
//
// How long it may ring is ctx's affair alone. When ctx ends, the INVITE is canceled in the background, with the *Reason that is ctx's
// cause if there is one, and a peer that answers all the same is hung up on. A deadline is told to the peer in an Expires header field.
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
	o := a.newOutgoing(requestURI(u), local)
	o.deadline, _ = ctx.Deadline()
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
	from := a.self
	if to.Scheme == "sips" { // RFC 5630 §5.1.1
		from.Scheme = "sips"
	}
	o := &outgoing{
		agent: a,
		dialog: dialog{
			id:        dialogID{callID: newID(), local: newID()},
			local:     party{quote(a.opts.DisplayName), from},
			remote:    party{uri: to},
			target:    target,
			routes:    a.preloaded(),
			remoteSeq: -1,
		},
		address: addressOfRecord(to),
		session: session{origin: newOrigin(), ours: local, local: local},
		early:   make(map[string]*early),
		result:  make(chan outcome),
	}
	o.session.sdp = appendOffer(nil, o.session.origin, local)
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

// place calls the target, and where that redirects us those that it names.
func (o *outgoing) place() (*Call, error) {
	var err error
	ts := newTargets(o.dialog.target, o.agent.opts.MaxRedirects)
	for target, ok := ts.next(); ok; target, ok = ts.next() {
		o.aim(target)
		var (
			call *Call
			res  *gosip.Response
		)
		call, res, err = o.attempt()
		switch {
		case o.ctx.Err() != nil || errors.Is(err, ErrClosed) || res != nil && (res.IsSuccess() || res.IsGlobalError()):
			return call, err
		case res != nil:
			ts.add(res)
		}
	}
	return nil, err
}

// aim makes target the one that is called. What a server asked of us is no business of the one that it sends us to.
func (o *outgoing) aim(target gosip.Uri) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dialog.target = target
	o.credentials = o.agent.newCredentials()
}

// attempt sends the INVITE to one target, again with credentials where it is challenged. The response is the final one, nil
// where there was none; it comes with a call or with an error.
func (o *outgoing) attempt() (*Call, *gosip.Response, error) {
	hops, err := o.agent.locate(o.ctx, o.dialog.nextHop(), "")
	if err != nil {
		return nil, nil, err
	}
	answered := make(round)
	for n := 1; ; n++ {
		o.count()
		var tx *gosip.ClientTx
		res, err := o.agent.failover(o.ctx, hops, func(h hop) (res *gosip.Response, err error) {
			tx, res, err = o.sendTo(h)
			return res, err
		})
		if err != nil {
			return nil, nil, err
		}
		again := o.credentials.learn(res, answered) || o.raise(res)
		switch {
		case res.IsSuccess():
			defer tx.Terminate() // after the call is registered: a 2xx that comes again finds one of the two
			call, err := o.established(res)
			return call, res, err
		case !again || n == maxAttempts || o.ctx.Err() != nil:
			return nil, res, statusError(res)
		}
	}
}

// raise takes a 422 and reports whether it is worth asking for a longer session interval.
func (o *outgoing) raise(res *gosip.Response) bool {
	floor, ok := tooShort(res, max(o.floor, o.agent.opts.SessionExpires))
	if ok {
		o.floor = floor
	}
	return ok
}

// count starts another INVITE: what came of the one before is over.
func (o *outgoing) count() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dialog.localSeq++
	clear(o.early)
}

// sendTo makes the INVITE for one hop and waits for its final response.
func (o *outgoing) sendTo(h hop) (*gosip.ClientTx, *gosip.Response, error) {
	req := o.request(h)
	sent, err := o.agent.prepare(o.ctx, req, h)
	if err != nil {
		return nil, nil, err
	}
	o.mu.Lock()
	o.dialog.network, o.invite = sent.network, req
	o.mu.Unlock()
	return o.agent.sendInvite(o.ctx, req, o.provisional)
}

func (o *outgoing) request(h hop) *gosip.Request {
	req := o.dialog.request(gosip.INVITE, o.dialog.localSeq)
	for _, h := range append(o.agent.capabilities(), o.agent.timerOffer(sessionTimer{}, o.floor)...) {
		req.AppendHeader(h)
	}
	if left := time.Until(o.deadline); left > 0 && !o.deadline.IsZero() { // RFC 3261 §13.2.1
		req.AppendHeader(header("Expires", strconv.FormatInt(min(1+int64(left/time.Second), math.MaxUint32), 10)))
	}
	req.AppendHeader(header("Content-Type", typeSDP))
	req.SetBody(o.session.sdp)
	o.credentials.sign(req, h.network)
	return req
}
