package contacts_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) contacts.Store { return contacts.NewMemory() })
}

func TestMemoryIsBounded(t *testing.T) {
	m := contacts.NewMemory()
	for i := range contacts.MaxContacts {
		_, err := m.Save(t.Context(), contacts.Contact{Address: fmt.Sprintf("a%d@example.com", i)})
		require.NoError(t, err)
	}
	_, err := m.Save(t.Context(), contacts.Contact{Address: "one-more@example.com"})
	require.ErrorIs(t, err, contacts.ErrFull)
	known, err := m.Load(t.Context(), "a0@example.com")
	require.NoError(t, err)
	_, err = m.Save(t.Context(), known)
	require.NoError(t, err, "who is stored can still change")
}

// Update gives up in the end, and at once when its context ends while it waits.
func TestUpdateGivesUp(t *testing.T) {
	nothing := func(*contacts.Contact) error { return nil }
	synctest.Test(t, func(t *testing.T) {
		s := &stubborn{Memory: contacts.NewMemory()}
		_, err := contacts.Update(t.Context(), s, "a@b", nothing)
		require.ErrorIs(t, err, contacts.ErrConflict)
		assert.Equal(t, 100, s.saves)
	})
	synctest.Test(t, func(t *testing.T) {
		s := &stubborn{Memory: contacts.NewMemory()}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := contacts.Update(ctx, s, "a@b", nothing)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 5*time.Millisecond, time.Since(start))
	})
}

// Changes are told at once, and whoever is slow finds them together.
func TestMemoryWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, start := contacts.NewMemory(), time.Now()
		save := func(address string, revision uint64) contacts.Contact {
			c, err := m.Save(t.Context(), contacts.Contact{Address: address, Revision: revision})
			require.NoError(t, err)
			return c
		}
		old := save("old@example.com", 0)
		ctx, cancel := context.WithCancel(t.Context())
		told, busy := make(chan string), make(chan struct{})
		var last error
		go func() {
			defer close(told)
			for address, err := range m.Watch(ctx) {
				last = err
				told <- address
				<-busy
			}
		}()
		assert.Empty(t, <-told)
		busy <- struct{}{}
		save("sip:Alice@Example.com", 0)
		assert.Equal(t, "Alice@example.com", <-told)

		require.NoError(t, m.Delete(ctx, "old@example.com", old.Revision))
		bob := save("bob@example.com", 0)
		save("bob@example.com", bob.Revision)
		close(busy)
		assert.Equal(t, "bob@example.com", <-told)
		assert.Equal(t, "old@example.com", <-told)
		cancel()
		assert.Empty(t, <-told)
		_, more := <-told
		assert.False(t, more)
		assert.Equal(t, context.Canceled, last)
		assert.Equal(t, start, time.Now(), "nothing had to wait")
	})
}
