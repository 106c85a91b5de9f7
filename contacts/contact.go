package contacts

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of one contact. They are part of the contract of every [Store].
const (
	MaxAddress     = 512      // bytes of an address, before and after Normalize
	MaxDisplayName = 1 << 10  // bytes of Contact.DisplayName
	MaxNote        = 16 << 10 // bytes of Contact.Note
	MaxKeyNote     = 1 << 10  // bytes of Key.Note
	MaxKeys        = 64       // keys of one contact, see Contact.Learn
)

// Contact is what is remembered of one person or service. It is a plain value: methods change it
// in memory only, and [Store.Save] (or [Update]) makes the change last.
type Contact struct {
	// Address is the normalised address (address of record) that the contact is stored under,
	// see [Normalize].
	Address string `json:"address"`
	// DisplayName is the name shown for the contact, UTF-8. It often comes from the peer, so it
	// proves nothing and may hold any character but NUL; cut it to MaxDisplayName before, since Save
	// refuses a longer one. Default: empty.
	DisplayName string `json:"displayName,omitempty"`
	// Policy is the contact's own OTR policy. Default: Inherit.
	Policy Policy `json:"policy"`
	// Keys are the known keys, in the order in which they were first seen. Default: none.
	Keys []Key `json:"keys,omitempty"`
	// Note is the user's own text about the contact, UTF-8 without NUL. Default: empty.
	Note string `json:"note,omitempty"`
	// Revision is the store's number for this version of the contact, for compare-and-swap.
	// Default: 0, not stored yet.
	Revision uint64 `json:"revision"`
}

// FieldError reports a [Contact] that no store takes, and names the field that is wrong.
type FieldError struct {
	Field  string // the field of Contact, such as "DisplayName" or "Keys[3].Trust"
	Reason string // what is wrong with it; never the value
}

// Error names the field and the reason.
func (e *FieldError) Error() string { return "contacts: " + e.Field + ": " + e.Reason }

// Clone returns a copy that shares no memory with c.
func (c Contact) Clone() Contact {
	c.Keys = slices.Clone(c.Keys)
	return c
}

// Normalized returns a copy of c as a store keeps it: the address normalised, times in UTC and cut
// to microseconds (what databases keep). It shares no memory with c. The error is an
// [*AddressError] or a [*FieldError]. Every [Store] calls it first in Save.
func (c Contact) Normalized() (Contact, error) {
	address, err := Normalize(c.Address)
	if err != nil {
		return Contact{}, err
	}
	if err := c.check(); err != nil {
		return Contact{}, err
	}
	c = c.Clone()
	c.Address = address
	if len(c.Keys) == 0 {
		c.Keys = nil
	}
	for i := range c.Keys {
		k := &c.Keys[i]
		k.FirstSeen, k.LastSeen, k.VerifiedAt, k.Unannounced = stored(k.FirstSeen), stored(k.LastSeen), stored(k.VerifiedAt), stored(k.Unannounced)
	}
	return c, nil
}

func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func (c *Contact) check() error {
	if err := checkText("DisplayName", c.DisplayName, MaxDisplayName); err != nil {
		return err
	}
	if err := checkText("Note", c.Note, MaxNote); err != nil {
		return err
	}
	if c.Policy < Inherit || c.Policy > Never {
		return &FieldError{"Policy", "unknown policy"}
	}
	if len(c.Keys) > MaxKeys {
		return &FieldError{"Keys", fmt.Sprintf("more than %d", MaxKeys)}
	}
	for i := range c.Keys {
		if err := c.checkKey(i); err != nil {
			return err
		}
	}
	return nil
}

func (c *Contact) checkKey(i int) error {
	k := &c.Keys[i]
	field := func(name string) string { return fmt.Sprintf("Keys[%d].%s", i, name) }
	switch {
	case k.Fingerprint.IsZero():
		return &FieldError{field("Fingerprint"), "missing"}
	case c.find(k.Fingerprint) != i:
		return &FieldError{field("Fingerprint"), "stands twice"}
	case k.Trust < Unverified || k.Trust > Revoked:
		return &FieldError{field("Trust"), "unknown trust"}
	}
	for _, t := range []time.Time{k.FirstSeen, k.LastSeen, k.VerifiedAt, k.Unannounced} {
		if y := t.UTC().Year(); y < 1 || y > 9999 {
			return &FieldError{fmt.Sprintf("Keys[%d]", i), "a time outside the years 1 to 9999"}
		}
	}
	return checkText(field("Note"), k.Note, MaxKeyNote)
}

func checkText(field, s string, limit int) error {
	if len(s) > limit {
		return &FieldError{field, fmt.Sprintf("longer than %d bytes", limit)}
	}
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return &FieldError{field, "not UTF-8, or NUL"}
	}
	return nil
}

// Policy is a contact's own OTR policy. The text form is the name in lower case.
type Policy int

// The policies.
const (
	Inherit       Policy = iota // what the application set for everybody (the zero value)
	Always                      // never exchange plaintext with this contact
	Opportunistic               // encrypt when the peer can, otherwise plaintext
	Never                       // do not use OTR with this contact
)

var policies = []string{"inherit", "always", "opportunistic", "never"}

// String is the text form, such as "always".
func (p Policy) String() string { return nameOf(policies, int(p)) }

// MarshalText returns the text form; a policy that is none of the constants is an error.
func (p Policy) MarshalText() ([]byte, error) { return textOf(policies, int(p), "policy") }

// UnmarshalText reads the text form.
func (p *Policy) UnmarshalText(text []byte) error {
	i, err := indexOf(policies, text, "policy")
	*p = Policy(i)
	return err
}

var errUnknownName = errors.New("contacts: unknown")

func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("unknown(%d)", i)
	}
	return names[i]
}

func textOf(names []string, i int, what string) ([]byte, error) {
	if i < 0 || i >= len(names) {
		return nil, fmt.Errorf("%w %s", errUnknownName, what)
	}
	return []byte(names[i]), nil
}

func indexOf(names []string, text []byte, what string) (int, error) {
	i := slices.Index(names, string(text))
	if i < 0 {
		return 0, fmt.Errorf("%w %s", errUnknownName, what)
	}
	return i, nil
}
