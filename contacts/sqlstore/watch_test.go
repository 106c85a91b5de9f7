package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
)

// told is what a Watch yields, and when.
type told struct {
	address string
	err     error
	at      time.Duration
}

// watching runs f after Watch has begun and returns what is told from then on until ctx ends.
func watching(ctx context.Context, s *sqlstore.Store, f func()) (all []told) {
	start := time.Now()
	for address, err := range s.Watch(ctx) {
		if address == "" && err == nil {
			go f()
			continue
		}
		all = append(all, told{address, err, time.Since(start)})
	}
	return all
}

func save(t *testing.T, s *sqlstore.Store, address string) {
	t.Helper()
	_, err := s.Save(t.Context(), contacts.Contact{Address: address})
	assert.NoError(t, err)
}

// Without Listen, Watch looks every second, at all contacts only when there is something new.
func TestWatchLooksEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		s, other := open(t, d), unmade(t, d)
		var looks, reads atomic.Int32
		d.set(func(what string) error {
			if strings.HasPrefix(what, "SELECT v.version, o.sequence FROM") {
				looks.Add(1)
			}
			if strings.HasPrefix(what, "SELECT v.version, o.sequence, c.") {
				reads.Add(1)
			}
			return nil
		}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+1)
		defer cancel()
		got := watching(ctx, s, func() {
			time.Sleep(2500 * time.Millisecond)
			save(t, other, alice)
			time.Sleep(time.Second)
			assert.NoError(t, other.Delete(ctx, alice, 1))
		})
		assert.Equal(t, []told{{alice, nil, 3 * time.Second}, {alice, nil, 4 * time.Second}, {"", context.DeadlineExceeded, 10*time.Second + 1}}, got)
		assert.Equal(t, int32(10), looks.Load())
		assert.Equal(t, int32(3), reads.Load())
	})
}

func TestWatchEndsWithTheDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		s := open(t, d)
		got := watching(t.Context(), s, func() { d.set(func(string) error { return errLost }, nil) })
		require.Len(t, got, 1)
		require.ErrorIs(t, got[0].err, errLost)
		assert.Equal(t, time.Second, got[0].at)
	})
}

// A program that is newer changes the tables while Watch runs: what it would read then is not what it knows.
func TestWatchEndsWithTheSchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		s := open(t, d)
		got := watching(t.Context(), s, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.tables.version = int64(99)
		})
		require.Len(t, got, 1)
		require.ErrorIs(t, got[0].err, sqlstore.ErrSchema)
		assert.Equal(t, time.Second, got[0].at)
	})
}

// listener is a Store that listens, and what it does.
type listener struct {
	*sqlstore.Store
	d         *database
	db        *sql.DB
	wake      chan error // what Listen returns
	listening []string   // the statements
}

func newListener(t *testing.T, owner string) *listener {
	l := &listener{d: newDatabase(), wake: make(chan error, 1)}
	db := l.d.open()
	l.db = db
	t.Cleanup(func() {
		assert.Zero(t, db.Stats().InUse, "connections in use")
		assert.NoError(t, db.Close())
	})
	s, err := sqlstore.New(&sqlstore.Options{DB: db, Dialect: sqlstore.PostgreSQL, Owner: owner, Listen: func(ctx context.Context, c *sql.Conn) error {
		select {
		case err := <-l.wake:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	l.Store = s
	l.d.set(func(what string) error {
		if strings.HasPrefix(what, "LISTEN") {
			l.listening = append(l.listening, what)
		}
		return nil
	}, nil)
	return l
}

// With Listen, Watch looks when it is told to, and every 30 seconds in case that it was not.
func TestWatchListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener(t, "'; DROP TABLE otrchat_owners; --")
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		got := watching(ctx, l.Store, func() {
			time.Sleep(5 * time.Second)
			save(t, l.Store, alice)
			l.wake <- nil
			time.Sleep(5 * time.Second)
			save(t, l.Store, "bob@example.com") // by a Store that tells nobody
		})
		assert.Equal(t, []told{{alice, nil, 5 * time.Second}, {"bob@example.com", nil, 35 * time.Second}, {"", context.DeadlineExceeded, 40 * time.Second}}, got)
		require.Len(t, l.listening, 1)
		assert.Regexp(t, `^LISTEN otrchat_[0-9a-f]{32}$`, l.listening[0])
	})
}

// When listening fails it begins anew, and what happened meanwhile is told.
func TestWatchListensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener(t, "")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		got := watching(ctx, l.Store, func() {
			time.Sleep(5 * time.Second)
			l.wake <- errors.New("terminating connection due to administrator command")
			time.Sleep(500 * time.Millisecond)
			save(t, l.Store, alice)
			time.Sleep(5 * time.Second)
			save(t, l.Store, "bob@example.com")
			l.wake <- nil
		})
		assert.Equal(t, []told{{alice, nil, 6 * time.Second}, {"bob@example.com", nil, 10500 * time.Millisecond}, {"", context.DeadlineExceeded, 20 * time.Second}}, got)
		assert.Len(t, l.listening, 2)
	})
}

// While LISTEN does not work Watch looks every second.
func TestWatchCannotListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener(t, "")
		l.d.set(func(what string) error {
			if strings.HasPrefix(what, "LISTEN") {
				return stateError("42501")
			}
			return nil
		}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got := watching(ctx, l.Store, func() {
			time.Sleep(5500 * time.Millisecond)
			save(t, l.Store, alice)
		})
		assert.Equal(t, []told{{alice, nil, 6 * time.Second}, {"", context.DeadlineExceeded, 10 * time.Second}}, got)
	})
}

// A Watch that would take the last connection that there may be looks every second instead: the calls, its own too, need one.
func TestWatchLeavesAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener(t, "")
		l.db.SetMaxOpenConns(2)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		second := make(chan []told, 1)
		got := watching(ctx, l.Store, func() {
			time.Sleep(time.Second)
			second <- watching(ctx, l.Store, func() {
				time.Sleep(1500 * time.Millisecond)
				save(t, l.Store, alice)
			})
		})
		assert.Equal(t, []told{{"", context.DeadlineExceeded, 10 * time.Second}}, got, "it listens, and nobody has woken it")
		assert.Equal(t, []told{{alice, nil, 2 * time.Second}, {"", context.DeadlineExceeded, 9 * time.Second}}, <-second)
		assert.Len(t, l.listening, 1)
	})
}
