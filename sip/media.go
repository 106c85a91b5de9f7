package sip

import (
	"fmt"
	"slices"
)

// Media is one side of an MSRP session as the media line of an SDP offer or answer describes it
// (RFC 4975 §8). The package reads and writes the description; it neither listens nor connects for MSRP.
type Media struct {
	// Path is a=path: MSRP URIs, the leftmost is where the other side sends first, the last is the
	// endpoint. Required.
	Path []string

	// AcceptTypes is a=accept-types: the media types that this side takes, such as "message/cpim",
	// "text/plain" or "text/*". Required.
	AcceptTypes []string

	// AcceptWrappedTypes is a=accept-wrapped-types: the types taken only inside a container such as
	// message/cpim. Default: none.
	AcceptWrappedTypes []string

	// MaxSize is a=max-size, the largest message in bytes that this side takes. Default: 0, no limit given.
	MaxSize int64

	// Setup is a=setup, who opens the connection (RFC 4145, RFC 6135). Default in an offer: actpass.
	// Default in an answer: what AnswerSetup makes of the offer.
	Setup Setup

	// TLS says TCP/TLS/MSRP instead of TCP/MSRP; the first URI of Path is msrps then. Both sides have it or neither, unless
	// Path begins with a relay: then it is between this side and the relay (RFC 4976 §11). Default: false.
	TLS bool

	// Fingerprints are those of the certificate that this side shows on the MSRP connection, each as "sha-256 AB:CD:…" (a=fingerprint,
	// RFC 8122 §5). In a peer's Media they are what to verify in place of a name: as good as the way on which they came. MD5, MD2 and
	// hashes that nobody knows are dropped from it and refused in ours. Only with TLS and without a relay. Default: none.
	Fingerprints []string

	// Address is the host:port of the c= and m= lines. In a peer's Media it is what they say; it counts for a connection only with
	// CEMA. Default in ours, and in a peer's where they name no place: that of the first URI of Path.
	Address string

	// CEMA is a=msrp-cema (RFC 6714): a middlebox may carry the connection, so the side that connects goes to the other's Address, and
	// still verifies the name in the other's Path, or its Fingerprints. An answer has it only where the offer had; in Call.Local it tells
	// that both sides agreed. Default: false.
	CEMA bool

	// Direction says which way messages go. Default: SendRecv, which the first offer of a call must have.
	Direction Direction

	// Chatroom is a=chatroom, what a conference can do, such as "nickname" and "private-messages" (RFC 7701 §8). Nil is no such
	// attribute, an empty list one without a word. Default: nil.
	Chatroom []string
}

// clone returns a deep copy, so that neither side of the API can change what the other keeps.
func (m *Media) clone() *Media {
	if m == nil {
		return nil
	}
	c := *m
	c.Path = slices.Clone(m.Path)
	c.AcceptTypes = slices.Clone(m.AcceptTypes)
	c.AcceptWrappedTypes = slices.Clone(m.AcceptWrappedTypes)
	c.Fingerprints = slices.Clone(m.Fingerprints)
	c.Chatroom = slices.Clone(m.Chatroom) // nil stays nil
	return &c
}

// Setup is the value of an a=setup attribute (RFC 4145 §4).
type Setup string

// The values of a=setup.
const (
	SetupAbsent   Setup = ""         // no attribute: the offerer connects (RFC 4975 §5.4)
	SetupActive   Setup = "active"   // this side connects
	SetupPassive  Setup = "passive"  // this side waits for the connection
	SetupActPass  Setup = "actpass"  // either, the answerer chooses
	SetupHoldConn Setup = "holdconn" // no connection for now; a peer's counts as absent, ours is refused (RFC 6135 §4.2.1)
)

// AnswerSetup chooses the answer to an offered setup (RFC 4145 §4.1, RFC 6135 §4). ours says what this side
// can do: SetupActive only connect, SetupPassive only wait, SetupActPass either. Where the offer leaves the
// choice to a side that can do either, the answer is active: the connection then works through a NAT on
// our side. An offer without the attribute comes from an active side (RFC 4975 §5.4).
//
// The error wraps ErrMedia where both sides would connect, or both would wait.
func AnswerSetup(offer, ours Setup) (Setup, error) {
	var answer Setup
	switch offer {
	case SetupAbsent, SetupActive:
		answer = SetupPassive
	case SetupPassive:
		answer = SetupActive
	case SetupActPass:
		answer = SetupActive
		if ours == SetupPassive {
			answer = SetupPassive
		}
	default:
		return SetupAbsent, fmt.Errorf("%w: setup %q cannot be answered", ErrMedia, offer)
	}
	if ours != SetupActPass && ours != answer {
		return SetupAbsent, fmt.Errorf("%w: setup %q and %q", ErrMedia, offer, ours)
	}
	return answer, nil
}

// opposite is the role of the other side, once it is agreed.
func (s Setup) opposite() Setup {
	if s == SetupActive {
		return SetupPassive
	}
	return SetupActive
}
