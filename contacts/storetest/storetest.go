package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otrchat/otrchat/contacts"
)

// Run tests one store after another, as subtests of t. Each subtest calls open for a store that is
// empty. Watch is tested where the store is a [contacts.Watcher].
func Run(t *testing.T, open func(t *testing.T) contacts.Store) {
	for _, each := range []struct {
		name string
		test func(t *testing.T, s contacts.Store)
	}{
		{"what is saved is loaded", saved},
		{"what is not stored is not found", notFound},
		{"an old revision conflicts", conflict},
		{"delete", deleted},
		{"a revision never comes back", revisionsAreNew},
		{"any form of an address finds the contact", addresses},
		{"a bad contact is refused", refused},
		{"nothing is shared with the store", nothingShared},
		{"all", all},
		{"the store is not locked within all", allUnlocked},
		{"an ended context", endedContext},
		{"many writers of one contact lose nothing", writersOfOne},
		{"many writers of many contacts lose nothing", writersOfMany},
	} {
		t.Run(each.name, func(t *testing.T) { each.test(t, open(t)) })
	}
	runWatch(t, func(t *testing.T) (a, b contacts.Store) {
		s := open(t)
		return s, s
	})
}

// Sample is a contact in which every field is set, as a store returns it but for its Revision.
func Sample(address string) contacts.Contact {
	at := time.Date(2026, 11, 23, 8, 30, 0, 123456000, time.UTC)
	return contacts.Contact{
		Address:     address,
		DisplayName: "Aña \"the\" <b>\r\n'; DROP TABLE contacts; --",
		Policy:      contacts.Always,
		Note:        "met in Ljubljana 🐉",
		Keys: []contacts.Key{
			{Fingerprint: contacts.Fingerprint{1}, FirstSeen: at, LastSeen: at.Add(time.Hour), Unannounced: at.Add(time.Hour)},
			{Fingerprint: contacts.Fingerprint{2}, FirstSeen: at, LastSeen: at, Trust: contacts.VerifiedSMP, VerifiedAt: at},
			{Fingerprint: contacts.Fingerprint{3}, FirstSeen: at, LastSeen: at, Trust: contacts.VerifiedManually, VerifiedAt: at, Note: "his\nphone 📱"},
			{Fingerprint: contacts.Fingerprint{4}, Trust: contacts.Revoked},
		},
	}
}

const alice, bob = "alice@example.com", "bob@example.com"

func saved(t *testing.T, s contacts.Store) {
	want := Sample(alice)
	got := save(t, s, want)
	if got.Revision == 0 {
		t.Error("Save returned revision 0")
	}
	want.Revision = got.Revision
	equal(t, "Save", got, want)
	equal(t, "Load", load(t, s, alice), want)

	want.DisplayName, want.Keys, want.Policy = "", nil, contacts.Inherit
	got = save(t, s, want)
	if got.Revision == want.Revision {
		t.Error("Save returned the old revision")
	}
	want.Revision = got.Revision
	equal(t, "Load after the second Save", load(t, s, alice), want)

	for p := contacts.Inherit; p <= contacts.Never; p++ {
		want = contacts.Contact{Address: bob, Policy: p, Revision: want.Revision}
		if p == contacts.Inherit {
			want.Revision = 0
		}
		want.Revision = save(t, s, want).Revision
		equal(t, "Load with the policy "+p.String(), load(t, s, bob), want)
	}
}

func notFound(t *testing.T, s contacts.Store) {
	_, err := s.Load(t.Context(), alice)
	is(t, "Load", err, contacts.ErrNotFound)
	is(t, "Delete", s.Delete(t.Context(), alice, 1), contacts.ErrNotFound)
	save(t, s, Sample(alice))
	_, err = s.Load(t.Context(), bob)
	is(t, "Load of another", err, contacts.ErrNotFound)
}

func conflict(t *testing.T, s contacts.Store) {
	_, err := s.Save(t.Context(), contacts.Contact{Address: alice, Revision: 1})
	is(t, "Save of a revision that was never stored", err, contacts.ErrConflict)

	first := save(t, s, contacts.Contact{Address: alice})
	second := save(t, s, first)
	for _, revision := range []uint64{0, first.Revision, second.Revision + 1} {
		_, err := s.Save(t.Context(), contacts.Contact{Address: alice, Note: "lost", Revision: revision})
		is(t, "Save of another revision", err, contacts.ErrConflict)
		is(t, "Delete of another revision", s.Delete(t.Context(), alice, revision), contacts.ErrConflict)
	}
	equal(t, "Load after conflicts", load(t, s, alice), second)
}

