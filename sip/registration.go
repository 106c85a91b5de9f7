package sip

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

const (
	minRefresh      = 5 * time.Second  // between two refreshes
	transactionTime = 32 * time.Second // until timer F fires (RFC 3261 §17.1.2.2)
	minBackoff      = 2 * time.Second
	maxBackoff      = 5 * time.Minute
	maxRetryAfter   = time.Hour
	steadyFlow      = 30 * time.Second // a connection that lived that long is replaced at once
)

// A Registration keeps an agent registered. Its methods are safe for concurrent use.
type Registration struct {
	agent       *Agent
	credentials *credentials
	instance    string // Options.InstanceID
	q           string

	life       context.Context // ends with Close
	kill       context.CancelFunc
	staying    context.Context // ends with Shutdown too
	leave      context.CancelFunc
	leaving    chan context.Context // holds that of the first Shutdown
	registered chan struct{}        // closed the first time
	done       chan struct{}

	// What run alone uses.
	dialog   dialog                 // Call-ID, tag and sequence number stay (RFC 3261 §10.2.4)
	asks     time.Duration          // Expires, as far as a registrar has raised it
	outbound bool                   // reg-id is sent, where there is an instance and a connection (RFC 5626 §4.2)
	last     hop                    // where the latest binding was made
	held     []*gosip.ContactHeader // what the registrar may hold of us

	mu      sync.Mutex
	binding *binding
	failure error     // of the latest REGISTER
	next    time.Time // when the next one is due
	changed chan struct{}
	err     error // why it is over
	left    error // what came of unregistering
}

// A RegistrationState is what a program shows of a registration.
type RegistrationState struct {
	Registered    bool      // the registrar holds our Contact, as far as we know
	Expires       time.Time // until then, unless it is refreshed; zero while not registered
	Contact       string    // the URI that is registered; empty while not registered
	GRUU          string    // our public GRUU (RFC 5627 §3.1), which goes into the Contact of our calls; empty if there is none
	TemporaryGRUU string    // the latest temporary GRUU; empty if there is none
	ServiceRoute  []string  // the URIs that requests outside a dialog go by (RFC 3608), the first one first
	Err           error     // what the latest REGISTER failed with; nil if it did not
	Retry         time.Time // when the next REGISTER is due; zero while one is under way, and at the end
}

func (a *Agent) newRegistration(registrar gosip.Uri, o *RegisterOptions) *Registration {
	r := &Registration{
		agent: a, credentials: a.newCredentials(),
		instance: a.opts.InstanceID, q: quality(o.Q),
		asks: o.expires().Truncate(time.Second), outbound: true,
		leaving:    make(chan context.Context, 1),
		registered: make(chan struct{}),
		done:       make(chan struct{}),
		changed:    make(chan struct{}),
		dialog: dialog{
			id:     dialogID{callID: newID(), local: newID()},
			local:  party{quote(a.opts.DisplayName), a.self},
			remote: party{uri: a.self},
			target: registrar,
		},
	}
	r.life, r.kill = context.WithCancel(a.life)
	r.staying, r.leave = context.WithCancel(r.life)
	return r
}

// State tells how the registration stands.
func (r *Registration) State() RegistrationState {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := RegistrationState{Err: r.failure, Retry: r.next}
	if b := r.current(); b != nil {
		s.Registered, s.Expires, s.Contact = true, b.expires, b.contact.Address.String()
		s.GRUU, s.TemporaryGRUU = b.gruu, b.temporaryGRUU
		for _, u := range b.routes {
			s.ServiceRoute = append(s.ServiceRoute, u.String())
		}
	}
	return s
}

// current is the binding unless its time is over. It is called with r.mu held.
func (r *Registration) current() *binding {
	if r.binding == nil || !time.Now().Before(r.binding.expires) {
		return nil
	}
	return r.binding
}

// Changed returns a channel that is closed when State changes the next time. Call it before State, so that no change falls between the two.
func (r *Registration) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Shutdown unregisters (RFC 3261 §10.2.2) and ends the registration. It returns nil when the registrar agrees or holds nothing of us, otherwise a *StatusError,
// ErrTimeout, or the error of ctx or of the transport; the registration is over all the same, and the registrar forgets it after its time.
func (r *Registration) Shutdown(ctx context.Context) error {
	select {
	case r.leaving <- ctx:
	default: // somebody else's Shutdown
	}
	r.leave()
	select {
	case <-r.done:
		return r.left
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the registration without telling the registrar, which forgets it after its time. It is idempotent and always returns nil.
func (r *Registration) Close() error {
	r.kill()
	<-r.done
	return nil
}

// Done is closed when the registration is over: closed, or refused for good.
func (r *Registration) Done() <-chan struct{} { return r.done }

// Err says why the registration is over: ErrClosed, or a *StatusError where the registrar refused. It is nil before Done is closed.
func (r *Registration) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// set changes what State tells.
func (r *Registration) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.changed)
	r.changed = make(chan struct{})
}

