package contacts

import (
	"errors"
	"slices"
	"time"
)

// Errors of the methods that change the trust in a key.
var (
	// ErrNoKey is returned when the contact has no key with that fingerprint.
	ErrNoKey = errors.New("contacts: the contact has no such key")
	// ErrRevoked is returned by Verify for a key that the user revoked.
	ErrRevoked = errors.New("contacts: the key is revoked")
)

// Key is a public key that a contact was seen using.
type Key struct {
	Fingerprint Fingerprint `json:"fingerprint"`
	// FirstSeen is when the contact was first seen using the key. Default: zero, not known, as for a key that another program knew.
	FirstSeen time.Time `json:"firstSeen,omitzero"`
	// LastSeen is the latest time at which the contact was seen using the key. Default: zero, not known.
	LastSeen time.Time `json:"lastSeen,omitzero"`
	// Trust tells whether and how the key was verified. Default: Unverified.
	Trust Trust `json:"trust"`
	// VerifiedAt is when the key was verified, zero while Trust is Unverified or Revoked.
	VerifiedAt time.Time `json:"verifiedAt,omitzero"`
	// Unannounced is since when the user is to be told of the key, from [Contact.Learn]'s KeyChanged until [Contact.Announced]; else zero.
	Unannounced time.Time `json:"unannounced,omitzero"`
	// Note is the user's own text about the key, such as "his phone", UTF-8 without NUL. Default: empty.
	Note string `json:"note,omitempty"`
}

// AnnounceWithin is how long whoever got KeyChanged has to tell the user and save that (see [Contact.Announced]) before Learn takes them for dead.
const AnnounceWithin = 2 * time.Minute

// Trust tells whether a key is known to be its contact's, and how that became known. It changes
// only by an act of the user or a completed SMP.
type Trust int

// The degrees of trust.
const (
	Unverified       Trust = iota // seen, never compared (the zero value)
	VerifiedSMP                   // the socialist millionaires' protocol succeeded
	VerifiedManually              // the user compared the fingerprint
	Revoked                       // the user no longer accepts this key
)

var trusts = []string{"unverified", "verified-smp", "verified-manually", "revoked"}

// Verified tells whether t is VerifiedSMP or VerifiedManually.
func (t Trust) Verified() bool { return t == VerifiedSMP || t == VerifiedManually }

// String is the text form, such as "verified-smp".
func (t Trust) String() string { return nameOf(trusts, int(t)) }

// MarshalText returns the text form; a trust that is none of the constants is an error.
func (t Trust) MarshalText() ([]byte, error) { return textOf(trusts, int(t), "trust") }

// UnmarshalText reads the text form.
func (t *Trust) UnmarshalText(text []byte) error {
	i, err := indexOf(trusts, text, "trust")
	*t = Trust(i)
	return err
}

// Change is what [Contact.Learn] found out about a key.
type Change int

// The changes.
const (
	// KeyKnown: the contact was seen with this key before (the zero value).
	KeyKnown Change = iota
	// KeyFirst: the first key ever seen of this contact.
	KeyFirst
	// KeyChanged: a new key, while others were known. Warn the user: it may be somebody else.
	KeyChanged
)

// String is "known", "first" or "changed".
func (c Change) String() string { return nameOf([]string{"known", "first", "changed"}, int(c)) }

// Key returns the key with that fingerprint.
func (c *Contact) Key(fp Fingerprint) (Key, bool) {
	i := c.find(fp)
	if i < 0 {
		return Key{}, false
	}
	return c.Keys[i], true
}

