package sip

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// ringTime is how long an invitation waits for Answer or Reject at most, or the time in its Expires header field if that is
// shorter.
const ringTime = 3 * time.Minute

type invitationID struct{ callID, remote string }

// An Invitation is a call that a peer places to us and that waits for Answer or Reject, for three minutes at most.
// All methods are safe for concurrent use.
type Invitation struct {
	agent   *Agent
	id      invitationID
	request *gosip.Request
	tx      *gosip.ServerTx
	address string
	name    string
	focus   bool

	description *description // nil without an offer
	chat        int          // the media line of offer
	offer       *Media

	canceled chan struct{}
	why      error // ErrCanceled with the reason of the CANCEL, once canceled is closed
	once     sync.Once
	done     chan struct{}

	mu       sync.Mutex
	answered bool // Answer or Reject has the word
	ringing  *provisional
	err      error
}

// invited takes an INVITE outside of a dialog.
func (a *Agent) invited(req *gosip.Request, tx *gosip.ServerTx) {
	i, refusal := a.newInvitation(req, tx)
	if refusal == nil && !tx.OnCancel(i.cancel) {
		return // a CANCEL that was faster has been answered by sipgo already
	}
	if refusal == nil {
		refusal = a.enqueue(i) // from here on it may be answered, and canceled for a reason
	}
	if refusal != nil {
		a.refuse(req, tx, refusal)
		return
	}
	if !a.task(i.watch) {
		i.finish(ErrClosed)
	}
}

// cancel takes the CANCEL, which sipgo answers, together with the INVITE.
func (i *Invitation) cancel(req *gosip.Request) {
	i.why = because(ErrCanceled, req)
	close(i.canceled)
}

// A refusal is the response that an INVITE gets without the application.
type refusal struct {
	code    int
	reason  string
	headers []gosip.Header
}

var notAcceptable = &refusal{code: gosip.StatusNotAcceptableHere, reason: "Not Acceptable Here"}

func (a *Agent) newInvitation(req *gosip.Request, tx *gosip.ServerTx) (*Invitation, *refusal) {
	i := &Invitation{
		agent: a, request: req, tx: tx,
		id:       invitationID{callID(req), fromTag(req)},
		address:  addressOfRecord(req.From().Address),
		name:     printable(unquote(req.From().DisplayName)),
		canceled: make(chan struct{}),
		done:     make(chan struct{}),
		chat:     -1,
	}
	target, focus, ok := contact(req)
	switch i.focus = focus; {
	case !ok:
		return nil, &refusal{code: gosip.StatusBadRequest, reason: "Contact Required"}
	case req.Recipient.Scheme == "sips" && target.Scheme != "sips": // RFC 3261 §12.1.1
		return nil, &refusal{code: gosip.StatusBadRequest, reason: "SIPS Contact Required"}
	}
	if !acceptsSDP(req) {
		return nil, &refusal{code: gosip.StatusNotAcceptable, reason: "Not Acceptable"}
	}
	_, r := a.answerTimer(req)
	if r != nil || len(req.Body()) == 0 {
		return i, r
	}
	if i.description, r = readOffer(req); r != nil {
		return nil, r
	}
	var err error
	if i.chat, i.offer, err = i.description.offered(a.opts.AcceptTLS); err != nil {
		a.log.Debug("offer refused", "error", err)
		return nil, notAcceptable
	}
	return i, nil
}

func readOffer(req *gosip.Request) (*description, *refusal) {
	if !isSDP(req) {
		return nil, unsupportedMedia(typeSDP)
	}
	d, err := parseSDP(req.Body())
	if err != nil {
		return nil, &refusal{code: gosip.StatusBadRequest, reason: "Malformed SDP"}
	}
	return d, nil
}

// acceptsSDP reports whether the caller can read our answer (RFC 3261 §20.1).
func acceptsSDP(req *gosip.Request) bool {
	if count(req, "Accept") == 0 {
		return true
	}
	return slices.ContainsFunc(listed(req, "Accept"), func(s string) bool {
		media, _, _ := strings.Cut(s, ";")
		return slices.Contains([]string{typeSDP, "application/*", "*/*"}, strings.TrimSpace(media))
	})
}

// isSDP looks at Content-Type and Content-Encoding.
func isSDP(m message) bool {
	t := m.ContentType()
	if t == nil || isEncoded(m) {
		return false
	}
	name, _, _ := strings.Cut(t.Value(), ";")
	return strings.EqualFold(strings.TrimSpace(name), typeSDP)
}

func isEncoded(m message) bool {
	return count(m, "Content-Encoding")+count(m, "e") > 0
}

// enqueue registers the invitation and puts it before Accept, within the limits.
func (a *Agent) enqueue(i *Invitation) *refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.draining:
		return &refusal{code: gosip.StatusServiceUnavailable, reason: "Shutting Down"}
	case a.knows(i.id): // the same INVITE on another way (RFC 3261 §8.2.2.2)
		return &refusal{code: gosip.StatusLoopDetected, reason: "Merged Request"}
	case len(a.calls)+len(a.invitations) >= a.opts.MaxCalls:
		return &refusal{code: gosip.StatusBusyHere, reason: "Busy Here"}
	case len(a.queue) >= a.opts.MaxInvitations:
		return &refusal{gosip.StatusTemporarilyUnavailable, "Temporarily Unavailable",
			[]gosip.Header{retryAfter()}}
	}
	a.invitations[i.id] = i
	a.queue = append(a.queue, i)
	a.wake()
	return nil
}

