package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/contacts/storetest"
)

const alice = "alice@example.com"

var errLost = errors.New("unexpected EOF")

// stateError is an error as drivers for PostgreSQL have it.
type stateError string

func (e stateError) Error() string    { return "ERROR: try again" }
func (e stateError) SQLState() string { return string(e) }

// failing returns a hook that fails once, at the n-th step from now, and tells which it was.
func failing(n int, err error) (h func(string) error, failed *string) {
	failed = new(string)
	return func(what string) error {
		if n--; n != -1 {
			return nil
		}
		*failed = what
		return err
	}, failed
}

func (d *database) set(before, after func(string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before, d.after = before, after
}

// A connection that is lost at any step of a change leaves the contact as it was, but for one that is lost after the commit: then nobody can tell.
func TestConnectionIsLost(t *testing.T) {
	for name, change := range map[string]func(s *sqlstore.Store, stored contacts.Contact) error{
		"save": func(s *sqlstore.Store, stored contacts.Contact) error {
			stored.Note, stored.Keys = "new", stored.Keys[:2]
			_, err := s.Save(t.Context(), stored)
			return err
		},
		"delete": func(s *sqlstore.Store, stored contacts.Contact) error {
			return s.Delete(t.Context(), alice, stored.Revision)
		},
	} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(name, after), func(t *testing.T) {
				n := 0
				for loseAt(t, n, after, change) {
					n++
				}
				assert.GreaterOrEqual(t, n, 4, "at least the statements of the change")
			})
		}
	}
}

// loseAt has change lose the connection before or after its n-th step. It tells whether there was one that leaves the contact as it was.
func loseAt(t *testing.T, n int, after bool, change func(s *sqlstore.Store, stored contacts.Contact) error) bool {
	d := newDatabase()
	s := open(t, d)
	stored, err := s.Save(t.Context(), storetest.Sample(alice))
	require.NoError(t, err)
	lose, lost := failing(n, errLost)
	if after {
		d.set(nil, lose)
	} else {
		d.set(lose, nil)
	}
	err = change(s, stored)
	d.set(nil, nil)
	if *lost == "" {
		require.NoError(t, err)
		return false
	}
	require.ErrorIs(t, err, errLost, *lost)
	assert.Equal(t, "sqlstore: "+errLost.Error(), err.Error())
	if after && *lost == "COMMIT" {
		return false
	}
	now, err := s.Load(t.Context(), alice)
	require.NoError(t, err)
	assert.Equal(t, stored, now, *lost)
	return true
}

// A connection that is lost in the middle of what is read is an error: half of a contact's keys, or of the contacts, are none.
func TestConnectionIsLostWhileReading(t *testing.T) {
	d := newDatabase()
	s := open(t, d)
	for _, address := range []string{alice, "bob@example.com"} {
		_, err := s.Save(t.Context(), storetest.Sample(address))
		require.NoError(t, err)
	}
	for method, read := range map[string]func() error{
		"Load":  func() error { _, err := s.Load(t.Context(), alice); return err },
		"All":   func() error { return calls["All"](t, s) },
		"Watch": func() error { return calls["Watch"](t, s) },
	} {
		n, err := -1, errLost
		for ; err != nil; n++ {
			require.ErrorIs(t, err, errLost, "%s after %d rows", method, n)
			left := n + 1
			d.torn = &left
			err = read()
		}
		assert.GreaterOrEqual(t, n, map[string]int{"Load": 5, "All": 9, "Watch": 3}[method], method)
	}
}

