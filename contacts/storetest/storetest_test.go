package storetest_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/storetest"
)

// broken are stores that break the contract, each in one way that the suite must notice.
var broken = map[string]func() contacts.Store{
	"saves without comparing":   func() contacts.Store { return &lastWins{Memory: contacts.NewMemory()} },
	"deletes without comparing": func() contacts.Store { return &deletesAny{contacts.NewMemory()} },
	"uses revisions again":      func() contacts.Store { return &countsAnew{Memory: contacts.NewMemory(), base: map[string]uint64{}} },
	"hands out its own memory": func() contacts.Store {
		return &shares{Memory: contacts.NewMemory(), last: map[string]contacts.Contact{}}
	},
	"yields all in another order":    func() contacts.Store { return &backwards{contacts.NewMemory()} },
	"does not look at the context":   func() contacts.Store { return &deaf{contacts.NewMemory()} },
	"forgets a field":                func() contacts.Store { return &forgetful{contacts.NewMemory()} },
	"watch does not begin with \"\"": func() contacts.Store { return &watcher{contacts.NewMemory(), nameless} },
	"watch begins too late":          func() contacts.Store { return &watcher{contacts.NewMemory(), late} },
	"watch tells of no deletes":      func() contacts.Store { return &watcher{contacts.NewMemory(), silent} },
	"watch tells once":               func() contacts.Store { return &watcher{contacts.NewMemory(), once} },
	"watch does not end":             func() contacts.Store { return &watcher{contacts.NewMemory(), endless} },
	"watch ends without an error":    func() contacts.Store { return &watcher{contacts.NewMemory(), mute} },
}

// brokenPairs are two handles on the same contacts.
var brokenPairs = map[string]func() (a, b contacts.Store){
	"two stores": func() (a, b contacts.Store) { return contacts.NewMemory(), contacts.NewMemory() },
	"one remembers what it loaded": func() (a, b contacts.Store) {
		m := contacts.NewMemory()
		return m, &caching{Memory: m, loaded: map[string]contacts.Contact{}}
	},
	"one does not see the other's changes in time": func() (a, b contacts.Store) {
		m := contacts.NewMemory()
		return &watcher{m, silent}, m
	},
}

// complaints are what the suite says of those where it could be impatient instead.
var complaints = map[string]string{
	"uses revisions again":           "came back after a Delete",
	"watch does not begin with \"\"": "Watch begins with",
	"watch begins too late":          "has not told of all changes",
	"watch tells of no deletes":      "has not told of all changes",
	"watch tells once":               "has not told of all changes",
	"watch does not end":             "goes on after its context has ended",
	"watch ends without an error":    "the last thing that Watch yields: got <nil>",
}

func TestBrokenStoresFail(t *testing.T) {
	if name := os.Getenv("STORETEST_BROKEN"); name != "" {
		storetest.BeHasty()
		if open, ok := brokenPairs[name]; ok {
			storetest.RunShared(t, func(*testing.T) (a, b contacts.Store) { return open() })
		} else {
			storetest.Run(t, func(*testing.T) contacts.Store { return broken[name]() })
		}
		return
	}
	for _, name := range append(slices.Collect(maps.Keys(broken)), slices.Collect(maps.Keys(brokenPairs))...) {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait more than they work
			cmd := exec.Command(os.Args[0], "-test.run=^TestBrokenStoresFail$")
			cmd.Env = append(os.Environ(), "STORETEST_BROKEN="+name)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "the suite did not notice")
			assert.Contains(t, string(out), "--- FAIL: TestBrokenStoresFail/")
			assert.Contains(t, string(out), complaints[name])
			assert.NotContains(t, string(out), "panic")
		})
	}
}

func TestWorkingStorePasses(t *testing.T) {
	storetest.Run(t, func(*testing.T) contacts.Store { return contacts.NewMemory() })
	storetest.RunShared(t, func(*testing.T) (a, b contacts.Store) {
		m := contacts.NewMemory()
		return m, m
	})
}

// A store need not be a Watcher.
func TestStoreWithoutWatchPasses(t *testing.T) {
	storetest.Run(t, func(*testing.T) contacts.Store { return struct{ contacts.Store }{contacts.NewMemory()} })
}

type lastWins struct {
	*contacts.Memory
	mu sync.Mutex
}

func (s *lastWins) Save(ctx context.Context, c contacts.Contact) (contacts.Contact, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, _ := s.Load(ctx, c.Address)
	c.Revision = old.Revision
	return s.Memory.Save(ctx, c)
}

type deletesAny struct{ *contacts.Memory }

func (s *deletesAny) Delete(ctx context.Context, address string, _ uint64) error {
	old, err := s.Load(ctx, address)
	if err != nil {
		return err
	}
	return s.Memory.Delete(ctx, address, old.Revision)
}

// countsAnew starts each contact's revisions at 1.
type countsAnew struct {
	*contacts.Memory
	mu   sync.Mutex
	base map[string]uint64
}

