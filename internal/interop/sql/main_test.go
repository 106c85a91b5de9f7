//go:build unix

package sql

import (
	"database/sql"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/contacts/storetest"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/internal/quiet"
)

// TestMain is a writer, see processes_test.go, when the environment says so.
func TestMain(m *testing.M) {
	if os.Getenv(writerDSN) == "" {
		leakcheck.Main(m, quiet.Stdout)
		return
	}
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// database is a kind of database, and where a test finds an empty one.
type database struct {
	driver  string
	dialect sqlstore.Dialect
	dsn     func(t testing.TB) string
}

// open opens a database until the end of the test.
func (d database) open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() {
		// database/sql gives a connection back on a goroutine of its own when the context of a transaction has ended.
		assert.Eventually(t, func() bool { return db.Stats().InUse == 0 }, 10*time.Second, time.Millisecond, "connections in use")
		assert.NoError(t, db.Close())
	})
	return db
}

// store returns a store in the database, with the tables made.
func (d database) store(t testing.TB, db *sql.DB) *sqlstore.Store {
	t.Helper()
	return migrated(t, &sqlstore.Options{DB: db, Dialect: d.dialect})
}

func migrated(t testing.TB, o *sqlstore.Options) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.New(o)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// conformance and shared run the suites of storetest, in parallel with others as they often wait.
func (d database) conformance(t *testing.T, name string) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) contacts.Store { return d.store(t, d.open(t, d.dsn(t))) })
	})
}

func (d database) shared(t *testing.T, name string) {
	t.Run("two of "+name, func(t *testing.T) {
		t.Parallel()
		storetest.RunShared(t, func(t *testing.T) (a, b contacts.Store) {
			dsn := d.dsn(t)
			return d.store(t, d.open(t, dsn)), d.store(t, d.open(t, dsn))
		})
	})
}

// both are the tests that are the same for both databases.
func (d database) both(t *testing.T) {
	t.Run("processes", func(t *testing.T) { processes(t, d) }) // not in parallel: they take the whole machine
	for name, test := range map[string]func(t *testing.T, d database){
		"migrations at the same time":   migrations,
		"tables of a newer version":     newer,
		"owners":                        owners,
		"rows that somebody else wrote": strangers,
		"a context ends":                contextEnds,
		"changes by hand":               byHand,
		"contexts end at any moment":    func(t *testing.T, d database) { interrupted(t, d.store(t, d.open(t, d.dsn(t)))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}
