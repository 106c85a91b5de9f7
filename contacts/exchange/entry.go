package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/otrchat/otrchat/contacts"
)

// Bounds of one file, read or written.
const (
	MaxBytes   = 16 << 20 // bytes
	MaxEntries = 100_000  // entries
	MaxFaults  = 100      // bad lines, after which reading ends
)

const maxRow = 64 << 10 // bytes of an entry in CSV or JSON: what is longer is none, and could take up many times its size

// Errors of this package. Test for them with errors.Is.
var (
	// ErrTooLarge is returned for a file of more than MaxBytes or MaxEntries.
	ErrTooLarge = errors.New("exchange: more than a file may hold")
	// ErrTooManyFaults is returned with the errors of the first MaxFaults bad lines: it is probably a file of another kind.
	ErrTooManyFaults = errors.New("exchange: too many bad lines")
	// ErrNoAddress is why [Import] refuses an entry that does not say whose key it is, or says it with a nickname that is no address.
	ErrNoAddress = errors.New("exchange: no address")
	// ErrVerified is why [Import] refuses an entry that revokes a key which the store has as verified: that is for the user to decide.
	ErrVerified = errors.New("exchange: the key is verified in the store")
)

// Entry is one key of one contact, as a file tells it. It is a plain value; whoever reads a file may change its entries before they are imported.
type Entry struct {
	// Line is where the entry begins in its file, counted from 1; in Blink's own file, which has no lines, the number of the peer. Default: 0, from
	// no file.
	Line int
	// Address says whose key it is, as the file does: [Import] normalises it. In a file of libotr's it is the user name, which may be a nickname or
	// end in a resource. Blink knows no addresses: then it is empty.
	Address string
	// Name is the contact's display name, or what Blink calls the description. Files of libotr's have none. Default: empty.
	Name string
	// Account and Protocol are the user's own account, and its protocol in the words of the program ("prpl-simple" in Pidgin). Only files of libotr's
	// have them.
	Account, Protocol string
	// Key is the key and the trust in it.
	Key contacts.Key
}

// LineError reports a line that was left out, or where reading ended.
type LineError struct {
	Line   int    // as Entry.Line
	Reason string // what is wrong with it; never the text
}

// Error names the line and the reason.
func (e *LineError) Error() string { return fmt.Sprintf("exchange: line %d: %s", e.Line, e.Reason) }

// EntryError reports an entry that cannot be imported or written.
type EntryError struct {
	Index int // in the slice
	Line  int // Entry.Line
	Err   error
}

// Error names the entry and the reason.
func (e *EntryError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("exchange: entry %d, from line %d: %v", e.Index, e.Line, e.Err)
	}
	return fmt.Sprintf("exchange: entry %d: %v", e.Index, e.Err)
}

// Unwrap returns Err.
func (e *EntryError) Unwrap() error { return e.Err }

// Export returns all keys of all contacts of the store, in the order of [contacts.Store.All], with the names of their contacts. Set Account and
// Protocol of those that are for a file of libotr's. The error is the store's, or ErrTooLarge.
func Export(ctx context.Context, s contacts.Store) ([]Entry, error) {
	var entries []Entry
	for c, err := range s.All(ctx) {
		if err != nil {
			return nil, err
		}
		if len(entries)+len(c.Keys) > MaxEntries {
			return nil, ErrTooLarge
		}
		for _, k := range c.Keys {
			entries = append(entries, Entry{Address: c.Address, Name: c.DisplayName, Key: k})
		}
	}
	return entries, nil
}

// checked returns e with its times as stores keep them.
func checked(e Entry) (Entry, error) {
	if len(e.Address) > contacts.MaxAddress {
		return e, &contacts.FieldError{Field: "Address", Reason: fmt.Sprintf("longer than %d bytes", contacts.MaxAddress)}
	}
	if text := e.Address + "\t" + e.Account + "\t" + e.Protocol; !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		return e, &contacts.FieldError{Field: "Address, Account or Protocol", Reason: "not UTF-8, or NUL"}
	}
	c, err := contacts.Contact{Address: "contact.invalid", DisplayName: e.Name, Keys: []contacts.Key{e.Key}}.Normalized()
	var field *contacts.FieldError
	if errors.As(err, &field) {
		names := strings.NewReplacer("DisplayName", "Name", "Keys[0]", "Key")
		return e, &contacts.FieldError{Field: names.Replace(field.Field), Reason: field.Reason}
	}
	if err != nil {
		return e, err
	}
	e.Key = c.Keys[0]
	return e, nil
}

// reading collects what is understood of a file, and what is not.
type reading struct {
	entries []Entry
	faults  []error
	ended   bool // by too many of either
}

func (r *reading) add(e Entry) {
	e, err := checked(e)
	var field *contacts.FieldError
	switch {
	case errors.As(err, &field):
		r.fault(e.Line, field.Field+" is "+field.Reason)
	case err != nil:
		r.fault(e.Line, err.Error())
	case len(r.entries) == MaxEntries:
		r.end(ErrTooLarge)
	default:
		r.entries = append(r.entries, e)
	}
}

func (r *reading) fault(line int, reason string) {
	r.faults = append(r.faults, &LineError{line, reason})
	if len(r.faults) == MaxFaults {
		r.end(ErrTooManyFaults)
	}
}

// end ends reading: there is more, but nobody looks at it.
func (r *reading) end(why error) {
	r.faults, r.ended = append(r.faults, why), true
}

func (r *reading) result() ([]Entry, error) { return r.entries, errors.Join(r.faults...) }

// readAll reads a file of no more than MaxBytes.
func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("exchange: reading: %w", err)
	}
	if len(data) > MaxBytes {
		return nil, ErrTooLarge
	}
	return data, nil
}

// write makes a file of the entries, each with one call of form, between head and tail, and writes it if all are good.
func write(w io.Writer, entries []Entry, head string, form func(*bytes.Buffer, Entry) error, tail string) error {
	if len(entries) > MaxEntries {
		return ErrTooLarge
	}
	file := bytes.NewBufferString(head)
	for i, e := range entries {
		e, err := checked(e)
		if err == nil {
			err = form(file, e)
		}
		if err != nil {
			return &EntryError{i, e.Line, err}
		}
		if file.Len() > MaxBytes-len(tail) {
			return ErrTooLarge
		}
	}
	file.WriteString(tail)
	if _, err := w.Write(file.Bytes()); err != nil {
		return fmt.Errorf("exchange: writing: %w", err)
	}
	return nil
}
