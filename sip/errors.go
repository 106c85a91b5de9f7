package sip

import (
	"errors"
	"fmt"
	"net"

	gosip "github.com/emiago/sipgo/sip"
)

// Conditions that the methods of this package report; test for them with errors.Is.
var (
	// ErrClosed says that the agent or the call was closed by this side. It wraps net.ErrClosed.
	ErrClosed = fmt.Errorf("sip: closed: %w", net.ErrClosed)

	// ErrEnded says that the peer ended the call with a BYE. Where the BYE said why, the error wraps a *Reason
	// too.
	ErrEnded = errors.New("sip: the peer ended the call")

	// ErrCanceled says that the caller gave up before the invitation was answered (RFC 3261 §9). Where the CANCEL
	// said why, the error wraps a *Reason too.
	ErrCanceled = errors.New("sip: the caller canceled the invitation")

	// ErrAnsweredElsewhere is found by errors.Is in what Invitation.Err and Call.Err return when another phone of the
	// same user has taken the call, and its network says so: a Reason of SIP with cause 200 (RFC 3326 §3.1).
	// Such an invitation was not missed.
	ErrAnsweredElsewhere = errors.New("sip: the call was answered elsewhere")

	// ErrAnswered says that the invitation was answered or rejected before.
	ErrAnswered = errors.New("sip: the invitation was answered before")

	// ErrTimeout says that the peer did not answer within the time that RFC 3261 gives it
	// (timers B, F and H: 32 seconds).
	ErrTimeout = errors.New("sip: no answer from the peer")

	// ErrNoServer says that DNS leads to no server for a URI: its domain does not exist, offers no SIP, or could not be
	// looked up (RFC 3263 §4). It is wrapped with the name and the failure that tells most.
	ErrNoServer = errors.New("sip: no server found for")

	// ErrMedia says that offer and answer do not make an MSRP session: no MSRP line was accepted, a
	// mandatory attribute is missing, or both sides want the same role. It is wrapped with the detail.
	ErrMedia = errors.New("sip: offer and answer do not fit")

	// ErrNotListening says that a request must go over UDP and the agent has no UDP socket. Over the other transports an agent opens
	// connections, and needs no listener.
	ErrNotListening = errors.New("sip: not listening on this transport")
)

// What a *StatusError says is found with errors.Is too, for the answers that a program tells its user about.
var (
	// ErrBusy says that the peer takes no call now: 486 Busy Here, 600 Busy Everywhere.
	ErrBusy = errors.New("sip: the peer is busy")

	// ErrDeclined says that the peer does not want this call: 603 Decline.
	ErrDeclined = errors.New("sip: the peer declined the call")

	// ErrUnavailable says that nobody answers there for now: 480 Temporarily Unavailable.
	ErrUnavailable = errors.New("sip: the peer is temporarily unavailable")

	// ErrNotAcceptable says that the peer cannot take the MSRP session that was offered: 488 Not Acceptable
	// Here, 606 Not Acceptable.
	ErrNotAcceptable = errors.New("sip: the offer is not acceptable to the peer")
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

// Is makes errors.Is find ErrBusy, ErrDeclined, ErrUnavailable and ErrNotAcceptable by their status codes.
func (e *StatusError) Is(target error) bool {
	switch e.Code {
	case gosip.StatusBusyHere, gosip.StatusGlobalBusyEverywhere:
		return target == ErrBusy
	case gosip.StatusGlobalDecline:
		return target == ErrDeclined
	case gosip.StatusTemporarilyUnavailable:
		return target == ErrUnavailable
	case gosip.StatusNotAcceptableHere, gosip.StatusGlobalNotAcceptable:
		return target == ErrNotAcceptable
	}
	return false
}
