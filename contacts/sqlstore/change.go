package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"github.com/otrchat/otrchat/contacts"
)

// transaction is a change of the tables.
type transaction struct {
	store    *Store
	tx       *sql.Tx
	sequence uint64 // once the owner is locked: the revision that the change may use
}

// transact runs f in a transaction, which is undone when f returns an error. It is run again when another transaction was in its way.
//
// SQLite lets one transaction write at a time and has no queue for the others, which ask again and again; so those of one Store wait for each other here.
func (s *Store) transact(ctx context.Context, f func(context.Context, *transaction) error) error {
	if s.dialect == SQLite {
		select {
		case s.turn <- struct{}{}:
			defer func() { <-s.turn }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return try(ctx, func() error {
		tx, err := s.db.BeginTx(ctx, s.dialect.isolation())
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // after Commit it does nothing
		if err := f(ctx, &transaction{store: s, tx: tx}); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// change runs f in a transaction during which no other change of the owner's contacts goes on.
func (s *Store) change(ctx context.Context, f func(*transaction) error) error {
	return s.transact(ctx, func(ctx context.Context, t *transaction) error {
		if err := t.lock(ctx); err != nil {
			return err
		}
		if err := f(t); err != nil || s.listen == nil {
			return err
		}
		return t.exec(ctx, notify, s.channel())
	})
}

func (t *transaction) row(ctx context.Context, query string, args ...any) *sql.Row {
	return t.tx.QueryRowContext(ctx, t.store.dialect.translate(query), args...)
}

func (t *transaction) exec(ctx context.Context, statement string, args ...any) error {
	_, err := t.tx.ExecContext(ctx, t.store.dialect.translate(statement), args...)
	return err
}

// lock waits until no other change of the owner's is under way, and takes the next number of its sequence.
func (t *transaction) lock(ctx context.Context) error {
	var sequence int64
	var version sql.NullInt64
	if err := t.row(ctx, lockOwner, t.store.owner).Scan(&sequence, &version); err != nil {
		return err
	}
	t.sequence = uint64(sequence)
	return checkVersion(int(version.Int64))
}

// revision returns the stored revision of the contact, 0 if it is not stored.
func (t *transaction) revision(ctx context.Context, address string) (uint64, error) {
	var stored sql.NullString // so that a value of another type is no error that quotes it
	err := t.row(ctx, getRevision, t.store.owner, address).Scan(&stored)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	revision, err := strconv.ParseInt(stored.String, 10, 64)
	if err != nil || revision < 1 {
		return 0, &RowError{address, errRevision}
	}
	return uint64(revision), nil
}

// room returns contacts.ErrFull if there is no room for another contact.
func (t *transaction) room(ctx context.Context) error {
	var n int
	if err := t.row(ctx, countContacts, t.store.owner).Scan(&n); err != nil {
		return err
	}
	if n >= contacts.MaxContacts {
		return contacts.ErrFull
	}
	return nil
}

func (t *transaction) put(ctx context.Context, c *contacts.Contact) error {
	owner := t.store.owner
	if err := t.exec(ctx, putContact, owner, c.Address, int64(c.Revision), c.DisplayName, c.Policy.String(), c.Note); err != nil {
		return err
	}
	if err := t.exec(ctx, deleteKeys, owner, c.Address); err != nil {
		return err
	}
	if len(c.Keys) == 0 {
		return nil
	}
	values := []any{owner, c.Address}
	for i := range c.Keys {
		k := &c.Keys[i]
		values = append(values, i, k.Fingerprint.String(), fromTime(k.FirstSeen), fromTime(k.LastSeen), k.Trust.String(),
			fromTime(k.VerifiedAt), fromTime(k.Unannounced), k.Note)
	}
	return t.exec(ctx, putKeys(len(c.Keys)), values...)
}

// remove deletes the contact and its keys. In SQLite the database does not do the latter by itself unless it was told to.
func (t *transaction) remove(ctx context.Context, address string) error {
	if err := t.exec(ctx, deleteKeys, t.store.owner, address); err != nil {
		return err
	}
	return t.exec(ctx, deleteContact, t.store.owner, address)
}
