package filestore

import (
	"context"
	"errors"
	"iter"
	"maps"
	"math"
	"slices"

	"github.com/otrchat/otrchat/contacts"
)

// Options say where the contacts are.
type Options struct {
	// Path is the file. It and its folder need not exist yet. Default: none, it must be set.
	Path string
}

// Store is a [contacts.Watcher] in a file. Use [New].
type Store struct {
	path   string
	limit  int                     // bytes of the file; less than MaxFileBytes in a test only
	turn   chan struct{}           // holds one token while a goroutine of this process changes the file
	before func(step string) error // what a test sees of each step that changes the disk, and may let fail; else nil
}

var _ contacts.Watcher = (*Store)(nil)

// New returns the store in the file o.Path. It reads and writes nothing yet. The error names the
// option that is wrong.
func New(o *Options) (*Store, error) {
	if o == nil || o.Path == "" {
		return nil, errors.New("filestore: Options.Path is not set")
	}
	return &Store{path: o.Path, limit: MaxFileBytes, turn: make(chan struct{}, 1)}, nil
}

// Load implements [contacts.Store].
func (s *Store) Load(ctx context.Context, address string) (contacts.Contact, error) {
	address, err := contacts.Normalize(address)
	if err != nil {
		return contacts.Contact{}, err
	}
	book, err := s.read(ctx)
	if err != nil {
		return contacts.Contact{}, err
	}
	c, ok := book.contacts[address]
	if !ok {
		return contacts.Contact{}, contacts.ErrNotFound
	}
	return c, nil
}

// Save implements [contacts.Store]. When it returns without an error the contact is on
// the disk. After an error of the disk it may be there or not: load it again.
func (s *Store) Save(ctx context.Context, c contacts.Contact) (contacts.Contact, error) {
	c, err := c.Normalized()
	if err != nil {
		return contacts.Contact{}, err
	}
	err = s.change(ctx, func(b *book) error {
		old, exists := b.contacts[c.Address]
		switch {
		case c.Revision != old.Revision:
			return contacts.ErrConflict
		case !exists && len(b.contacts) >= contacts.MaxContacts:
			return contacts.ErrFull
		}
		b.sequence++
		c.Revision = b.sequence
		b.contacts[c.Address] = c
		return nil
	})
	if err != nil {
		return contacts.Contact{}, err
	}
	return c, nil
}

// Delete implements [contacts.Store]. The backup file holds the contact until the next change.
func (s *Store) Delete(ctx context.Context, address string, revision uint64) error {
	address, err := contacts.Normalize(address)
	if err != nil {
		return err
	}
	return s.change(ctx, func(b *book) error {
		old, exists := b.contacts[address]
		switch {
		case !exists:
			return contacts.ErrNotFound
		case old.Revision != revision:
			return contacts.ErrConflict
		}
		b.sequence++ // a later contact at this address gets another revision
		delete(b.contacts, address)
		return nil
	})
}

// All implements [contacts.Store]. It yields the contacts as they are when the loop starts.
func (s *Store) All(ctx context.Context) iter.Seq2[contacts.Contact, error] {
	return func(yield func(contacts.Contact, error) bool) {
		book, err := s.read(ctx)
		if err != nil {
			yield(contacts.Contact{}, err)
			return
		}
		for _, address := range slices.Sorted(maps.Keys(book.contacts)) {
			if err := ctx.Err(); err != nil {
				yield(contacts.Contact{}, err)
				return
			}
			if !yield(book.contacts[address], nil) {
				return
			}
		}
	}
}

// change reads the file, lets f change what it holds, and writes it, all under the lock. An error of
// f leaves the file alone and is returned as it is.
func (s *Store) change(ctx context.Context, f func(*book) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	b, err := s.read(ctx)
	if err != nil {
		return err
	}
	if b.sequence == math.MaxUint64 {
		return contacts.ErrFull // somebody wrote that into the file
	}
	if err := f(b); err != nil {
		return err
	}
	return s.write(b)
}
