package otrchat

import (
	"github.com/otrchat/otrchat/contacts"
)

// Security is what a lock icon shows.
type Security int

// The states of the lock.
const (
	// NotEncrypted: everybody on the way can read and write. An open lock.
	NotEncrypted Security = iota
	// Unverified: encrypted, but nobody has made sure whose key it is.
	Unverified
	// Verified: encrypted with a key that the user or SMP verified.
	Verified
	// Changed: encrypted with a key that is not verified, while the contact was known by another key before. Somebody may be in the middle.
	Changed
	// Ended: the peer ended encryption. Nothing is sent until the user decides.
	Ended
	// Unavailable: no encryption is possible, since one side is a conference. If the chat was encrypted before, nothing is sent until the
	// user decides.
	Unavailable
)

var securityNames = [...]string{"not encrypted", "encrypted, not verified", "encrypted and verified", "encrypted with a changed key", "encryption ended by the peer", "no encryption in a conference"}

// String says it in words.
func (s Security) String() string {
	if s < 0 || int(s) >= len(securityNames) {
		return "unknown"
	}
	return securityNames[s]
}

// Encrypted tells whether what is sent now is encrypted.
func (s Security) Encrypted() bool { return s == Unverified || s == Verified || s == Changed }

// judge tells what the lock shows for a key of a contact. A key that is not verified counts as changed if the contact was known by
// another one earlier, or has another one that is verified; and so does a revoked one.
func judge(c *contacts.Contact, fp contacts.Fingerprint) Security {
	key, _ := c.Key(fp)
	if key.Trust.Verified() {
		return Verified
	}
	if len(c.Keys) == 0 {
		return Unverified
	}
	if key.Trust == contacts.Revoked || c.Keys[0].Fingerprint != fp {
		return Changed
	}
	for _, k := range c.Keys {
		if k.Trust.Verified() {
			return Changed
		}
	}
	return Unverified
}