// Learn notes that the contact was seen using the key at the time now, and tells what that means.
// Once the contact is saved, KeyFirst and KeyChanged are reported once per fingerprint, after a
// restart too; but KeyChanged again for an unverified key when [AnnounceWithin] has passed without
// Announced, so that a warning is not lost with the process that was to give it. A revoked key that
// is used again is KeyKnown: look at its Trust.
//
// A contact keeps at most [MaxKeys] keys. When a new one needs room, the unverified key that was
// last seen the longest ago is forgotten; if it comes back, it is KeyChanged again. Verified and
// revoked keys are never forgotten, nor is the first key of all, in whose place somebody else's
// could stand otherwise: when all are of these, the new key is KeyChanged and is not kept, until the
// user makes room with Forget.
func (c *Contact) Learn(fp Fingerprint, now time.Time) Change {
	if i := c.find(fp); i >= 0 {
		if now.After(c.Keys[i].LastSeen) {
			c.Keys[i].LastSeen = now
		}
		return c.Keys[i].remind(now)
	}
	change := KeyChanged
	if len(c.Keys) == 0 {
		change = KeyFirst
	}
	if c.makeRoom() {
		k := Key{Fingerprint: fp, FirstSeen: now, LastSeen: now}
		if change == KeyChanged {
			k.Unannounced = now
		}
		c.Keys = append(c.Keys, k)
	}
	return change
}

// remind reports a change again that nobody has told the user of in time.
func (k *Key) remind(now time.Time) Change {
	if k.Trust != Unverified || k.Unannounced.IsZero() || now.Sub(k.Unannounced).Abs() < AnnounceWithin {
		return KeyKnown
	}
	k.Unannounced = now
	return KeyChanged
}

// Announced notes that the user was told of the change that Learn reported for the key. The error is [ErrNoKey].
func (c *Contact) Announced(fp Fingerprint) error {
	i := c.find(fp)
	if i < 0 {
		return ErrNoKey
	}
	c.Keys[i].Unannounced = time.Time{}
	return nil
}

// makeRoom tells whether there is room for one more key, forgetting one where it must.
func (c *Contact) makeRoom() bool {
	if len(c.Keys) < MaxKeys {
		return true
	}
	oldest := -1
	for i, k := range c.Keys {
		if i > 0 && k.Trust == Unverified && (oldest < 0 || k.LastSeen.Before(c.Keys[oldest].LastSeen)) {
			oldest = i
		}
	}
	if oldest < 0 {
		return false
	}
	c.Keys = slices.Delete(c.Keys, oldest, oldest+1)
	return true
}

// Verify notes that the key was verified, how being VerifiedSMP or VerifiedManually, at the time
// now. The error is [ErrNoKey], [ErrRevoked] (a revoked key stays revoked until Unverify), or a
// [*FieldError] when how is neither of the two.
func (c *Contact) Verify(fp Fingerprint, how Trust, now time.Time) error {
	if !how.Verified() {
		return &FieldError{"Trust", "is no way to verify a key"}
	}
	i := c.find(fp)
	switch {
	case i < 0:
		return ErrNoKey
	case c.Keys[i].Trust == Revoked:
		return ErrRevoked
	}
	c.Keys[i].Trust, c.Keys[i].VerifiedAt = how, now
	return nil
}

// Unverify takes verification or revocation back: the key is known, and Unverified. The error is
// [ErrNoKey].
func (c *Contact) Unverify(fp Fingerprint) error { return c.setTrust(fp, Unverified) }

// Revoke notes that the user no longer accepts the key. The error is [ErrNoKey].
func (c *Contact) Revoke(fp Fingerprint) error { return c.setTrust(fp, Revoked) }

// Forget removes the key, whatever its trust. To a contact that has none left the next one is KeyFirst, which nobody is warned of, and when the first
// is removed, the one after it is the first: to take a key away, Revoke it. The error is [ErrNoKey].
func (c *Contact) Forget(fp Fingerprint) error {
	i := c.find(fp)
	if i < 0 {
		return ErrNoKey
	}
	c.Keys = slices.Delete(c.Keys, i, i+1)
	return nil
}

func (c *Contact) setTrust(fp Fingerprint, t Trust) error {
	i := c.find(fp)
	if i < 0 {
		return ErrNoKey
	}
	c.Keys[i].Trust, c.Keys[i].VerifiedAt = t, time.Time{}
	return nil
}

func (c *Contact) find(fp Fingerprint) int {
	return slices.IndexFunc(c.Keys, func(k Key) bool { return k.Fingerprint == fp })
}
