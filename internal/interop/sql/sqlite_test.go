//go:build unix

package sql

import (
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
	for _, settings := range []string{"?_pragma=busy_timeout(0)&_pragma=foreign_keys(1)&_pragma=synchronous(off)", "?_pragma=journal_mode(wal)"} {
		file(settings).conformance(t, settings)
		file(settings).shared(t, settings)
	}
	t.Run("one connection", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) contacts.Store { return memory(t) })
		t.Run("contexts end at any moment", func(t *testing.T) { interrupted(t, memory(t)) })
	})
	file("?_pragma=synchronous(off)").both(t) // none of them turns the machine off
}

// memory is a database that goes with its only connection.
func memory(t *testing.T) *sqlstore.Store {
	t.Helper()
	d := file("")
	db := d.open(t, ":memory:")
	db.SetMaxOpenConns(1)
	return d.store(t, db)
}
