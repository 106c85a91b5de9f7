package sip

import (
	"errors"
	"fmt"
	"net"
)

// Conditions that the methods of this package report; test for them with errors.Is.
var (
	// ErrClosed says that the agent or the call was closed by this side. It wraps net.ErrClosed.
	ErrClosed = fmt.Errorf("sip: closed: %w", net.ErrClosed)

	// ErrEnded says that the peer ended the call with a BYE.
	ErrEnded = errors.New("sip: the peer ended the call")

	// ErrCanceled says that the caller gave up before the invitation was answered (RFC 3261 §9).
	ErrCanceled = errors.New("sip: the caller canceled the invitation")

	// ErrAnswered says that the invitation was answered or rejected before.
	ErrAnswered = errors.New("sip: the invitation was answered before")

	// ErrTimeout says that the peer did not answer within the time that RFC 3261 gives it
	// (timers B, F and H: 32 seconds).
	ErrTimeout = errors.New("sip: no answer from the peer")

	// ErrMedia says that offer and answer do not make an MSRP session: no MSRP line was accepted, a
	// mandatory attribute is missing, or both sides want the same role. It is wrapped with the detail.
	ErrMedia = errors.New("sip: offer and answer do not fit")

	// ErrNotListening says that the agent does not listen on the transport that the request needs. The
	// peer must be able to send its own requests to us, so there is no call without a listener.
	ErrNotListening = errors.New("sip: not listening on this transport")
)

// A StatusError is a final response other than 2xx: what the peer, or a proxy on the way, said
// (RFC 3261 §21).
type StatusError struct {
	Code   int    // status code, 300 to 699
	Reason string // reason phrase as the peer wrote it, without control characters
}

// Error gives the status code and the reason phrase, which is the peer's text and therefore quoted.
func (e *StatusError) Error() string {
	return fmt.Sprintf("sip: the peer answered %d %q", e.Code, e.Reason)
}
