package sqlstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
)

// calls are all methods that use the tables.
var calls = map[string]func(t *testing.T, s *sqlstore.Store) error{
	"Load": func(t *testing.T, s *sqlstore.Store) error { _, err := s.Load(t.Context(), alice); return err },
	"Save": func(t *testing.T, s *sqlstore.Store) error {
		_, err := s.Save(t.Context(), contacts.Contact{Address: alice})
		return err
	},
	"Delete": func(t *testing.T, s *sqlstore.Store) error { return s.Delete(t.Context(), alice, 1) },
	"All": func(t *testing.T, s *sqlstore.Store) (err error) {
		for _, err = range s.All(t.Context()) {
		}
		return err
	},
	"Watch": func(t *testing.T, s *sqlstore.Store) (err error) {
		for _, err = range s.Watch(t.Context()) {
			if err == nil {
				break
			}
		}
		return err
	},
}

func TestSchemaDoesNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		version any // of the tables; the program knows 2
		want    string
	}{
		"no tables":  {nil, "there are none; call Migrate"},
		"no version": {int64(0), "there are none; call Migrate"},
		"older":      {int64(1), "they have version 1, the program 2; call Migrate"},
		"newer":      {int64(3), "they have version 3, the program only 2"},
	} {
		t.Run(name, func(t *testing.T) {
			defer sqlstore.AddMigration("ALTER TABLE otrchat_keys ADD COLUMN colour TEXT")()
			d := newDatabase()
			s := unmade(t, d)
			if c.version != nil {
				d.tables.create(nil)
				d.tables.version = c.version
			}
			for method, call := range calls {
				err := call(t, s)
				require.ErrorIs(t, err, sqlstore.ErrSchema, method)
				assert.ErrorContains(t, err, c.want, method)
			}
			assert.Empty(t, d.tables.owners, "nothing was changed")
			err := s.Migrate(t.Context())
			if name == "newer" {
				require.ErrorIs(t, err, sqlstore.ErrSchema)
				assert.ErrorContains(t, err, c.want)
				assert.Equal(t, c.version, d.tables.version)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, int64(2), d.tables.version)
			for method, call := range calls {
				assert.NotErrorIs(t, call(t, s), sqlstore.ErrSchema, method)
			}
		})
	}
}

// made lists the statements that change the tables or store their version.
func (d *database) made() *[]string {
	made := new([]string)
	d.set(nil, func(what string) error {
		for _, prefix := range []string{"CREATE TABLE otrchat", "ALTER TABLE", "INSERT INTO otrchat_contacts_version", "COMMIT"} {
			if strings.HasPrefix(what, prefix) {
				*made = append(*made, prefix+strings.TrimSuffix(strings.Fields(strings.TrimPrefix(what, prefix) + " x")[0], "x"))
			}
		}
		return nil
	})
	return made
}

// Migrations are made one after another, each in a transaction with its number, and only those that are missing.
func TestMigrations(t *testing.T) {
	one := []string{"CREATE TABLE otrchat_owners", "CREATE TABLE otrchat_contacts", "CREATE TABLE otrchat_keys", "INSERT INTO otrchat_contacts_version(version)", "COMMIT"}
	two := []string{"ALTER TABLEotrchat_keys", "ALTER TABLEotrchat_owners", "INSERT INTO otrchat_contacts_version(version)", "COMMIT"}
	d := newDatabase()
	s := unmade(t, d)
	made := d.made()
	require.NoError(t, s.Migrate(t.Context()))
	assert.Equal(t, one, *made)
	*made = nil
	require.NoError(t, s.Migrate(t.Context()))
	assert.Empty(t, *made)

	defer sqlstore.AddMigration("ALTER TABLE otrchat_keys ADD COLUMN a TEXT;\n\nALTER TABLE otrchat_owners ADD COLUMN b TEXT;\n")()
	require.NoError(t, s.Migrate(t.Context()))
	assert.Equal(t, two, *made)

	d = newDatabase()
	made = d.made()
	require.NoError(t, unmade(t, d).Migrate(t.Context()))
	assert.Equal(t, append(one, two...), *made)
}

// With PostgreSQL a migration waits for others, and from the second on for changes that are under way. SQLite has no such statements and needs none.
func TestMigrationsWait(t *testing.T) {
	defer sqlstore.AddMigration("ALTER TABLE otrchat_keys ADD COLUMN a TEXT")()
	for dialect, want := range map[sqlstore.Dialect]string{
		sqlstore.SQLite:     "BEGIN CREATE CREATE CREATE CREATE COMMIT BEGIN CREATE ALTER COMMIT",
		sqlstore.PostgreSQL: "BEGIN pg_advisory_xact_lock CREATE CREATE CREATE CREATE COMMIT BEGIN pg_advisory_xact_lock CREATE LOCK ALTER COMMIT",
	} {
		d := newDatabase()
		var steps []string
		d.set(func(what string) error {
			what, _, _ = strings.Cut(strings.TrimPrefix(what, "SELECT "), "(")
			switch first := strings.Fields(what)[0]; first {
			case "BEGIN", "COMMIT", "CREATE", "ALTER", "LOCK", "pg_advisory_xact_lock":
				steps = append(steps, first)
			}
			return nil
		}, nil)
		require.NoError(t, speaking(t, d, dialect).Migrate(t.Context()))
		assert.Equal(t, want, strings.Join(steps, " "))
	}
}

// A migration that fails half-way is undone; the next call begins where it began.
func TestMigrationIsUndone(t *testing.T) {
	defer sqlstore.AddMigration("ALTER TABLE otrchat_keys ADD COLUMN a TEXT;\nALTER TABLE otrchat_owners ADD COLUMN b TEXT;\n")()
	for _, dialect := range []sqlstore.Dialect{sqlstore.SQLite, sqlstore.PostgreSQL} {
		n := 0
		for undoneAt(t, n, dialect) {
			n++
		}
		assert.Greater(t, n, 12)
	}
}

// undoneAt has a migration lose the connection before its n-th step. It tells whether there was one.
func undoneAt(t *testing.T, n int, dialect sqlstore.Dialect) bool {
	d := newDatabase()
	s := speaking(t, d, dialect)
	lose, lost := failing(n, errLost)
	d.set(lose, nil)
	err := s.Migrate(t.Context())
	d.set(nil, nil)
	if *lost == "" {
		require.NoError(t, err)
		return false
	}
	require.ErrorIs(t, err, errLost)
	assert.Contains(t, []any{nil, int64(1), int64(2)}, d.tables.version, "no version or a whole one")
	require.NoError(t, s.Migrate(t.Context()))
	assert.Equal(t, int64(2), d.tables.version)
	return true
}

// An error that has nothing to do with the schema is told as it is.
func TestOtherErrorsAreNotTheSchema(t *testing.T) {
	denied := errors.New("permission denied for table otrchat_contacts")
	d := newDatabase()
	s := open(t, d)
	d.set(func(string) error { return denied }, nil)
	for method, call := range calls {
		err := call(t, s)
		require.ErrorIs(t, err, denied, method)
		require.NotErrorIs(t, err, sqlstore.ErrSchema, method)
	}
	require.ErrorIs(t, s.Migrate(t.Context()), denied)
}
