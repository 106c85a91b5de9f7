package sip

import (
	"context"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// byeTimeout bounds a BYE that nobody waits for.
const byeTimeout = 10 * time.Second

// A Call is a dialog with a peer and the MSRP session that was agreed in it. All methods are safe for concurrent use.
type Call struct {
	agent       *Agent
	address     string
	name        string
	credentials *credentials
	done        chan struct{}
	asked       chan *Reinvitation // holds what waits for AcceptReinvite

	mu        sync.Mutex
	dialog    dialog
	session   // what was agreed
	focus     bool
	changed   chan struct{}
	acks      []sentACK
	arrivals  []*arrival
	offering  bool          // an INVITE of ours is in progress
	awaits    bool          // the answer to our offer has not come
	answering bool          // an offer of the peer's waits for our answer
	pending   *confirmation // a 2xx of ours waits for its ACK
	ringing   *provisional  // of the invitation, for a PRACK that is late
	idle      chan struct{} // closed when one of the three ends
	follows   bool          // AcceptReinvite was called
	updates   bool          // the peer takes UPDATE
	floor     time.Duration // the largest Min-SE that was heard of
	interval  time.Duration // of the session timer, 0 for none
	refreshes bool          // this side refreshes the session
	timer     *time.Timer   // until the next refresh, or the end; nil before the first
	round     uint          // how often it was started or stopped
	ending    bool          // BYE was said, or is being said
	over      bool          // done is closed
	err       error
}

func (a *Agent) newCall(d dialog, address, name string) *Call {
	return &Call{
		agent: a, dialog: d, address: address, name: name,
		credentials: a.newCredentials(),
		session:     session{origin: newOrigin()},
		done:        make(chan struct{}),
		asked:       make(chan *Reinvitation, 1),
		changed:     make(chan struct{}),
		idle:        make(chan struct{}),
	}
}

// register lets requests of the dialog find the call. late is for a call that must still be hung up while the
// agent is closing.
func (a *Agent) register(c *Call, late bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended || (a.draining && !late) {
		return false
	}
	a.calls[c.dialog.id] = c
	return true
}

func (a *Agent) forget(c *Call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.calls[c.dialog.id] == c { // the ID never changes
		delete(a.calls, c.dialog.id)
	}
}

// RemoteAddress is the peer's address of record: for a call that we placed the address that we called, for the
// others what the caller claimed in From.
func (c *Call) RemoteAddress() string { return c.address }

// RemoteDisplayName is the display name that the caller claimed, without control characters; empty for a call that we
// placed.
func (c *Call) RemoteDisplayName() string { return c.name }

// Remote is a copy of the peer's side of the MSRP session. Its Setup is the role that was agreed, SetupActive or
// SetupPassive.
func (c *Call) Remote() *Media {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remote.clone()
}

// Local is a copy of our side of the MSRP session. With Setup SetupActive we connect to the first URI of
// Remote().Path, with SetupPassive the peer connects to ours.
func (c *Call) Local() *Media {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local.clone()
}

// Focus reports whether the peer is a conference focus: isfocus in the Contact that it sent last (RFC 4579 §4).
func (c *Call) Focus() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.focus
}

// Changed returns a channel that is closed when Local, Remote or Focus changes the next time, by a re-INVITE or UPDATE of
// either side. Call it before those, so that no change falls between the two.
func (c *Call) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// setFocus is called with c.mu held.
func (c *Call) setFocus(focus bool) {
	if c.focus != focus {
		c.focus = focus
		c.change()
	}
}

// change is called with c.mu held.
func (c *Call) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Done is closed when the call is over, whoever ended it.
func (c *Call) Done() <-chan struct{} { return c.done }

// Err says why the call is over: ErrClosed when we hung up, ErrEnded when the peer did, ErrTimeout when the peer did not answer, an ACK
// never came or nobody refreshed the session, a *StatusError when the peer knew nothing of the call any more. It is nil while the
// call is up.
func (c *Call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Bye hangs up and waits for the peer's answer (RFC 3261 §15.1.1). The call is over in any case when it returns. It returns
// nil when the peer agrees or knows nothing of the call, and when the call was over before; otherwise a *StatusError, ErrTimeout,
// or the error of ctx or of the transport.
func (c *Call) Bye(ctx context.Context) error {
	if !c.startEnding() {
		select {
		case <-c.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := c.goodbye(ctx)
	c.end(ErrClosed)
	return err
}

// Close hangs up without waiting for the peer: the call is over at once, and the BYE goes out in the background. It is
// idempotent and always returns nil.
func (c *Call) Close() error {
	c.hangUp(ErrClosed)
	return nil
}

// startEnding reports whether it is the caller who has to say BYE.
func (c *Call) startEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return false
	}
	c.ending = true
	return true
}

// hangUp ends the call and says BYE in the background.
func (c *Call) hangUp(err error) {
	first := c.startEnding()
	c.finish(err)
	if !first {
		return // the one who says BYE also forgets the call
	}
	started := c.agent.task(func() {
		ctx, cancel := context.WithTimeout(context.Background(), byeTimeout)
		defer cancel()
		if err := c.goodbye(ctx); err != nil {
			c.agent.log.Debug("BYE not answered", "error", err)
		}
		c.end(err)
	})
	if !started {
		c.end(err)
	}
}

// goodbye says BYE. The called side must not do so before the ACK came (RFC 3261 §15); an agent that closes does.
func (c *Call) goodbye(ctx context.Context) error {
	c.mu.Lock()
	p := c.pending
	c.mu.Unlock()
	if p != nil {
		select {
		case <-p.done:
		case <-c.agent.closing:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	why := c.agent.capabilities() // Supported stands in every request (RFC 4028 §7.1)
	if r := reasonFor(c.Err()); r != nil {
		why = append(why, r.header())
	}
	res, err := c.exchange(ctx, gosip.BYE, why...)
	switch {
	case err != nil:
		return err
	case res.IsSuccess(), res.StatusCode == gosip.StatusCallTransactionDoesNotExists,
		res.StatusCode == gosip.StatusRequestTimeout:
		return nil
	}
	return statusError(res)
}

// exchange sends a request of the dialog and returns the final response. It answers challenges.
func (c *Call) exchange(ctx context.Context, method gosip.RequestMethod, extra ...gosip.Header) (*gosip.Response, error) {
	c.mu.Lock()
	next, network := c.dialog.nextHop(), c.dialog.network
	c.mu.Unlock()
	return c.agent.exchange(ctx, next, network, c.credentials, func(hop) *gosip.Request {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.dialog.localSeq++
		req := c.dialog.request(method, c.dialog.localSeq)
		for _, h := range extra {
			req.AppendHeader(h)
		}
		return req
	})
}

func statusError(res *gosip.Response) error {
	return &StatusError{Code: res.StatusCode, Reason: printable(res.Reason)}
}

// finish makes the call over, the first time that it is called.
func (c *Call) finish(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.over = true
	c.err = err
	c.stopTimer()
	close(c.done)
}

// end makes the call over without a BYE of ours, and unknown to the agent.
func (c *Call) end(err error) {
	c.finish(err)
	c.mu.Lock()
	c.ending = true
	c.settle(c.pending)
	c.mu.Unlock()
	c.agent.forget(c)
}

func (c *Call) isOver() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
