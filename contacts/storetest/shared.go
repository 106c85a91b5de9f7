package storetest

import (
	"testing"

	"github.com/otrchat/otrchat/contacts"
)

// RunShared tests stores whose contacts are kept outside of them, in a file or a database, as subtests of t. Each subtest calls open for two stores of the same
// contacts, of which there are none yet: as two programs would have them, so with nothing in common that two programs would not have.
func RunShared(t *testing.T, open func(t *testing.T) (a, b contacts.Store)) {
	for _, each := range []struct {
		name string
		test func(t *testing.T, a, b contacts.Store)
	}{
		{"what one saves the other loads", sharedContacts},
		{"an old revision conflicts", sharedConflict},
		{"a revision never comes back", sharedRevisions},
		{"many writers through both lose nothing", sharedWriters},
	} {
		t.Run(each.name, func(t *testing.T) {
			a, b := open(t)
			each.test(t, a, b)
		})
	}
	runWatch(t, open)
}

// runWatch tests stores that are Watchers.
func runWatch(t *testing.T, open func(t *testing.T) (a, b contacts.Store)) {
	for _, each := range watchTests {
		t.Run(each.name, func(t *testing.T) {
			a, b := open(t)
			if w, ok := a.(contacts.Watcher); ok {
				each.test(t, w, b)
			}
		})
	}
}

func sharedContacts(t *testing.T, a, b contacts.Store) {
	is(t, "Load", loadErr(t, b, alice), contacts.ErrNotFound)
	c := save(t, a, Sample(alice))
	equal(t, "Load", load(t, b, alice), c)
	c.Note = "through the other"
	c = save(t, b, c)
	equal(t, "Load", load(t, a, alice), c)
	save(t, b, Sample(bob))
	equal(t, "All", collect(t, a), collect(t, b))
	is(t, "Delete", a.Delete(t.Context(), alice, c.Revision), nil)
	is(t, "Load after Delete", loadErr(t, b, alice), contacts.ErrNotFound)
}

func sharedConflict(t *testing.T, a, b contacts.Store) {
	old := save(t, a, Sample(alice))
	c := save(t, b, old)
	_, err := a.Save(t.Context(), old)
	is(t, "Save of an old revision", err, contacts.ErrConflict)
	is(t, "Delete of an old revision", a.Delete(t.Context(), alice, old.Revision), contacts.ErrConflict)
	equal(t, "Load after conflicts", load(t, a, alice), c)
}

func sharedRevisions(t *testing.T, a, b contacts.Store) {
	seen := map[uint64]bool{}
	for range 3 {
		for _, s := range []contacts.Store{a, b} {
			c := save(t, s, contacts.Contact{Address: alice})
			if seen[c.Revision] {
				t.Fatalf("revision %d came back after a Delete", c.Revision)
			}
			seen[c.Revision] = true
			is(t, "Delete", b.Delete(t.Context(), alice, c.Revision), nil)
		}
	}
}

func sharedWriters(t *testing.T, a, b contacts.Store) {
	both := []contacts.Store{a, b}
	parallel(func(w int) {
		for range rounds {
			_, err := contacts.Update(t.Context(), both[w%2], alice, func(c *contacts.Contact) error {
				c.Note += "x"
				return nil
			})
			is(t, "Update", err, nil)
		}
	})
	if n := len(load(t, a, alice).Note); n != writers*rounds {
		t.Errorf("%d of %d notes are left", n, writers*rounds)
	}
	equal(t, "All", collect(t, a), collect(t, b))
}
