//go:build unix

package sql

import (
	"crypto/rand"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/contacts/storetest"
)

// file is a SQLite database in a file, with settings of modernc.org/sqlite.
func file(settings string) database {
	return database{"sqlite", sqlstore.SQLite, func(t testing.TB) string { return filepath.Join(t.TempDir(), "contacts.db") + settings }}
}

func TestSQLite(t *testing.T) {
	for _, settings := range []string{"?_pragma=busy_timeout(0)&_pragma=foreign_keys(1)", "?_pragma=journal_mode(wal)"} {
		file(settings).conformance(t, settings)
		file(settings).shared(t, settings)
	}
	database{"sqlite", sqlstore.SQLite, func(testing.TB) string { return "file:" + rand.Text() + "?mode=memory&cache=shared" }}.conformance(t, "shared cache")
	t.Run("one connection", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) contacts.Store { return memory(t) })
		t.Run("contexts end at any moment", func(t *testing.T) { interrupted(t, memory(t)) })
	})
	file("").both(t)
}

// memory is a database that goes with its only connection.
func memory(t *testing.T) *sqlstore.Store {
	t.Helper()
	d := file("")
	db := d.open(t, ":memory:")
	db.SetMaxOpenConns(1)
	return d.store(t, db)
}
