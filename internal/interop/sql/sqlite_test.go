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

func TestSQLite(t *testing.T) {
	for _, dsn := range []string{"contacts.db", "contacts.db?_pragma=journal_mode(wal)", "contacts.db?_pragma=foreign_keys(1)", "contacts.db?_pragma=busy_timeout(0)"} {
		t.Run(dsn, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) contacts.Store {
				return migrated(t, open(t, "sqlite", filepath.Join(t.TempDir(), dsn)), sqlstore.SQLite)
			})
		})
	}
	t.Run("in memory", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) contacts.Store {
			db := open(t, "sqlite", ":memory:")
			db.SetMaxOpenConns(1)
			return migrated(t, db, sqlstore.SQLite)
		})
	})
	t.Run("in memory, with a shared cache", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) contacts.Store {
			db := open(t, "sqlite", "file:"+rand.Text()+"?mode=memory&cache=shared")
			db.SetMaxIdleConns(16) // it goes with its last connection
			return migrated(t, db, sqlstore.SQLite)
		})
	})
}
