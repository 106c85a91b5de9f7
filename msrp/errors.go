package msrp

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"unicode"
)

// Conditions that an application can test with errors.Is.
var (
	// ErrClosed is returned for anything done with a closed Endpoint or Session. It wraps net.ErrClosed.
	ErrClosed = fmt.Errorf("msrp: closed: %w", net.ErrClosed)
	// ErrNotConnected is returned by Send and Report before Connect has a connection.
	ErrNotConnected = errors.New("msrp: session is not connected")
	// ErrTimeout says that a peer or relay did not answer within the time that RFC 4975 gives it (30 s for a response), or that
	// it broke off within a frame.
	ErrTimeout = errors.New("msrp: no answer in time")
	// ErrUnreported is the outcome of a Delivery that waited for its success report when 8,192 later messages of its session did, or when
	// its Message-ID was used again.
	ErrUnreported = errors.New("msrp: too many messages wait for their success report")
	// ErrMalformed is wrapped by every error of the parsers.
	ErrMalformed = errors.New("msrp: malformed")
	// ErrTooLarge is wrapped by errors about input over one of the Limits.
	ErrTooLarge = errors.New("msrp: over the limit")
	// ErrNoTLS is returned by Connect for an msrps path, by DialRelay for an msrps relay, and by NewSession for SessionOptions.Secure, when Options.TLS is nil.
	ErrNoTLS = errors.New("msrp: the path is msrps and Options.TLS is not set")
	// ErrInsecure is returned by Connect for a path whose first hop is not msrps, if the session has SessionOptions.Secure or the call has
	// Fingerprints; by NewSession, if it is so with the Relay; and wrapped by errors of DialRelay about an msrp URI without RelayOptions.AllowTCP.
	ErrInsecure = errors.New("msrp: TLS is demanded and the path is not msrps")
	// ErrFingerprint is wrapped by errors of Connect about a peer without a certificate that has one of ConnectOptions.Fingerprints, or about
	// Fingerprints none of which is of a hash that can be trusted.
	ErrFingerprint = errors.New("msrp: no certificate with the fingerprint demanded")
	// ErrAborted is what the Reader of a message ends with when its sender has given the message up (RFC 4975 section 7.1).
	ErrAborted = errors.New("msrp: the sender gave the message up")
	// ErrRelayInUse is returned by NewSession for a Relay that has or had a session, unless it is shared.
	ErrRelayInUse = errors.New("msrp: the relay carries a session already, and RelayOptions.Shared is not set")
	// ErrExpired is wrapped by what a Relay and its sessions end with when a URI of it could not be renewed in time.
	ErrExpired = errors.New("msrp: the relay's URI has expired")
	// ErrRspauth says that a relay does not prove to know the password, or proves it wrongly (RFC 4976 section 9.4).
	ErrRspauth = errors.New("msrp: the relay does not show that it knows the password")
	// ErrStalled says that the peer stopped reading: what we owe it no longer fits in the write queue,
	// or one frame could not be written within 30 s and a second more for each 16 KiB. The connection is closed.
	ErrStalled = errors.New("msrp: the peer does not read")
)

// StatusError is a refusal by the peer or by a relay: the status code of a response (RFC 4975 section 10)
// or of a failure REPORT (section 7.1.2).
type StatusError struct {
	Code    int    // three digits: 408, 413, 481, …
	Comment string // the peer's own words, may be empty; made printable
}

// Error gives code and comment.
func (e *StatusError) Error() string {
	if e.Comment == "" {
		return fmt.Sprintf("msrp: refused with status %03d", e.Code)
	}
	return fmt.Sprintf("msrp: refused with status %03d %s", e.Code, e.Comment)
}

// Is makes a 408 an ErrTimeout: some hop got no answer, which counts as much as if we had got none (RFC 4975 section 10.4).
func (e *StatusError) Is(target error) bool { return target == ErrTimeout && e.Code == StatusTimeout }

// Status codes of RFC 4975 section 10.
const (
	StatusOK               = 200 // received by the next hop
	StatusBadRequest       = 400 // not understood
	StatusUnauthorized     = 401 // an AUTH without, or with wrong, credentials (RFC 4976 section 5.1)
	StatusForbidden        = 403 // not allowed
	StatusTimeout          = 408 // a later hop did not answer
	StatusStopSending      = 413 // the receiver does not want the rest of this message
	StatusUnsupportedMedia = 415 // content type not understood
	StatusOutOfBounds      = 423 // a parameter is out of bounds
	StatusInvalidNickname  = 424 // malformed nickname (RFC 7701)
	StatusNicknameInUse    = 425 // nickname reserved or in use (RFC 7701)
	StatusNoSession        = 481 // no such session
	StatusUnknownMethod    = 501 // method not understood
	StatusSessionInUse     = 506 // session is bound to another connection
)

var comments = map[int]string{
	StatusOK:               "OK",
	StatusBadRequest:       "Bad Request",
	StatusUnauthorized:     "Unauthorized",
	StatusForbidden:        "Forbidden",
	StatusTimeout:          "Timeout",
	StatusStopSending:      "Stop Sending",
	StatusUnsupportedMedia: "Unsupported Media Type",
	StatusOutOfBounds:      "Out Of Bounds",
	StatusInvalidNickname:  "Malformed Nickname",
	StatusNicknameInUse:    "Nickname Reserved Or In Use",
	StatusNoSession:        "No Such Session",
	StatusUnknownMethod:    "Unknown Method",
	StatusSessionInUse:     "Session In Use",
}

// StatusText is the comment that goes with a status code. It is never empty, for codes that are not known either: Kamailio takes a bare "200" for a request.
func StatusText(code int) string {
	if s, ok := comments[code]; ok {
		return s
	}
	return "Status"
}

// printable keeps a peer's words from breaking out of a log line or an error text.
func printable(b []byte) string {
	const most = 200
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) { // control and format characters, those of the C1 set and of text direction too
			return '?'
		}
		return r
	}, strings.ToValidUTF8(string(b[:min(len(b), most)]), "?"))
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
