package sql

import (
	"crypto/rand"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
)

func TestSQLite(t *testing.T) {
	for _, dsn := range []string{"contacts.db?_pragma=busy_timeout(0)&_pragma=foreign_keys(1)", "contacts.db?_pragma=journal_mode(wal)"} {
		conformance(t, dsn, func(t *testing.T) contacts.Store { return sqlite(t, filepath.Join(t.TempDir(), dsn)) })
		shared(t, dsn, func(t *testing.T) (a, b contacts.Store) {
			path := filepath.Join(t.TempDir(), dsn)
			return sqlite(t, path), sqlite(t, path)
		})
	}
	conformance(t, "in memory", func(t *testing.T) contacts.Store {
		db := open(t, "sqlite", ":memory:")
		db.SetMaxOpenConns(1)
		return migrated(t, db, &sqlstore.Options{Dialect: sqlstore.SQLite})
	})
	conformance(t, "in memory, with a shared cache", func(t *testing.T) contacts.Store {
		db := open(t, "sqlite", "file:"+rand.Text()+"?mode=memory&cache=shared")
		db.SetMaxIdleConns(16) // it goes with its last connection
		return migrated(t, db, &sqlstore.Options{Dialect: sqlstore.SQLite})
	})
}

func sqlite(t *testing.T, dsn string) *sqlstore.Store {
	t.Helper()
	return migrated(t, open(t, "sqlite", dsn), &sqlstore.Options{Dialect: sqlstore.SQLite})
}
