package sql

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/contacts/storetest"
)

func TestSQLite(t *testing.T) {
	for name, dsn := range map[string]func(t *testing.T) string{
		"file": func(t *testing.T) string { return filepath.Join(t.TempDir(), "contacts.db") },
		"file with WAL": func(t *testing.T) string {
			return filepath.Join(t.TempDir(), "contacts.db") + "?_pragma=journal_mode(wal)"
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) contacts.Store {
				db, err := sql.Open("sqlite", dsn(t))
				require.NoError(t, err)
				t.Cleanup(func() { assert.NoError(t, db.Close()) })
				return migrated(t, db, sqlstore.SQLite)
			})
		})
	}
}

func migrated(t *testing.T, db *sql.DB, d sqlstore.Dialect) *sqlstore.Store {
	s, err := sqlstore.New(&sqlstore.Options{DB: db, Dialect: d})
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}
