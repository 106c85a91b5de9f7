package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otrchat/otrchat/contacts"
)

// Report is what [Import] did with the entries.
type Report struct {
	Added     int           // keys that the store did not have
	Upgraded  int           // keys of which the store now knows more: that they are verified or revoked, or a time, name or note
	Unchanged int           // keys of which the store knew as much
	Refused   []*EntryError // entries that were left out, in their order
}

// Import adds to the store what the entries know and it does not. Contacts and keys that are missing are added; a key that was not verified becomes
// verified or revoked; empty names and notes are filled; a key was first seen at the earliest time that is known, and last seen at the latest, but
// not in the future. Nothing is ever taken back: what is verified or revoked stays that, in the same way, and no key makes room for another. A key
// that is verified without a time is verified now.
//
// Entries of one contact are saved together. An entry is refused with ErrNoAddress, an [*contacts.AddressError], a [*contacts.FieldError] ("Keys"
// when the contact has MaxKeys), [contacts.ErrRevoked] when it says verified of a revoked key, ErrVerified when it says revoked of a verified one,
// contacts.ErrFull or contacts.ErrConflict; the others are imported. Any other error of the store, and the end of ctx, ends Import: the report tells
// of what was done until then.
func Import(ctx context.Context, s contacts.Store, entries []Entry) (Report, error) {
	run := importing{now: time.Now(), entries: slices.Clone(entries), errs: make([]error, len(entries))}
	for _, of := range run.byContact() {
		if err := run.merge(ctx, s, of); err != nil {
			return run.done(), err
		}
	}
	return run.done(), nil
}

// importing is one run of Import.
type importing struct {
	now     time.Time
	entries []Entry // with normalised addresses
	errs    []error // why the entry with that index is refused
	report  Report
}

// byContact returns the indices of the entries of each contact, in the order of its first.
func (m *importing) byContact() [][]int {
	var groups [][]int
	group := make(map[string]int)
	for i, e := range m.entries {
		e, err := addressed(e)
		if err == nil {
			e, err = checked(e)
		}
		if err != nil {
			m.errs[i] = err
			continue
		}
		m.entries[i] = e
		g, known := group[e.Address]
		if !known {
			g = len(groups)
			group[e.Address] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// addressed returns e with the normalised address of its contact. Programs on libotr name users in the manner of their protocol: bob@example.org/desk
// is a device of an XMPP user, and what has no @ is a nickname.
func addressed(e Entry) (Entry, error) {
	if e.Protocol != "" {
		user, host, found := strings.Cut(e.Address, "@")
		if host, _, _ = strings.Cut(host, "/"); found {
			e.Address = user + "@" + host
		} else if !strings.HasPrefix(strings.ToLower(e.Address), "tel:") {
			return e, ErrNoAddress
		}
	}
	if e.Address == "" {
		return e, ErrNoAddress
	}
	var err error
	e.Address, err = contacts.Normalize(e.Address)
	return e, err
}

// errNothingNew ends an update without saving.
var errNothingNew = errors.New("exchange: nothing new")

// merge imports the entries of one contact.
func (m *importing) merge(ctx context.Context, s contacts.Store, of []int) error {
	var tally Report
	_, err := contacts.Update(ctx, s, m.entries[of[0]].Address, func(c *contacts.Contact) error {
		tally = Report{}
		for _, i := range of {
			m.errs[i] = m.mergeEntry(c, m.entries[i], &tally)
		}
		if tally.Added+tally.Upgraded == 0 {
			return errNothingNew
		}
		return nil
	})
	switch {
	case err == nil || err == errNothingNew:
		m.report.Added += tally.Added
		m.report.Upgraded += tally.Upgraded
		m.report.Unchanged += tally.Unchanged
		return nil
	case errors.Is(err, contacts.ErrFull) || errors.Is(err, contacts.ErrConflict):
		for _, i := range of {
			m.errs[i] = err
		}
		return nil
	}
	return err
}

// mergeEntry adds to c what e knows, and counts it; or leaves c as it is and says why.
func (m *importing) mergeEntry(c *contacts.Contact, e Entry, tally *Report) error {
	k := e.Key
	k.FirstSeen, k.LastSeen, k.VerifiedAt = m.past(k.FirstSeen), m.past(k.LastSeen), m.past(k.VerifiedAt)
	k.Unannounced = time.Time{} // the user brings it: there is nothing to warn of
	switch {
	case !k.Trust.Verified():
		k.VerifiedAt = time.Time{}
	case k.VerifiedAt.IsZero():
		k.VerifiedAt = m.now
	}
	named := c.DisplayName == "" && e.Name != ""
	i := slices.IndexFunc(c.Keys, func(old contacts.Key) bool { return old.Fingerprint == k.Fingerprint })
	switch {
	case i >= 0:
		more, err := mergeKey(&c.Keys[i], k)
		if err != nil {
			return err
		}
		if more || named {
			tally.Upgraded++
		} else {
			tally.Unchanged++
		}
	case len(c.Keys) >= contacts.MaxKeys:
		return &contacts.FieldError{Field: "Keys", Reason: fmt.Sprintf("more than %d", contacts.MaxKeys)}
	default:
		c.Keys = append(c.Keys, k)
		tally.Added++
	}
	if named {
		c.DisplayName = e.Name
	}
	return nil
}

// past returns t, or now if t lies in the future.
func (m *importing) past(t time.Time) time.Time {
	if t.After(m.now) {
		return m.now
	}
	return t
}

// mergeKey adds to old what k knows, and tells whether that was anything.
func mergeKey(old *contacts.Key, k contacts.Key) (more bool, err error) {
	switch {
	case old.Trust == contacts.Revoked && k.Trust.Verified():
		return false, contacts.ErrRevoked
	case old.Trust.Verified() && k.Trust == contacts.Revoked:
		return false, ErrVerified
	case old.Trust == contacts.Unverified && k.Trust != contacts.Unverified:
		old.Trust, old.VerifiedAt, more = k.Trust, k.VerifiedAt, true
	}
	if !k.FirstSeen.IsZero() && (old.FirstSeen.IsZero() || k.FirstSeen.Before(old.FirstSeen)) {
		old.FirstSeen, more = k.FirstSeen, true
	}
	if k.LastSeen.After(old.LastSeen) {
		old.LastSeen, more = k.LastSeen, true
	}
	if old.Note == "" && k.Note != "" {
		old.Note, more = k.Note, true
	}
	return more, nil
}

// done returns the report.
func (m *importing) done() Report {
	for i, err := range m.errs {
		if err != nil {
			m.report.Refused = append(m.report.Refused, &EntryError{i, m.entries[i].Line, err})
		}
	}
	return m.report
}
