package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/internal/watch"
)

// patience is how long a call tries again, while other transactions are in its way, that is beyond what the driver waits by itself.
const patience = 30 * time.Second

// try calls f again while it fails because of another transaction, and turns the error into one of the package's.
func try(ctx context.Context, f func() error) error {
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 32*time.Millisecond) {
		err := f()
		if err == nil {
			return nil
		}
		over := ended(ctx)
		switch {
		case over != nil: // drivers have errors of their own for it
			return over
		case !retryable(err) || time.Now().After(deadline):
			return explain(err)
		}
		if err := watch.Sleep(ctx, rand.N(pause)); err != nil {
			return err
		}
	}
}

// ended is the error of a context that has ended, or that would have by now: the deadline of a connection can be noticed a little before that of the
// context which it was taken from.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// retryable tells whether the database undid what it did because of another transaction, so that it may work the next time. SQLite says "database is
// locked", "database table is locked" or "database schema is locked", whatever the driver; drivers for PostgreSQL have the SQLSTATE: 40001 is
// serialization_failure, 40P01 deadlock_detected.
func retryable(err error) bool {
	state := sqlState(err)
	return state == "40001" || state == "40P01" || state == "" && strings.Contains(err.Error(), " is locked")
}

// sqlState is the five characters by which PostgreSQL tells errors apart, or nothing.
func sqlState(err error) string {
	var with interface{ SQLState() string }
	if errors.As(err, &with) {
		return with.SQLState()
	}
	return ""
}

// explain turns an error of the database into one of the package's. Those that are stay as they are.
func explain(err error) error {
	var bad *RowError
	if errors.As(err, &bad) {
		return err
	}
	for _, ours := range []error{contacts.ErrNotFound, contacts.ErrConflict, contacts.ErrFull, ErrSchema} {
		if errors.Is(err, ours) {
			return err
		}
	}
	if noTable(err) {
		return checkVersion(0)
	}
	return fmt.Errorf("sqlstore: %w", err)
}
