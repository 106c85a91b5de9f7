package sqlstore_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/contacts/storetest"
	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// open returns a store in the database, with the tables made.
func open(t *testing.T, d *database) *sqlstore.Store {
	t.Helper()
	s := unmade(t, d)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// unmade returns a store in the database as it is.
func unmade(t *testing.T, d *database) *sqlstore.Store {
	t.Helper()
	return speaking(t, d, sqlstore.SQLite)
}

// speaking returns a store that speaks a dialect with the database.
func speaking(t *testing.T, d *database, dialect sqlstore.Dialect) *sqlstore.Store {
	t.Helper()
	db := d.open()
	t.Cleanup(func() {
		assert.Zero(t, db.Stats().InUse, "connections in use")
		assert.NoError(t, db.Close())
	})
	s, err := sqlstore.New(&sqlstore.Options{DB: db, Dialect: dialect})
	require.NoError(t, err)
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) contacts.Store { return open(t, newDatabase()) })
}

func TestOptions(t *testing.T) {
	db := newDatabase().open()
	defer db.Close()
	for _, c := range []struct {
		options *sqlstore.Options
		want    string
	}{
		{nil, "Options.DB is not set"},
		{&sqlstore.Options{Dialect: sqlstore.SQLite}, "Options.DB is not set"},
		{&sqlstore.Options{DB: db}, "Options.Dialect is neither"},
		{&sqlstore.Options{DB: db, Dialect: 9}, "Options.Dialect is neither"},
		{&sqlstore.Options{DB: db, Dialect: sqlstore.SQLite, Owner: strings.Repeat("x", sqlstore.MaxOwner+1)}, "Options.Owner is longer"},
		{&sqlstore.Options{DB: db, Dialect: sqlstore.SQLite, Owner: "a\x00"}, "Options.Owner is not UTF-8"},
		{&sqlstore.Options{DB: db, Dialect: sqlstore.SQLite, Owner: "\x00"}, "Options.Owner is not UTF-8"},
		{&sqlstore.Options{DB: db, Dialect: sqlstore.SQLite, Owner: "\xff"}, "Options.Owner is not UTF-8"},
	} {
		_, err := sqlstore.New(c.options)
		require.ErrorContains(t, err, c.want)
	}
}
