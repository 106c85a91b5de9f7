package sqlstore

import (
	"context"
	"database/sql"
	"iter"

	"github.com/otrchat/otrchat/contacts"
)

const (
	pageLength = 50
	maxRows    = pageLength * contacts.MaxKeys // that a query can find
)

// All implements [contacts.Store]. It reads 50 contacts at a time and holds no connection while the loop runs. A contact that cannot be right ends it
// with a [*RowError].
func (s *Store) All(ctx context.Context) iter.Seq2[contacts.Contact, error] {
	return func(yield func(contacts.Contact, error) bool) {
		for after := ""; ; {
			page, err := s.read(ctx, getPage, s.owner, after, pageLength)
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
				after = c.Address
			}
			if err != nil {
				yield(contacts.Contact{}, err)
				return
			}
			if len(page) < pageLength {
				return
			}
		}
	}
}

// read returns the contacts that a query finds, which begins with columns; with an error, those before the one that cannot be used.
func (s *Store) read(ctx context.Context, query string, args ...any) (found []contacts.Contact, err error) {
	err = try(ctx, func() error {
		rows, err := s.rows(ctx, query, args...)
		if err == nil {
			found, err = gather(rows)
		}
		return err
	})
	return found, err
}

// rows returns all rows of the query but those that stand for no contact.
func (s *Store) rows(ctx context.Context, query string, args ...any) (all []row, err error) {
	err = s.each(ctx, func(rows *sql.Rows) error {
		var r row
		if err := r.scan(rows); err != nil {
			return err
		}
		if len(all) == maxRows {
			return &RowError{r.address.String, errKeys}
		}
		if r.address.Valid {
			all = append(all, r)
		}
		return checkVersion(int(r.version.Int64))
	}, query, args...)
	return all, err
}

// each calls f for each row of the query.
func (s *Store) each(ctx context.Context, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := s.db.QueryContext(ctx, s.dialect.translate(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
