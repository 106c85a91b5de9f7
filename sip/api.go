package sip

import (
	"context"
	"errors"
	"net"

	gosip "github.com/emiago/sipgo/sip"
)

// An Agent places and takes calls for one address of record.
type Agent struct {
	opts Options
	self gosip.Uri
	done chan struct{}
}

// New makes an agent. It does no I/O; call Listen next.
func New(o *Options) (*Agent, error) {
	opts, self, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Agent{opts: opts, self: self, done: make(chan struct{})}, nil
}

// Listen opens a socket on network "tcp" or "udp" and serves it.
func (a *Agent) Listen(ctx context.Context, network, address string) (net.Addr, error) {
	return nil, errors.ErrUnsupported
}

// ListenOn serves a TCP listener of the caller's and owns it. It returns at once.
func (a *Agent) ListenOn(l net.Listener) error { return errors.ErrUnsupported }

// Invite calls target.
func (a *Agent) Invite(ctx context.Context, target string, offer *Media) (*Call, error) {
	return nil, errors.ErrUnsupported
}

// Accept waits for the next invitation.
func (a *Agent) Accept(ctx context.Context) (*Invitation, error) { return nil, errors.ErrUnsupported }

// Shutdown refuses new calls, hangs up the ones that are up and closes.
func (a *Agent) Shutdown(ctx context.Context) error { return errors.ErrUnsupported }

// Close stops now.
func (a *Agent) Close() error { return errors.ErrUnsupported }

// Done is closed when the agent is closed.
func (a *Agent) Done() <-chan struct{} { return a.done }

// Err says why.
func (a *Agent) Err() error { return nil }

// An Invitation is a call that a peer places to us and that waits for our answer.
type Invitation struct{}

// RemoteAddress is the caller's address of record.
func (i *Invitation) RemoteAddress() string { return "" }

// RemoteDisplayName is the caller's display name.
func (i *Invitation) RemoteDisplayName() string { return "" }

// Offer is the caller's side, nil when the INVITE had no offer.
func (i *Invitation) Offer() *Media { return nil }

// Focus reports whether the caller is a conference focus.
func (i *Invitation) Focus() bool { return false }

// Done is closed when the invitation is over: answered, rejected, canceled, timed out.
func (i *Invitation) Done() <-chan struct{} { return nil }

// Err says why.
func (i *Invitation) Err() error { return nil }

// Ring sends 180 Ringing.
func (i *Invitation) Ring(ctx context.Context) error { return errors.ErrUnsupported }

// Answer takes the call.
func (i *Invitation) Answer(ctx context.Context, answer *Media) (*Call, error) {
	return nil, errors.ErrUnsupported
}

// Reject refuses the call.
func (i *Invitation) Reject(ctx context.Context, code int, reason string) error {
	return errors.ErrUnsupported
}

// A Call is an established call.
type Call struct{}

// RemoteAddress is the peer's address of record.
func (c *Call) RemoteAddress() string { return "" }

// RemoteDisplayName is the peer's display name.
func (c *Call) RemoteDisplayName() string { return "" }

// Remote is the peer's side of the MSRP session, with Setup as negotiated (active or passive).
func (c *Call) Remote() *Media { return nil }

// Local is our side of the MSRP session, with Setup as negotiated (active or passive).
func (c *Call) Local() *Media { return nil }

// Focus reports whether the peer is a conference focus at the moment.
func (c *Call) Focus() bool { return false }

// FocusChanged is closed at the next change of Focus.
func (c *Call) FocusChanged() <-chan struct{} { return nil }

// Bye hangs up and waits for the peer's answer.
func (c *Call) Bye(ctx context.Context) error { return errors.ErrUnsupported }

// Close hangs up without waiting.
func (c *Call) Close() error { return errors.ErrUnsupported }

// Done is closed when the call is over.
func (c *Call) Done() <-chan struct{} { return nil }

// Err says why the call is over: nil while it is up, ErrClosed, ErrEnded, ErrTimeout.
func (c *Call) Err() error { return nil }
