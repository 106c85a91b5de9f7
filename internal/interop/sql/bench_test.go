//go:build unix

package sql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/contacts/storetest"
	"github.com/otrchat/otrchat/internal/interop/postgres"
)

func BenchmarkSQLite(b *testing.B) {
	d := file("?_pragma=journal_mode(wal)")
	bench(b, d.store(b, d.open(b, d.dsn(b))))
}

// The server does not wait for the disk.
func BenchmarkPostgreSQL(b *testing.B) {
	d := schema(postgres.Start(b), "application_name", "otrchat")
	bench(b, d.store(b, d.open(b, d.dsn(b))))
}

func bench(b *testing.B, s *sqlstore.Store) {
	c, err := s.Save(b.Context(), storetest.Sample(alice))
	require.NoError(b, err)
	b.Run("Load", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Load(b.Context(), alice)
			require.NoError(b, err)
		}
	})
	b.Run("Save", func(b *testing.B) {
		for b.Loop() {
			c, err = s.Save(b.Context(), c)
			require.NoError(b, err)
		}
	})
	b.Run("Update", func(b *testing.B) {
		for b.Loop() {
			_, err := contacts.Update(b.Context(), s, alice, func(*contacts.Contact) error { return nil })
			require.NoError(b, err)
		}
	})
}