func deleted(t *testing.T, s contacts.Store) {
	gone, stays := save(t, s, Sample(alice)), save(t, s, Sample(bob))
	is(t, "Delete", s.Delete(t.Context(), alice, gone.Revision), nil)
	_, err := s.Load(t.Context(), alice)
	is(t, "Load after Delete", err, contacts.ErrNotFound)
	is(t, "second Delete", s.Delete(t.Context(), alice, gone.Revision), contacts.ErrNotFound)
	_, err = s.Save(t.Context(), gone)
	is(t, "Save of a deleted revision", err, contacts.ErrConflict)
	equal(t, "Load of the other", load(t, s, bob), stays)
}

func revisionsAreNew(t *testing.T, s contacts.Store) {
	seen := map[uint64]bool{}
	for range 5 {
		c := save(t, s, contacts.Contact{Address: alice})
		if seen[c.Revision] {
			t.Fatalf("revision %d came back after a Delete", c.Revision)
		}
		seen[c.Revision] = true
		is(t, "Delete", s.Delete(t.Context(), alice, c.Revision), nil)
	}
}

func addresses(t *testing.T, s contacts.Store) {
	c := save(t, s, contacts.Contact{Address: "sip:%61lice@EXAMPLE.com:5060;transport=tcp"})
	if c.Address != alice {
		t.Errorf("Save kept the address as %q", c.Address)
	}
	for _, form := range []string{alice, "sips:alice@example.com", "SIP:alice:pw@Example.Com.;x=y?z=1"} {
		equal(t, form, load(t, s, form), c)
	}
	is(t, "Load with another case of the user", loadErr(t, s, "Alice@example.com"), contacts.ErrNotFound)
	is(t, "Delete", s.Delete(t.Context(), "im:alice@example.com", c.Revision), nil)

	for _, bad := range []string{"", "a@b@c", "a\r\nb@c", "\"Alice\" <sip:alice@example.com>"} {
		_, saveErr := s.Save(t.Context(), contacts.Contact{Address: bad})
		for _, err := range []error{loadErr(t, s, bad), saveErr, s.Delete(t.Context(), bad, 1)} {
			var address *contacts.AddressError
			if !errors.As(err, &address) {
				t.Errorf("%q: got %v, want an *AddressError", bad, err)
			}
		}
	}
}

