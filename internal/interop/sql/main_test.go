package sql

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/contacts/storetest"
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
func migrated(t *testing.T, db *sql.DB, o *sqlstore.Options) *sqlstore.Store {
	t.Helper()
	o.DB = db
	s, err := sqlstore.New(o)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// conformance and shared run the suites of storetest in parallel with others, as they often wait.
func conformance(t *testing.T, name string, open func(t *testing.T) contacts.Store) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, open)
	})
}

func shared(t *testing.T, name string, open func(t *testing.T) (a, b contacts.Store)) {
	t.Run("two of "+name, func(t *testing.T) {
		t.Parallel()
		storetest.RunShared(t, open)
	})
}