// When the answer to a commit is lost, Update finds out what became of it.
func TestAnswerToCommitIsLost(t *testing.T) {
	d := newDatabase()
	s := open(t, d)
	d.set(nil, func(what string) error {
		if what == "COMMIT" {
			return errLost
		}
		return nil
	})
	_, err := s.Save(t.Context(), contacts.Contact{Address: alice, Note: "x"})
	require.ErrorIs(t, err, errLost)
	d.set(nil, nil)
	c, err := contacts.Update(t.Context(), s, alice, func(c *contacts.Contact) error {
		c.Note += "y"
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, "xy", c.Note)
}

// What another transaction was in the way of is tried again as a whole, and is done once.
func TestAnotherTransactionIsInTheWay(t *testing.T) {
	for _, passing := range []error{stateError("40001"), stateError("40P01"), errors.New("database is locked (5) (SQLITE_BUSY)"), errors.New("database table is locked: otrchat_keys")} {
		t.Run(passing.Error(), func(t *testing.T) {
			n := 0
			for disturbAt(t, n, passing) {
				n++
			}
			assert.Equal(t, 7, n, "BEGIN, five statements, COMMIT")
			d := newDatabase()
			s := open(t, d)
			disturb, disturbed := failing(0, passing)
			d.set(disturb, nil)
			_, err := s.Load(t.Context(), alice)
			require.ErrorIs(t, err, contacts.ErrNotFound, "reading is tried again, too")
			assert.NotEmpty(t, *disturbed)
		})
	}
}

// disturbAt has the n-th step of a Save fail once. It tells whether there was one.
func disturbAt(t *testing.T, n int, passing error) bool {
	d := newDatabase()
	s := open(t, d)
	stored, err := s.Save(t.Context(), storetest.Sample(alice))
	require.NoError(t, err)
	disturb, disturbed := failing(n, passing)
	d.set(disturb, nil)
	stored.Note = "new"
	_, err = s.Save(t.Context(), stored)
	require.NoError(t, err, *disturbed)
	disturbedSave := *disturbed != ""
	now, err := s.Load(t.Context(), alice)
	require.NoError(t, err)
	stored.Revision++
	require.Equal(t, stored, now)
	return disturbedSave
}

// Trying again ends after 30 seconds, or with the context.
func TestTryingAgainIsBounded(t *testing.T) {
	locked := func(string) error { return errors.New("database is locked") }
	for _, c := range []struct {
		timeout, least time.Duration
		want           string
	}{
		{time.Hour, 30 * time.Second, "sqlstore: database is locked"},
		{5 * time.Second, 5 * time.Second, context.DeadlineExceeded.Error()},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDatabase()
			s := open(t, d)
			d.set(locked, nil)
			ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
			defer cancel()
			start := time.Now()
			_, err := s.Save(ctx, contacts.Contact{Address: alice})
			require.EqualError(t, err, c.want)
			assert.GreaterOrEqual(t, time.Since(start), c.least)
			assert.Less(t, time.Since(start), c.least+32*time.Millisecond)
		})
	}
}

// The error is the context's, whatever the driver says, and no connection stays in use.
func TestContextEndsWhileTheDatabaseIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		s := open(t, d)
		other := d.open()
		defer other.Close()
		tx, err := other.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, tx.Rollback()) }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.Save(ctx, contacts.Contact{Address: alice})
		require.Equal(t, context.DeadlineExceeded, err)

		waiting, give := context.WithCancel(t.Context())
		first := make(chan error)
		begun := 0
		d.set(func(what string) error {
			if what == "BEGIN" {
				begun++
			}
			return nil
		}, nil)
		go func() {
			_, err := s.Save(waiting, contacts.Contact{Address: alice})
			first <- err
		}()
		synctest.Wait()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, s.Delete(ctx, alice, 1), "while another call of the same Store waits")
		assert.Equal(t, 1, begun, "of one Store a single call asks SQLite")
		give()
		require.Equal(t, context.Canceled, <-first)
	})
}

// late is a context whose deadline has come, but which does not know it yet.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now(), true }

func TestDriverNoticesTheDeadlineFirst(t *testing.T) {
	d := newDatabase()
	s := open(t, d)
	d.set(func(string) error { return errLost }, nil)
	_, err := s.Load(late{t.Context()}, alice)
	require.Equal(t, context.DeadlineExceeded, err)
}
