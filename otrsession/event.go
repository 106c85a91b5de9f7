package otrsession

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Step is what one call made of the conversation. A caller first hands the
// messages in Send to the peer, in their order, then looks at Events, then at
// Plaintext.
type Step struct {
	// Send holds messages for the peer, each a complete chat message.
	Send [][]byte

	// HasMessage tells whether the peer's message carried text for the user;
	// Plaintext is that text, which may be empty, and need not be UTF-8.
	HasMessage bool
	Plaintext  []byte

	// Encrypted tells how the text came: true means that it was encrypted
	// and authenticated by the key with RemoteFingerprint, false that it came
	// in clear and anybody on the way may have read or written it.
	Encrypted bool

	// Events tells what happened, in order.
	Events []Event
}

func (s *Step) event(t EventType) { s.Events = append(s.Events, Event{Type: t}) }

func (s *Step) fail(t EventType, err error) {
	s.Events = append(s.Events, Event{Type: t, Err: err})
}

// Event is one thing that happened to the conversation.
type Event struct {
	Type EventType

	// Fingerprint is the peer's key in the AKE that the event belongs to. It
	// is set for EventEncrypted, EventFinished and all SMP events.
	Fingerprint Fingerprint

	// SSID and Version describe the new encrypted conversation, Again says
	// that it took the place of one that was still encrypted. They are set
	// for EventEncrypted.
	SSID    [8]byte
	Version int
	Again   bool

	// Question is the peer's question, if HasQuestion; for EventSMPAsked. It
	// is UTF-8 without control characters, written by the peer.
	Question    string
	HasQuestion bool

	// Text is what the peer said of an error, for EventPeerError. It is
	// UTF-8 without control characters, at most 1,024 bytes, and came in clear.
	Text string

	// Err tells why, for EventUnreadable and EventAKEFailed.
	Err error
}

// EventType tells events apart.
type EventType int

// The events.
const (
	// EventEncrypted: an AKE succeeded. From here on everything goes by the
	// key with this Fingerprint, which after a new AKE can differ from the
	// one before. It always comes before any text of the new conversation.
	EventEncrypted EventType = iota + 1

	// EventFinished: the peer ended the encrypted conversation.
	EventFinished

	// EventUnencrypted: the text of this step came in clear although State
	// is Encrypted or Finished. Warn the user.
	EventUnencrypted

	// EventOffered: a text in clear carried a whitespace tag with a version
	// that we speak. Start takes up the offer.
	EventOffered

	// EventUnreadable: an OTR message could not be decrypted, and is lost.
	EventUnreadable

	// EventUnrecognized: a message that begins like OTR is of no kind that we
	// know; it was dropped.
	EventUnrecognized

	// EventOtherInstance: an OTR message for, or from, another instance of
	// ours or the peer's was ignored.
	EventOtherInstance

	// EventAKEFailed: a message of the key exchange was refused. The
	// conversation stays as it was.
	EventAKEFailed

	// EventPeerError: the peer reports an error, in clear.
	EventPeerError

	// EventSMPAsked: the peer asks for proof of a shared secret. Answer with
	// AnswerSMP, or AbortSMP.
	EventSMPAsked

	// EventSMPProgress: the peer answered the SMP that we started; the result
	// comes with its next message.
	EventSMPProgress

	// EventSMPSucceeded: both sides know the same secret, so the key with
	// this Fingerprint is the peer's.
	EventSMPSucceeded

	// EventSMPFailed: the secrets differ, or the peer broke the protocol.
	EventSMPFailed

	// EventSMPAborted: the run ended without a result: the peer gave up, both
	// sides started at once, or the conversation ended or was renewed.
	EventSMPAborted
)

var eventNames = [...]string{
	EventEncrypted:     "encrypted",
	EventFinished:      "finished",
	EventUnencrypted:   "unencrypted",
	EventOffered:       "offered",
	EventUnreadable:    "unreadable",
	EventUnrecognized:  "unrecognized",
	EventOtherInstance: "other instance",
	EventAKEFailed:     "AKE failed",
	EventPeerError:     "peer error",
	EventSMPAsked:      "SMP asked",
	EventSMPProgress:   "SMP progress",
	EventSMPSucceeded:  "SMP succeeded",
	EventSMPFailed:     "SMP failed",
	EventSMPAborted:    "SMP aborted",
}

// String names the event in a few words, for logs.
func (t EventType) String() string {
	if t < 1 || int(t) >= len(eventNames) {
		return "EventType(" + strconv.Itoa(int(t)) + ")"
	}
	return eventNames[t]
}

// printable makes a peer's text safe to show and to log: UTF-8, no control or
// formatting characters, at most limit bytes.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
