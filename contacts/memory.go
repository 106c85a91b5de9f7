package contacts

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/otrchat/otrchat/contacts/internal/watch"
)

// Memory is a [Watcher] that lives as long as the process. Use [NewMemory]. It holds at most
// [MaxContacts] contacts.
type Memory struct {
	mu       sync.Mutex
	contacts map[string]Contact
	sequence uint64        // of all contacts together, so that no revision comes twice
	changed  chan struct{} // closed by the next change; nil when nobody waits for one
}

var _ Watcher = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{contacts: make(map[string]Contact)} }

// Load implements [Store].
func (m *Memory) Load(ctx context.Context, address string) (Contact, error) {
	address, err := enter(ctx, address)
	if err != nil {
		return Contact{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.contacts[address]
	if !ok {
		return Contact{}, ErrNotFound
	}
	return c.Clone(), nil
}

// Save implements [Store].
func (m *Memory) Save(ctx context.Context, c Contact) (Contact, error) {
	if err := ctx.Err(); err != nil {
		return Contact{}, err
	}
	c, err := c.Normalized()
	if err != nil {
		return Contact{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, exists := m.contacts[c.Address]
	switch {
	case c.Revision != old.Revision:
		return Contact{}, ErrConflict
	case !exists && len(m.contacts) >= MaxContacts:
		return Contact{}, ErrFull
	}
	m.sequence++
	c.Revision = m.sequence
	m.contacts[c.Address] = c
	m.tell()
	return c.Clone(), nil
}

// Delete implements [Store].
func (m *Memory) Delete(ctx context.Context, address string, revision uint64) error {
	address, err := enter(ctx, address)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.contacts[address]
	switch {
	case !ok:
		return ErrNotFound
	case old.Revision != revision:
		return ErrConflict
	}
	delete(m.contacts, address)
	m.sequence++
	m.tell()
	return nil
}

// tell wakes whoever watches. m.mu is held.
func (m *Memory) tell() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// All implements [Store]. It yields the contacts as they are when the loop starts.
func (m *Memory) All(ctx context.Context) iter.Seq2[Contact, error] {
	return func(yield func(Contact, error) bool) {
		all, err := m.snapshot(), ctx.Err()
		for i := 0; i < len(all) && err == nil; i++ {
			if !yield(all[i].Clone(), nil) {
				return
			}
			err = ctx.Err()
		}
		if err != nil {
			yield(Contact{}, err)
		}
	}
}

// snapshot returns the contacts in the order of their addresses. They share their keys with the
// store, which never changes a stored slice.
func (m *Memory) snapshot() []Contact {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Contact, 0, len(m.contacts))
	for _, address := range slices.Sorted(maps.Keys(m.contacts)) {
		all = append(all, m.contacts[address])
	}
	return all
}

// Watch implements [Watcher]. Changes are told at once.
func (m *Memory) Watch(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var changed <-chan struct{}
		snapshot := func(context.Context) (now watch.Snapshot, err error) {
			now, changed = m.now()
			return now, nil
		}
		wait := func(ctx context.Context) error {
			select {
			case <-changed:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		watch.Changes(ctx, snapshot, wait)(yield)
	}
}

// now returns the store as it is, and what the next change closes.
func (m *Memory) now() (watch.Snapshot, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	revisions := make(map[string]uint64, len(m.contacts))
	for address, c := range m.contacts {
		revisions[address] = c.Revision
	}
	return watch.Snapshot{Sequence: m.sequence, Revisions: revisions}, m.changed
}

// enter is how each call with an address begins.
func enter(ctx context.Context, address string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return Normalize(address)
}
