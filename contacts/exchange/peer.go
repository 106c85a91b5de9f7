package exchange

import (
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/otrchat/otrchat/contacts"
)

// column is a column of a CSV file, and a member of an object in a JSON file.
type column struct {
	name string
	text func(Entry) string // empty for none
	set  func(*Entry, string) error
}

// columns are those of trusted peers. The first two are what Blink knows.
var columns = []column{
	{"fingerprint", func(e Entry) string { return hex.EncodeToString(e.Key.Fingerprint[:]) }, func(e *Entry, s string) (err error) {
		if e.Key.Fingerprint, err = contacts.ParseFingerprint(s); err != nil {
			return errors.New("is not 40 hexadecimal digits, or all are 0")
		}
		return nil
	}},
	textColumn("description", func(e *Entry) *string { return &e.Name }),
	textColumn("address", func(e *Entry) *string { return &e.Address }),
	{"trust", func(e Entry) string { return e.Key.Trust.String() }, func(e *Entry, s string) error {
		if e.Key.Trust.UnmarshalText([]byte(s)) != nil {
			return errors.New("is none of unverified, verified-smp, verified-manually and revoked")
		}
		return nil
	}},
	timeColumn("verifiedAt", func(e *Entry) *time.Time { return &e.Key.VerifiedAt }),
	timeColumn("firstSeen", func(e *Entry) *time.Time { return &e.Key.FirstSeen }),
	timeColumn("lastSeen", func(e *Entry) *time.Time { return &e.Key.LastSeen }),
	textColumn("note", func(e *Entry) *string { return &e.Key.Note }),
}

func textColumn(name string, field func(*Entry) *string) column {
	return column{name, func(e Entry) string { return *field(&e) }, func(e *Entry, s string) error {
		*field(e) = s
		return nil
	}}
}

func timeColumn(name string, field func(*Entry) *time.Time) column {
	return column{name, func(e Entry) string {
		if field(&e).IsZero() {
			return ""
		}
		return field(&e).Format(time.RFC3339Nano)
	}, func(e *Entry, s string) (err error) {
		if s == "" {
			return nil
		}
		if *field(e), err = time.Parse(time.RFC3339Nano, s); err != nil {
			return errors.New("is no time such as 2026-11-23T08:30:00Z")
		}
		return nil
	}}
}

// columnOf returns the index of the column with that name, or less than 0.
func columnOf(name string) int {
	return slices.IndexFunc(columns, func(c column) bool { return c.name == name })
}

// trustedPeer is an entry before anything is read of it: a list of trusted peers that says nothing of trust, as Blink's, means that all are verified.
func trustedPeer(line int) Entry {
	return Entry{Line: line, Key: contacts.Key{Trust: contacts.VerifiedManually}}
}