func refused(t *testing.T, s contacts.Store) {
	key := contacts.Key{Fingerprint: contacts.Fingerprint{1}}
	for _, c := range []contacts.Contact{
		{DisplayName: strings.Repeat("x", contacts.MaxDisplayName+1)},
		{DisplayName: "\xff"},
		{Note: "a\x00b"},
		{DisplayName: "\x00"},
		{Note: strings.Repeat("x", contacts.MaxNote+1)},
		{Keys: []contacts.Key{{Fingerprint: key.Fingerprint, Note: strings.Repeat("x", contacts.MaxKeyNote+1)}}},
		{Keys: []contacts.Key{{Fingerprint: key.Fingerprint, Note: "\xff"}}},
		{Policy: contacts.Never + 1},
		{Policy: -1},
		{Keys: make([]contacts.Key, contacts.MaxKeys+1)},
		{Keys: make([]contacts.Key, 1)},
		{Keys: []contacts.Key{key, key}},
		{Keys: []contacts.Key{{Fingerprint: key.Fingerprint, Trust: contacts.Revoked + 1}}},
		{Keys: []contacts.Key{{Fingerprint: key.Fingerprint, LastSeen: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}},
	} {
		c.Address = alice
		_, err := s.Save(t.Context(), c)
		var field *contacts.FieldError
		if !errors.As(err, &field) {
			t.Errorf("Save of a bad contact: got %v, want a *FieldError", err)
		}
	}
	is(t, "Load", loadErr(t, s, alice), contacts.ErrNotFound)
}

func nothingShared(t *testing.T, s contacts.Store) {
	mine := Sample(alice)
	returned := save(t, s, mine)
	mine.Keys[0].Trust = contacts.Revoked
	returned.Keys[1].Trust = contacts.Revoked
	loaded := load(t, s, alice)
	loaded.Keys[2].Trust = contacts.Revoked
	for c, err := range s.All(t.Context()) {
		is(t, "All", err, nil)
		c.Keys[0].Trust = contacts.Revoked
	}
	want := Sample(alice)
	want.Revision = returned.Revision
	equal(t, "Load", load(t, s, alice), want)
}

func all(t *testing.T, s contacts.Store) {
	for range s.All(t.Context()) {
		t.Error("All of an empty store yields something")
	}
	var want []contacts.Contact
	for _, address := range []string{"Zoë@example.com", alice, "tel:+38612345", bob} {
		save(t, s, Sample(address))
	}
	for _, address := range []string{"Zo%C3%AB@example.com", alice, bob, "tel:+38612345"} { // in the order of bytes
		want = append(want, load(t, s, address))
	}
	equal(t, "All", collect(t, s), want)
	for range s.All(t.Context()) {
		break // leaving early is allowed
	}
}

func allUnlocked(t *testing.T, s contacts.Store) {
	save(t, s, Sample(alice))
	save(t, s, Sample(bob))
	for c, err := range s.All(t.Context()) {
		is(t, "All", err, nil)
		is(t, "Delete within All", s.Delete(t.Context(), c.Address, c.Revision), nil)
		save(t, s, contacts.Contact{Address: "new-" + c.Address})
	}
	var left []string
	for _, c := range collect(t, s) {
		left = append(left, c.Address)
	}
	for _, want := range []string{"new-" + alice, "new-" + bob} {
		if !strings.Contains(strings.Join(left, " "), want) {
			t.Errorf("%s is missing: %v", want, left)
		}
	}
}

func endedContext(t *testing.T, s contacts.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	allEnds(t, s.All(ctx)) // and not as if there were none
	stored := save(t, s, Sample(alice))
	save(t, s, Sample(bob))
	_, err := s.Load(ctx, alice)
	is(t, "Load", err, context.Canceled)
	_, err = s.Save(ctx, stored)
	is(t, "Save", err, context.Canceled)
	is(t, "Delete", s.Delete(ctx, alice, stored.Revision), context.Canceled)
	allEnds(t, s.All(ctx))
	equal(t, "Load afterwards", load(t, s, alice), stored)
}

// allEnds goes through all, whose context has ended.
func allEnds(t *testing.T, all iter.Seq2[contacts.Contact, error]) {
	t.Helper()
	times := 0
	for _, err := range all {
		is(t, "All", err, context.Canceled)
		times++
	}
	if times != 1 {
		t.Errorf("All yielded %d times, want once, with the error", times)
	}
}

const writers, rounds = 16, 5

func writersOfOne(t *testing.T, s contacts.Store) {
	parallel(func(w int) {
		for round := range rounds {
			fp := contacts.Fingerprint{1, byte(w), byte(round)}
			_, err := contacts.Update(t.Context(), s, alice, func(c *contacts.Contact) error {
				c.Note += "x"
				if w < 8 {
					c.Learn(fp, time.Unix(1, 0))
				}
				return nil
			})
			is(t, "Update", err, nil)
		}
	})
	c := load(t, s, alice)
	if len(c.Note) != writers*rounds || len(c.Keys) != 8*rounds {
		t.Errorf("%d of %d notes and %d of %d keys are left", len(c.Note), writers*rounds, len(c.Keys), 8*rounds)
	}
}

func writersOfMany(t *testing.T, s contacts.Store) {
	parallel(func(w int) {
		for round := range rounds {
			_, err := s.Save(t.Context(), contacts.Contact{Address: fmt.Sprintf("w%d-%d@example.com", w, round)})
			is(t, "Save", err, nil)
		}
	})
	if n := len(collect(t, s)); n != writers*rounds {
		t.Errorf("%d of %d contacts are left", n, writers*rounds)
	}
}

func parallel(f func(writer int)) {
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { f(w) })
	}
	wg.Wait()
}

func save(t *testing.T, s contacts.Store, c contacts.Contact) contacts.Contact {
	t.Helper()
	c, err := s.Save(t.Context(), c)
	if err != nil {
		t.Fatalf("Save: %v", err)
	}
	return c
}

func load(t *testing.T, s contacts.Store, address string) contacts.Contact {
	t.Helper()
	c, err := s.Load(t.Context(), address)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func loadErr(t *testing.T, s contacts.Store, address string) error {
	_, err := s.Load(t.Context(), address)
	return err
}

func collect(t *testing.T, s contacts.Store) (all []contacts.Contact) {
	t.Helper()
	for c, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatalf("All: %v", err)
		}
		all = append(all, c)
	}
	return all
}

func is(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}
