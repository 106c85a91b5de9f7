package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/otrchat/otrchat/contacts"
)

// watchTests test a Watcher; by is another handle on the same contacts, or the same one.
var watchTests = []struct {
	name string
	test func(t *testing.T, s contacts.Watcher, by contacts.Store)
}{
	{"watch tells what is saved and deleted", watched},
	{"watch tells of a contact that was there for a moment", watchedMoment},
	{"watch loses nothing of what many writers do", watchedWriters},
	{"watch ends", unwatched},
}

// patience is how long a Watch may take to tell of some changes, and again to end. Those of this project take about a second.
var patience = 20 * time.Second

// watched makes each change in the body of the loop, when Watch cannot be looking.
func watched(t *testing.T, s contacts.Watcher, by contacts.Store) {
	gone := save(t, by, Sample(bob))
	step, untold := 0, map[string]bool{}
	watch(t, s, func(address string) (done bool) {
		if delete(untold, address); address == "" {
			clear(untold) // it stands for all
		}
		if len(untold) > 0 {
			return false
		}
		switch step++; step {
		case 1:
			save(t, by, contacts.Contact{Address: "SIP:alice@EXAMPLE.com:5060"})
			untold[alice] = true
		case 2:
			save(t, by, load(t, by, alice))
			is(t, "Delete", by.Delete(t.Context(), bob, gone.Revision), nil)
			untold[alice], untold[bob] = true, true
		}
		return step == 3
	})
}

// watchedMoment loads a contact that is stored and deleted before Watch looks again. Whoever did so must learn that it is gone.
func watchedMoment(t *testing.T, s contacts.Watcher, by contacts.Store) {
	save(t, by, Sample(bob))
	begun := false
	watch(t, s, func(address string) (done bool) {
		if begun {
			return address == "" || address == alice
		}
		begun = true
		save(t, by, contacts.Contact{Address: alice})
		is(t, "Delete", by.Delete(t.Context(), alice, load(t, s, alice).Revision), nil)
		return false
	})
}

// watchedWriters keeps a mirror of the store by what Watch tells, and compares the two when many writers are done.
func watchedWriters(t *testing.T, s contacts.Watcher, by contacts.Store) {
	const last = "last@example.com"
	var written sync.WaitGroup
	write := sync.OnceFunc(func() {
		written.Go(func() {
			saveAndDelete(t, by)
			_, err := by.Save(t.Context(), contacts.Contact{Address: last})
			is(t, "Save", err, nil)
		})
	})
	mirror := map[string]uint64{}
	watch(t, s, func(address string) (done bool) {
		if address == "" {
			mirror = revisions(t, s)
			write()
		} else {
			delete(mirror, address)
			c, err := s.Load(t.Context(), address)
			if err == nil {
				mirror[address] = c.Revision
			} else {
				is(t, "Load", err, contacts.ErrNotFound)
			}
		}
		return mirror[last] != 0 && maps.Equal(mirror, revisions(t, s))
	})
	written.Wait()
}

// saveAndDelete has many writers change the same contacts; every other of them deletes what it saved if it still can.
func saveAndDelete(t *testing.T, s contacts.Store) {
	parallel(func(w int) {
		for round := range rounds {
			c, err := contacts.Update(t.Context(), s, fmt.Sprintf("w%d-%d@example.com", w%4, round), func(c *contacts.Contact) error {
				c.Note += "x"
				return nil
			})
			is(t, "Update", err, nil)
			if w%2 == 0 {
				err := s.Delete(t.Context(), c.Address, c.Revision)
				if !errors.Is(err, contacts.ErrConflict) && !errors.Is(err, contacts.ErrNotFound) {
					is(t, "Delete", err, nil)
				}
			}
		}
	})
}

// unwatched leaves the loop at once, and begins one with a context that has ended.
func unwatched(t *testing.T, s contacts.Watcher, _ contacts.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ends(t, func() {
		for range s.Watch(ctx) {
			break
		}
	})
	cancel()
	times := 0
	ends(t, func() {
		for _, err := range s.Watch(ctx) {
			is(t, "Watch", err, context.Canceled)
			times++
		}
	})
	if times != 1 {
		t.Errorf("Watch yielded %d times, want once, with the error", times)
	}
}

func revisions(t *testing.T, s contacts.Store) map[string]uint64 {
	t.Helper()
	all := map[string]uint64{}
	for _, c := range collect(t, s) {
		all[c.Address] = c.Revision
	}
	return all
}

// watch calls f with each address that s tells until f is done, and ends the context then.
func watch(t *testing.T, s contacts.Watcher, f func(address string) (done bool)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	late := time.AfterFunc(patience, func() {
		t.Errorf("Watch has not told of all changes after %v", patience)
		cancel()
	})
	ends(t, func() {
		defer late.Stop()
		loop(ctx, t, s, func(address string) {
			if f(address) {
				cancel()
			}
		})
	})
}

// ends waits for f, a little longer than a Watch may take to tell and to end.
func ends(t *testing.T, f func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	select {
	case <-ended:
	case <-time.After(2 * patience):
		t.Fatal("Watch goes on after its context has ended")
	}
}

func loop(ctx context.Context, t *testing.T, s contacts.Watcher, f func(address string)) {
	var last error
	begun := false
	for address, err := range s.Watch(ctx) {
		normal, _ := contacts.Normalize(address)
		switch {
		case last != nil:
			t.Errorf("Watch goes on after the error %v", last)
		case err != nil:
			last = err
		case !begun && address != "":
			t.Errorf("Watch begins with %q", address)
		case address != normal:
			t.Errorf("Watch tells of %q, which is not normalised", address)
		default:
			begun = true
			f(address)
		}
	}
	is(t, "the last thing that Watch yields", last, context.Canceled)
}
