package filestore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/otrchat/otrchat/contacts"
)

const version = 1

// book is what the file holds.
type book struct {
	sequence uint64 // the highest revision so far
	contacts map[string]contacts.Contact
}

// file is the JSON form of a book.
type file struct {
	Version  int                `json:"version"`
	Sequence uint64             `json:"sequence"`
	Contacts []contacts.Contact `json:"contacts"`
}

func (b *book) encode() ([]byte, error) {
	f := file{Version: version, Sequence: b.sequence, Contacts: []contacts.Contact{}}
	for _, address := range slices.Sorted(maps.Keys(b.contacts)) {
		f.Contacts = append(f.Contacts, b.contacts[address])
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(&f); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (b *book) revisions() map[string]uint64 {
	revisions := make(map[string]uint64, len(b.contacts))
	for address, c := range b.contacts {
		revisions[address] = c.Revision
	}
	return revisions
}

// decode reads a book. What it does not understand is an error: to go on would lose it at the next
// change.
func decode(data []byte) (*book, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8") // the JSON decoder would put other characters in
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, err
	}
	if head.Version != version {
		return nil, fmt.Errorf("it has version %d, this program knows %d", head.Version, version)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var f file
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is more after the contacts")
	}
	return f.book()
}

func (f *file) book() (*book, error) {
	b := &book{sequence: f.Sequence, contacts: make(map[string]contacts.Contact, len(f.Contacts))}
	for i, c := range f.Contacts {
		c, err := c.Normalized()
		if err != nil {
			return nil, fmt.Errorf("contact %d: %w", i+1, err)
		}
		if c.Revision < 1 || c.Revision > f.Sequence {
			return nil, fmt.Errorf("contact %d: its revision is not between 1 and the sequence", i+1)
		}
		if _, twice := b.contacts[c.Address]; twice {
			return nil, fmt.Errorf("contact %d: its address stands twice", i+1)
		}
		b.contacts[c.Address] = c
	}
	return b, nil
}
