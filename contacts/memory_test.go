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
