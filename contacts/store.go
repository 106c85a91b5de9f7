package contacts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/otrchat/otrchat/contacts/internal/watch"
)

// Errors of every [Store]. Test for them with errors.Is.
var (
	// ErrNotFound is returned for an address that is not stored.
	ErrNotFound = errors.New("contacts: no such contact")
	// ErrConflict is returned when the stored contact is not the revision that the caller holds.
	ErrConflict = errors.New("contacts: the contact was changed elsewhere")
	// ErrFull is returned by Save for a new contact when the store holds as many as it may.
	ErrFull = errors.New("contacts: the store is full")
)

// MaxContacts is how many contacts [Memory] and the file store hold, and the SQL store for each owner.
const MaxContacts = 10_000

// Store keeps contacts by their normalised address. Every method may be called from any number of
// goroutines; the context bounds the call. Addresses are normalised by the store, so any form of
// an address finds its contact, and a bad address is an [*AddressError]. Contacts that a store
// returns or takes share no memory with it. The package storetest has the suite that holds an
// implementation to this contract.
type Store interface {
	// Load returns the contact, or ErrNotFound.
	Load(ctx context.Context, address string) (Contact, error)
	// Save stores the contact if its Revision is the stored one, or is 0 and the address is not
	// stored, and returns it as stored, with its new Revision. Otherwise nothing changes and the
	// error is ErrConflict. A revision is never used twice for one address, not even after a
	// Delete. A contact that is not valid is a *FieldError or an *AddressError; ErrFull is returned
	// for a new contact when there is no room.
	Save(ctx context.Context, c Contact) (Contact, error)
	// Delete removes the contact if revision is the stored one. The error is ErrNotFound when the
	// address is not stored, ErrConflict when it is in another revision.
	Delete(ctx context.Context, address string, revision uint64) error
	// All yields every contact once, ordered by address, and ends after the first error. The store
	// is not locked meanwhile: the loop may call any method. Whether contacts that are changed
	// during the loop come in their old or new form is not defined.
	All(ctx context.Context) iter.Seq2[Contact, error]
}

// Watcher is a [Store] that can tell of changes, those made by another process or on another machine included. It is optional: ask with a type
// assertion. The stores of this project are Watchers.
type Watcher interface {
	Store
	// Watch yields the normalised address of each contact that was saved or deleted, by whomever, the caller included: load it to learn what it is now.
	// The first thing it yields is "": watching has begun, and what is loaded from now on misses no change. A later "" means that any contact may have changed.
	// Several changes of a contact may be told as one, and those of a contact that was stored and deleted again soon afterwards as "". It may take a
	// few seconds until a change is told; no change is lost, however long the loop is busy, and nothing is held for it meanwhile that grows with the changes.
	// The loop may call any method, and may be left at any time.
	//
	// Watch runs until ctx ends or the store fails; the last thing that it yields is the error.
	Watch(ctx context.Context) iter.Seq2[string, error]
}

const updateTries = 100

// Update changes one contact: it loads the contact (or starts a new one), calls f, and saves what f
// left. When somebody else saved meanwhile it starts over with the newer contact, so f may be
// called more than once and must judge each time by the contact it is given; the last call is the
// one that counts. An error of f ends Update without saving and is returned as it is. After 100
// tries the error is ErrConflict. f cannot change Address and Revision.
func Update(ctx context.Context, s Store, address string, f func(*Contact) error) (Contact, error) {
	address, err := Normalize(address)
	if err != nil {
		return Contact{}, err
	}
	for try := range updateTries {
		c, err := s.Load(ctx, address)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Contact{}, err
		}
		revision := c.Revision
		c.Address = address
		if err := f(&c); err != nil {
			return Contact{}, err
		}
		c.Address, c.Revision = address, revision
		saved, err := s.Save(ctx, c)
		if !errors.Is(err, ErrConflict) {
			return saved, err
		}
		if err := pause(ctx, try); err != nil {
			return Contact{}, err
		}
	}
	return Contact{}, fmt.Errorf("%w, %d times in a row", ErrConflict, updateTries)
}

// pause waits a random time that grows with the number of tries, less than 100 ms, so that many
// writers of one contact get out of each other's way.
func pause(ctx context.Context, try int) error {
	return watch.Sleep(ctx, rand.N(time.Duration(try+1)*time.Millisecond))
}