func (s *countsAnew) Save(ctx context.Context, c contacts.Contact) (contacts.Contact, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := c.Revision == 0
	if !fresh {
		c.Revision += s.base[c.Address]
	}
	c, err := s.Memory.Save(ctx, c)
	if err != nil {
		return c, err
	}
	if fresh {
		s.base[c.Address] = c.Revision - 1
	}
	c.Revision -= s.base[c.Address]
	return c, nil
}

func (s *countsAnew) Load(ctx context.Context, address string) (contacts.Contact, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.Memory.Load(ctx, address)
	if err == nil {
		c.Revision -= s.base[c.Address]
	}
	return c, err
}

func (s *countsAnew) Delete(ctx context.Context, address string, revision uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Memory.Delete(ctx, address, revision+s.base[address])
}

type shares struct {
	*contacts.Memory
	mu   sync.Mutex
	last map[string]contacts.Contact
}

func (s *shares) Load(ctx context.Context, address string) (contacts.Contact, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.Memory.Load(ctx, address)
	if err != nil {
		return c, err
	}
	if last, ok := s.last[c.Address]; ok && last.Revision == c.Revision {
		return last, nil
	}
	s.last[c.Address] = c
	return c, nil
}

type backwards struct{ *contacts.Memory }

func (s *backwards) All(ctx context.Context) iter.Seq2[contacts.Contact, error] {
	return func(yield func(contacts.Contact, error) bool) {
		var all []contacts.Contact
		for c, err := range s.Memory.All(ctx) {
			if err != nil {
				yield(c, err)
				return
			}
			all = append([]contacts.Contact{c}, all...)
		}
		for _, c := range all {
			if !yield(c, nil) {
				return
			}
		}
	}
}

type deaf struct{ *contacts.Memory }

func (s *deaf) Load(_ context.Context, address string) (contacts.Contact, error) {
	return s.Memory.Load(context.Background(), address)
}

type forgetful struct{ *contacts.Memory }

func (s *forgetful) Save(ctx context.Context, c contacts.Contact) (contacts.Contact, error) {
	for i := range c.Keys {
		if c.Keys[i].Trust == contacts.Revoked {
			c = c.Clone()
			c.Keys[i].Trust = contacts.Unverified
		}
	}
	return s.Memory.Save(ctx, c)
}

// watcher spoils what Watch yields.
type watcher struct {
	*contacts.Memory
	spoil func(ctx context.Context, m *contacts.Memory, yield func(string, error) bool)
}

func (s *watcher) Watch(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) { s.spoil(ctx, s.Memory, yield) }
}

func nameless(ctx context.Context, m *contacts.Memory, yield func(string, error) bool) {
	for address, err := range m.Watch(ctx) {
		if address == "" && err == nil {
			address = "bob@example.com"
		}
		if !yield(address, err) {
			return
		}
	}
}

// late takes its first look when the loop has had its first turn.
func late(ctx context.Context, m *contacts.Memory, yield func(string, error) bool) {
	if ctx.Err() == nil && !yield("", nil) {
		return
	}
	for address, err := range m.Watch(ctx) {
		if (address != "" || err != nil) && !yield(address, err) {
			return
		}
	}
}

func silent(ctx context.Context, m *contacts.Memory, yield func(string, error) bool) {
	for address, err := range m.Watch(ctx) {
		if _, gone := m.Load(ctx, address); address != "" && gone != nil {
			continue
		}
		if !yield(address, err) {
			return
		}
	}
}

func once(ctx context.Context, m *contacts.Memory, yield func(string, error) bool) {
	told := map[string]bool{}
	for address, err := range m.Watch(ctx) {
		if told[address] && err == nil {
			continue
		}
		if told[address] = true; !yield(address, err) {
			return
		}
	}
}

func endless(ctx context.Context, m *contacts.Memory, yield func(string, error) bool) {
	m.Watch(context.WithoutCancel(ctx))(yield)
}

func mute(ctx context.Context, m *contacts.Memory, yield func(string, error) bool) {
	for address, err := range m.Watch(ctx) {
		if err != nil || !yield(address, nil) {
			return
		}
	}
}

// caching answers every other Load with what it remembers of the last one.
type caching struct {
	*contacts.Memory
	mu     sync.Mutex
	loaded map[string]contacts.Contact
}

func (s *caching) Load(ctx context.Context, address string) (contacts.Contact, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.loaded[address]; ok {
		delete(s.loaded, address)
		return c.Clone(), nil
	}
	c, err := s.Memory.Load(ctx, address)
	if err == nil {
		s.loaded[address] = c
	}
	return c.Clone(), err
}

func ExampleSample() {
	c := storetest.Sample("alice@example.com")
	fmt.Println(c.Address, c.Policy, len(c.Keys), c.Keys[1].Trust)
	// Output: alice@example.com always 4 verified-smp
}
