package sql

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// open opens a database until the end of the test.
func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.Zero(t, db.Stats().InUse, "connections in use")
		assert.NoError(t, db.Close())
	})
	return db
}

// migrated returns a store in the database, with the tables made.
func migrated(t *testing.T, db *sql.DB, d sqlstore.Dialect) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.New(&sqlstore.Options{DB: db, Dialect: d})
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}
