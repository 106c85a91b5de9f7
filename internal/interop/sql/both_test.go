//go:build unix

package sql

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/contacts/storetest"
)

const (
	alice, bob, carol = "alice@example.com", "bob@example.com", "carol@example.com"
	patience          = time.Minute
	tick              = 10 * time.Millisecond
)

// migrations: programs that start at the same time can all call Migrate.
func migrations(t *testing.T, d database) {
	dsn := d.dsn(t)
	var wg sync.WaitGroup
	for range 8 {
		db := d.open(t, dsn)
		wg.Go(func() {
			s, err := sqlstore.New(&sqlstore.Options{DB: db, Dialect: d.dialect})
			assert.NoError(t, err)
			assert.NoError(t, s.Migrate(t.Context()))
			_, err = contacts.Update(t.Context(), s, alice, func(c *contacts.Contact) error {
				c.Note += "x"
				return nil
			})
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	c, err := d.store(t, d.open(t, dsn)).Load(t.Context(), alice)
	require.NoError(t, err)
	assert.Equal(t, "xxxxxxxx", c.Note)
}

// newer: tables of a newer program are left alone, and so is an empty database until Migrate.
func newer(t *testing.T, d database) {
	db := d.open(t, d.dsn(t))
	s, err := sqlstore.New(&sqlstore.Options{DB: db, Dialect: d.dialect})
	require.NoError(t, err)
	unusable := func() {
		_, err := s.Load(t.Context(), alice)
		require.ErrorIs(t, err, sqlstore.ErrSchema)
		_, err = s.Save(t.Context(), contacts.Contact{Address: bob})
		require.ErrorIs(t, err, sqlstore.ErrSchema)
		require.ErrorIs(t, s.Delete(t.Context(), alice, 1), sqlstore.ErrSchema)
		for _, all := range []func(context.Context) error{func(ctx context.Context) (err error) {
			for _, err = range s.All(ctx) {
			}
			return err
		}, func(ctx context.Context) (err error) {
			for _, err = range s.Watch(ctx) {
			}
			return err
		}} {
			require.ErrorIs(t, all(t.Context()), sqlstore.ErrSchema)
		}
	}
	unusable()
	require.NoError(t, s.Migrate(t.Context()))
	want, err := s.Save(t.Context(), storetest.Sample(alice))
	require.NoError(t, err)
	_, err = db.Exec("INSERT INTO otrchat_contacts_version VALUES (99)")
	require.NoError(t, err)
	unusable()
	require.ErrorIs(t, s.Migrate(t.Context()), sqlstore.ErrSchema)
	_, err = db.Exec("DELETE FROM otrchat_contacts_version WHERE version = 99")
	require.NoError(t, err)
	got, err := s.Load(t.Context(), alice)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

// owners: two owners of the same tables see nothing of each other.
func owners(t *testing.T, d database) {
	db := d.open(t, d.dsn(t))
	names := []string{"", "alice", "Alice", "alice ", "ali'ce\"; DROP TABLE otrchat_keys; --", "%", "Zoë", "🐉"}
	stores := make([]*sqlstore.Store, len(names))
	for i, name := range names {
		stores[i] = migrated(t, &sqlstore.Options{DB: db, Dialect: d.dialect, Owner: name})
		c := storetest.Sample(alice)
		c.Note = name
		for range i + 1 {
			saved, err := stores[i].Save(t.Context(), c)
			require.NoError(t, err)
			c.Revision = saved.Revision
		}
		require.Equal(t, uint64(i+1), c.Revision, "revisions are counted for each owner")
	}
	require.NoError(t, stores[0].Delete(t.Context(), alice, 1))
	for i, s := range stores[1:] {
		for c, err := range s.All(t.Context()) {
			require.NoError(t, err)
			assert.Equal(t, names[i+1], c.Note)
			assert.Len(t, c.Keys, len(storetest.Sample(alice).Keys))
		}
	}
	_, err := stores[0].Load(t.Context(), alice)
	require.ErrorIs(t, err, contacts.ErrNotFound)
	for _, table := range []string{"otrchat_contacts", "otrchat_keys"} {
		var left int
		require.NoError(t, db.QueryRow("SELECT count(*) FROM "+table+" WHERE owner = ''").Scan(&left))
		assert.Zero(t, left, "what is deleted is gone")
	}
}

// strangers: the database refuses what can be seen to be wrong, the Store the rest.
func strangers(t *testing.T, d database) {
	db := d.open(t, d.dsn(t))
	s := d.store(t, db)
	_, err := s.Save(t.Context(), storetest.Sample(alice))
	require.NoError(t, err)
	for _, refused := range []string{
		"UPDATE otrchat_contacts SET policy = 'sometimes'", "UPDATE otrchat_contacts SET revision = 0", "UPDATE otrchat_contacts SET note = NULL", "UPDATE otrchat_contacts SET address = ''",
		"UPDATE otrchat_keys SET trust = 'blind'", "UPDATE otrchat_keys SET fingerprint = 'short'", "UPDATE otrchat_keys SET position = 64", "UPDATE otrchat_owners SET sequence = 0",
	} {
		_, err := db.Exec(refused)
		require.Error(t, err, refused)
	}
	for _, spoiled := range []string{
		"UPDATE otrchat_contacts SET address = 'SIP:alice@example.com'",
		"UPDATE otrchat_keys SET fingerprint = 'zz' || substr(fingerprint, 3) WHERE position = 1",
		"UPDATE otrchat_keys SET last_seen = 9223372036854775807",
		"UPDATE otrchat_keys SET verified_at = -9223372036854775808",
	} {
		fresh := d.open(t, d.dsn(t))
		s := d.store(t, fresh)
		sample := storetest.Sample(alice)
		if strings.HasPrefix(spoiled, "UPDATE otrchat_contacts") {
			sample.Keys = nil // they refer to the address
		}
		_, err := s.Save(t.Context(), sample)
		require.NoError(t, err)
		_, err = fresh.Exec(spoiled)
		require.NoError(t, err, spoiled)
		var bad *sqlstore.RowError
		for _, err = range s.All(t.Context()) {
		}
		require.ErrorAs(t, err, &bad, spoiled)
	}
}

// contextEnds: a call that waits for another transaction ends with its context, and so does one that waits for a connection.
func contextEnds(t *testing.T, d database) {
	dsn := d.dsn(t)
	db, other := d.open(t, dsn), d.open(t, dsn)
	s := d.store(t, db)
	c, err := s.Save(t.Context(), storetest.Sample(alice))
	require.NoError(t, err)
	tx, err := other.Begin()
	require.NoError(t, err)
	_, err = tx.Exec("UPDATE otrchat_owners SET sequence = sequence + 1")
	require.NoError(t, err)
	briefly := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	_, err = s.Save(briefly(), c)
	require.Equal(t, context.DeadlineExceeded, err)
	require.Equal(t, context.DeadlineExceeded, s.Delete(briefly(), alice, c.Revision))
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := contacts.Update(ctx, s, alice, func(*contacts.Contact) error { return nil })
		failed <- err
	}()
	time.AfterFunc(50*time.Millisecond, cancel)
	require.Equal(t, context.Canceled, <-failed)

	db.SetMaxOpenConns(1)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = s.Load(briefly(), alice)
	require.Equal(t, context.DeadlineExceeded, err)
	require.NoError(t, errors.Join(conn.Close(), tx.Rollback()))
	got, err := s.Load(t.Context(), alice)
	require.NoError(t, err)
	assert.Equal(t, c, got)
}

// interrupted: contexts that end at any moment of a change leave the contact and the connections in order.
func interrupted(t *testing.T, s *sqlstore.Store) {
	const tries = 100
	_, err := contacts.Update(t.Context(), s, counter(tries), increment)
	require.NoError(t, err)
	told := 1
	for range tries {
		ctx, cancel := context.WithTimeout(t.Context(), rand.N(4*time.Millisecond))
		_, err := contacts.Update(ctx, s, counter(tries), increment)
		cancel()
		if err == nil {
			told++
		} else {
			require.Equal(t, context.DeadlineExceeded, err)
		}
	}
	n := count(t, s, tries)
	assert.GreaterOrEqual(t, n, told)
	assert.LessOrEqual(t, n, tries+1)
}

// byHand: what the documentation tells an administrator to do is noticed.
func byHand(t *testing.T, d database) {
	page, err := os.ReadFile("../../../contacts/sqlstore/doc.go")
	require.NoError(t, err)
	statements := regexp.MustCompile(`(?s)BEGIN;.*COMMIT;`).FindString(strings.ReplaceAll(string(page), "//\t", ""))
	require.Equal(t, 5, strings.Count(statements, ";"))
	db := d.open(t, d.dsn(t))
	s := d.store(t, db)
	before, err := s.Save(t.Context(), storetest.Sample(alice))
	require.NoError(t, err)
	other, err := s.Save(t.Context(), contacts.Contact{Address: bob})
	require.NoError(t, err)
	for address, err := range s.Watch(t.Context()) {
		require.NoError(t, err)
		if address != "" {
			require.Equal(t, alice, address)
			break
		}
		_, err = db.Exec(statements)
		require.NoError(t, err)
	}
	_, err = s.Save(t.Context(), before)
	require.ErrorIs(t, err, contacts.ErrConflict)
	now, err := s.Load(t.Context(), alice)
	require.NoError(t, err)
	require.NoError(t, before.Revoke(contacts.Fingerprint{2}))
	before.Revision = now.Revision
	assert.Equal(t, before, now)
	_, err = s.Save(t.Context(), other)
	require.NoError(t, err)
}
