package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

const (
	defaultExpires = time.Hour
	minExpires     = time.Minute
	maxExpires     = 24 * time.Hour
)

var errRegistered = errors.New("sip: register: the agent has a registration already")

// RegisterOptions configure a Registration. The zero value works.
type RegisterOptions struct {
	// Registrar is the SIP URI, without a user part, that REGISTER requests go to. Default: the domain of Options.Address.
	Registrar string

	// Expires is how long the registrar shall keep us without a refresh, from one minute to one day. It may give us less, or demand more
	// (423, RFC 3261 §10.3). Default: one hour.
	Expires time.Duration

	// Q is the priority of this agent among others that are registered for the same address, above 0 to 1, in thousandths (RFC 3261
	// §20.10). Default: none given.
	Q float64
}

// Register registers the agent for its address (RFC 3261 §10.2), through Options.OutboundProxy if there is one, and keeps it registered until
// the Registration or the agent is closed: it refreshes in time, registers again at once when the connection to the registrar breaks, and
// after failures that may pass with pauses from 2 seconds to 5 minutes. An agent has one registration at a time.
//
// It returns once the agent is registered. The error is a *StatusError where the registrar refuses for good (a wrong password, an unknown user, 403 and the
// like), ErrNotListening, or ErrClosed. What may pass is tried again until ctx ends; then the error wraps ctx's and the last failure, and a REGISTER
// that was under way may have taken effect for its time.
func (a *Agent) Register(ctx context.Context, o *RegisterOptions) (*Registration, error) {
	if o == nil {
		o = new(RegisterOptions)
	}
	registrar, err := o.check(a.self)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := a.newRegistration(registrar, o)
	if _, err := a.newSearch(append(a.proxy(), registrar)[0], ""); err != nil { // what no time will mend
		return nil, fmt.Errorf("sip: register: %w", err)
	}
	if err := a.adopt(r); err != nil {
		return nil, err
	}
	select {
	case <-r.registered:
		return r, nil
	case <-r.done:
		return nil, r.Err()
	case <-ctx.Done():
		_ = r.Close() // always nil
		return nil, errors.Join(ctx.Err(), r.State().Err)
	}
}

// expires is what we ask for.
func (o *RegisterOptions) expires() time.Duration {
	return cmp.Or(o.Expires, defaultExpires)
}

// quality writes a q parameter.
func quality(q float64) string {
	if q == 0 {
		return ""
	}
	return strconv.FormatFloat(max(math.Round(q*1000), 1)/1000, 'f', -1, 64)
}

// check returns the URI of the registrar.
func (o *RegisterOptions) check(self gosip.Uri) (gosip.Uri, error) {
	registrar := gosip.Uri{Scheme: self.Scheme, Host: self.Host, Port: self.Port}
	switch e := o.expires(); {
	case e < minExpires || e > maxExpires:
		return registrar, fmt.Errorf("sip: RegisterOptions.Expires is not from %v to %v", minExpires, maxExpires)
	case !(o.Q >= 0 && o.Q <= 1):
		return registrar, errors.New("sip: RegisterOptions.Q is not from 0 to 1")
	case o.Registrar == "":
		return registrar, nil
	}
	registrar, err := parseURI(o.Registrar)
	if err == nil && registrar.User != "" { // RFC 3261 §10.2
		err = errors.New("a registrar's URI has no user part")
	}
	if err != nil {
		return registrar, fmt.Errorf("sip: RegisterOptions.Registrar: %w", err)
	}
	return registrar, nil
}

// adopt starts r, unless the agent is closing or has a registration.
func (a *Agent) adopt(r *Registration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.draining:
		return ErrClosed
	case a.registration != nil:
		return errRegistered
	}
	a.registration = r
	a.tasks.Go(r.run)
	return nil
}

// disown makes room for another registration.
func (a *Agent) disown() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.registration = nil
}

// unregister ends the registration if there is one.
func (a *Agent) unregister(ctx context.Context) {
	a.mu.Lock()
	r := a.registration
	a.mu.Unlock()
	if r != nil {
		_ = r.Shutdown(ctx) // the binding ends by itself if the registrar does not hear us
	}
}

// binding is what the registrar holds of us, nil while it holds nothing that we know of.
func (a *Agent) binding() *binding {
	a.mu.Lock()
	r := a.registration
	a.mu.Unlock()
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current()
}

// isInstance reports whether s is a URN that can stand in +sip.instance.
func isInstance(s string) bool {
	return len(s) > len("urn:") && len(s) <= maxText && strings.EqualFold(s[:4], "urn:") && !strings.ContainsFunc(s, notURIChar)
}
