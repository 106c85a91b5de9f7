package notify

import (
	"errors"
	"fmt"

	"github.com/otrchat/otrchat/notify/internal/plain"
)

// Kind is what happened.
type Kind int

// The kinds. More may come, so a switch over them needs a default.
const (
	// Other is an application's own kind (the zero value).
	Other Kind = iota
	// FingerprintChanged: the contact uses a new key, while others were known and none of them was verified. See IsFingerprintChange.
	FingerprintChanged
	// VerifiedFingerprintChanged: the contact uses a new key, while the user had verified another. It is the graver FingerprintChanged.
	VerifiedFingerprintChanged
	// RevokedKeyUsed: the contact uses a key that the user has revoked.
	RevokedKeyUsed
	// EncryptionEnded: the contact ended the encrypted conversation.
	EncryptionEnded
	// ConferenceEndedEncryption: the contact has become a conference, which cannot be encrypted.
	ConferenceEndedEncryption
	// EncryptionDisabled: encryption was switched off for the contact elsewhere: by another program or device of the user's.
	EncryptionDisabled
	// EncryptionUnanswered: the contact did not answer the request for encryption, and nothing is sent without it.
	EncryptionUnanswered
	// PlaintextFallback: the contact did not answer the request for encryption, and the chat goes on without it.
	PlaintextFallback
	// UnencryptedReceived: a message came in plain text while the chat was encrypted, or had to be.
	UnencryptedReceived
	// UndecryptableReceived: a message could not be decrypted.
	UndecryptableReceived
	// UnrecognizedReceived: a message was of no known kind.
	UnrecognizedReceived
	// PeerError: the contact's program reports an error of encryption, in its own words.
	PeerError
	// ContactsUnavailable: what is remembered of the contact could not be read or saved, so a new key may go unnoticed.
	ContactsUnavailable
	// VerificationAsked: the contact wants to verify the user by a secret that both know, and waits for an answer.
	VerificationAsked
	// VerificationNotSaved: the contact was verified, but that could not be saved.
	VerificationNotSaved
	// MessageReceived: the contact has written.
	MessageReceived
)

// kinds has the name of each kind and how much it matters.
var kinds = [...]struct {
	name    string
	urgency Urgency
}{
	Other:                      {"other", Normal},
	FingerprintChanged:         {"fingerprint changed", Critical},
	VerifiedFingerprintChanged: {"verified fingerprint changed", Critical},
	RevokedKeyUsed:             {"revoked key used", Critical},
	EncryptionEnded:            {"encryption ended", Normal},
	ConferenceEndedEncryption:  {"conference ended encryption", Normal},
	EncryptionDisabled:         {"encryption disabled", Normal},
	EncryptionUnanswered:       {"encryption unanswered", Normal},
	PlaintextFallback:          {"plaintext fallback", Low},
	UnencryptedReceived:        {"unencrypted received", Normal},
	UndecryptableReceived:      {"undecryptable received", Normal},
	UnrecognizedReceived:       {"unrecognized received", Normal},
	PeerError:                  {"peer error", Low},
	ContactsUnavailable:        {"contacts unavailable", Critical},
	VerificationAsked:          {"verification asked", Normal},
	VerificationNotSaved:       {"verification not saved", Normal},
	MessageReceived:            {"message received", Low},
}

// IsFingerprintChange tells whether the kind is FingerprintChanged or VerifiedFingerprintChanged. Ask this where both matter: to look for one of them alone
// misses the other.
func (k Kind) IsFingerprintChange() bool {
	return k == FingerprintChanged || k == VerifiedFingerprintChanged
}

func (k Kind) known() bool { return k >= 0 && int(k) < len(kinds) }

// String is the name in words, such as "fingerprint changed".
func (k Kind) String() string {
	if !k.known() {
		return fmt.Sprintf("unknown(%d)", int(k))
	}
	return kinds[k].name
}

// Urgency is how much a notification of this kind matters by rule: Critical for what may be somebody in the middle, Low for what asks nothing of the
// person. It is Normal for kinds that are none of the constants.
func (k Kind) Urgency() Urgency {
	if !k.known() {
		return Normal
	}
	return kinds[k].urgency
}

var errUnknownKind = errors.New("notify: unknown kind")

// MarshalText returns what String does; a kind that is none of the constants is an error.
func (k Kind) MarshalText() ([]byte, error) {
	if !k.known() {
		return nil, errUnknownKind
	}
	return []byte(kinds[k].name), nil
}

// UnmarshalText reads the name in words.
func (k *Kind) UnmarshalText(text []byte) error {
	for i := range kinds {
		if kinds[i].name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("%w %q", errUnknownKind, plain.Cut(string(text), 40))
}