// run registers, again and again, until the end.
func (r *Registration) run() {
	err := r.stay()
	select {
	case ctx := <-r.leaving:
		r.left = r.unregister(ctx)
	default:
	}
	r.leave()
	r.kill()
	r.agent.disown()
	r.set(func() { r.binding, r.next, r.err = nil, time.Time{}, err })
	close(r.done)
}

// stay returns why the registration ends.
func (r *Registration) stay() error {
	for failures := 0; r.staying.Err() == nil; {
		r.set(func() { r.next = time.Time{} })
		b, refusal, err := r.register(r.staying)
		switch {
		case r.staying.Err() != nil:
			continue
		case err == nil:
			if r.keep(b) {
				failures = 0
				continue
			}
			failures++
		case isFinal(refusal, err):
			r.set(func() { r.failure = err })
			return err
		default:
			failures++
			r.set(func() {
				if r.failure = err; errors.Is(err, errNotBound) {
					r.binding = nil
				}
			})
		}
		r.rest(pause(failures, refusal), nil)
	}
	return ErrClosed
}

// keep holds a binding until the next REGISTER is due, and reports whether that may go at once: a connection that broke soon may break again.
func (r *Registration) keep(b *binding) bool {
	pause := refreshAfter(b.granted)
	r.hold(b, pause)
	r.tidy(b)
	since := time.Now()
	if !r.rest(pause, b) {
		return true
	}
	r.set(func() { r.binding = nil })
	return time.Since(since) > steadyFlow
}

// hold takes what the registrar has granted, which is refreshed after d.
func (r *Registration) hold(b *binding, d time.Duration) {
	r.set(func() { r.binding, r.failure, r.next = b, nil, time.Now().Add(d) })
	select {
	case <-r.registered:
	default:
		close(r.registered)
	}
}

// rest waits until the next REGISTER is due, and reports whether that is because the way to us that b names, if there is any, has gone. What was
// bound before may expire meanwhile.
func (r *Registration) rest(d time.Duration, b *binding) bool {
	var (
		lapse, ping <-chan time.Time
		gone        <-chan struct{}
	)
	if b != nil {
		gone = b.gone
	}
	if every := r.agent.opts.KeepAlive; b != nil && gone == nil && every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		ping = t.C
	}
	r.set(func() {
		r.next = time.Now().Add(d)
		if r.binding != nil {
			lapse = time.After(time.Until(r.binding.expires))
		}
	})
	due := time.NewTimer(d)
	defer due.Stop()
	for {
		select {
		case <-due.C:
			return false
		case <-gone:
			return true
		case <-ping:
			if r.agent.hasMoved(b) {
				return true
			}
			_ = r.agent.pingUDP(b.hop) // what it cannot do the next REGISTER will tell
		case <-lapse:
			r.set(func() { r.binding = nil })
		case <-r.staying.Done():
			return false
		}
	}
}

// hasMoved reports whether the address that is bound is ours no more.
func (a *Agent) hasMoved(b *binding) bool {
	u, err := a.location(b.hop)
	return err == nil && !sameURI(u, b.contact.Address)
}

// refreshAfter is 80 to 90 % of the granted time, but leaves the refresh the time that it takes to fail (RFC 5627 §4.2).
func refreshAfter(granted time.Duration) time.Duration {
	if granted <= 2*transactionTime {
		return max(granted/2, minRefresh)
	}
	return min(jitter(granted*8/10, granted*9/10), granted-transactionTime)
}

// pause is how long we wait after failures, and longer where the registrar wants that.
func pause(failures int, refusal *gosip.Response) time.Duration {
	d := backoff(failures)
	if refusal != nil {
		wait, _ := retryAfterOf(refusal)
		d = max(d, min(wait, maxRetryAfter))
	}
	return d
}

// backoff is the pause after the given number of failures in a row: 2 seconds, doubled each time up to 5 minutes, of which 50 to 100 %
// (as RFC 5626 §4.5 shapes it).
func backoff(failures int) time.Duration {
	d := min(minBackoff<<min(failures-1, 10), maxBackoff)
	return jitter(d/2, d)
}

func jitter(from, to time.Duration) time.Duration { return from + rand.N(to-from+1) }