// knows is called with a.mu held.
func (a *Agent) knows(id invitationID) bool {
	if _, ok := a.invitations[id]; ok {
		return true
	}
	for call := range a.calls {
		if call.callID == id.callID && call.remote == id.remote {
			return true
		}
	}
	return false
}

// wake lets one Accept look at the queue.
func (a *Agent) wake() {
	select {
	case a.arrived <- struct{}{}:
	default:
	}
}

// Accept returns the next invitation. Whatever user the Request-URI and To name, the call is ours: a registrar or a proxy that forwards it has seen to
// that, and may have rewritten either (RFC 3261 §8.2.2.1). The invitation may have been canceled by the time that Answer is called. The error is
// ErrClosed after Close or Shutdown, or that of ctx.
func (a *Agent) Accept(ctx context.Context) (*Invitation, error) {
	for {
		select {
		case <-a.closing:
			return nil, ErrClosed
		default:
		}
		if i := a.dequeue(); i != nil {
			return i, nil
		}
		select {
		case <-a.arrived:
		case <-a.closing:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (a *Agent) dequeue() *Invitation {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return nil
	}
	i := a.queue[0]
	a.queue = slices.Delete(a.queue, 0, 1)
	if len(a.queue) > 0 {
		a.wake() // for another Accept
	}
	return i
}

// watch ends an invitation that nobody answers. Once Answer or Reject has the word, that ends it.
func (i *Invitation) watch() {
	ringing := time.NewTimer(ringTime)
	defer ringing.Stop()
	expires := time.NewTimer(i.expires())
	defer expires.Stop()
	select {
	case <-i.done:
	case <-i.canceled:
		i.giveUp(0, "", i.why)
	case <-i.tx.Done():
		i.giveUp(0, "", fmt.Errorf("%w: its connection is gone", ErrCanceled))
	case <-expires.C: // RFC 3261 §13.3.1
		i.giveUp(gosip.StatusRequestTerminated, "Request Terminated", ErrTimeout)
	case <-ringing.C:
		i.giveUp(gosip.StatusTemporarilyUnavailable, "No Answer", ErrTimeout)
	case <-i.agent.closing:
		i.giveUp(gosip.StatusTemporarilyUnavailable, "Shutting Down", ErrClosed)
	}
}

// expires is how long the invitation is valid by its Expires header field; longer than ringTime where it has none.
func (i *Invitation) expires() time.Duration {
	if d, ok := seconds(headerValue(i.request, "Expires")); ok {
		return d
	}
	return 2 * ringTime
}

// giveUp ends the invitation, with a response where one is due.
func (i *Invitation) giveUp(code int, reason string, err error) {
	if i.claim() != nil {
		return
	}
	i.agent.unqueue(i) // first, so that nobody accepts what the caller knows to be over
	if code != 0 {
		i.agent.respond(i.request, i.tx, code, reason)
	}
	i.finish(err)
}

func (a *Agent) unqueue(i *Invitation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = slices.DeleteFunc(a.queue, func(q *Invitation) bool { return q == i })
}

// hungUp ends the invitation for a caller that says BYE before the answer, and reports false when the answer was faster.
func (i *Invitation) hungUp(bye *gosip.Request) bool {
	i.giveUp(gosip.StatusRequestTerminated, "Request Terminated", because(ErrCanceled, bye))
	return i.Err() != nil
}

// finish ends the invitation, the first time that it is called.
func (i *Invitation) finish(err error) {
	i.once.Do(func() {
		i.mu.Lock()
		i.answered = true
		i.err = err
		i.mu.Unlock()
		i.agent.unqueue(i)
		i.forget()
		close(i.done)
	})
}

// forget makes room for another invitation: it is over, or a call.
func (i *Invitation) forget() {
	i.agent.mu.Lock()
	defer i.agent.mu.Unlock()
	if i.agent.invitations[i.id] == i {
		delete(i.agent.invitations, i.id)
	}
}

// claim lets only one of Answer, Reject and the watcher end the invitation.
func (i *Invitation) claim() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.isOpen(); err != nil {
		return err
	}
	i.answered = true
	return nil
}

// RemoteAddress is the caller's address of record as its From header field gives it, for example "sip:bob@example.com". It is a
// claim of the caller's unless a trusted proxy checks it.
func (i *Invitation) RemoteAddress() string { return i.address }

// RemoteDisplayName is the caller's display name, its own claim too, without control characters. It may be empty.
func (i *Invitation) RemoteDisplayName() string { return i.name }

// Offer is a copy of the caller's side of the MSRP session; nil when the INVITE had no offer, and Answer makes it then
// (RFC 3261 §13.2.1).
func (i *Invitation) Offer() *Media { return i.offer.clone() }

// Focus reports whether the caller is a conference focus: isfocus in its Contact (RFC 4579 §4).
func (i *Invitation) Focus() bool { return i.focus }

// Done is closed when the invitation is over: answered, rejected, canceled or timed out.
func (i *Invitation) Done() <-chan struct{} { return i.done }

// Err says how an invitation ended without a call: nil while it waits and after a successful Answer or Reject, ErrCanceled,
// ErrTimeout, ErrClosed, or the error of Answer.
func (i *Invitation) Err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}
