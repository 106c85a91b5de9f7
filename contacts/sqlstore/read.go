package sqlstore

import (
	"context"
	"iter"

	"github.com/otrchat/otrchat/contacts"
)

const pageLength = 50

// All implements [contacts.Store]. It reads 50 contacts at a time and holds no connection while the loop runs.
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
	rows, err := s.db.QueryContext(ctx, s.dialect.translate(query), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := r.scan(rows); err != nil {
			return nil, err
		}
		if err := checkVersion(int(r.version.Int64)); err != nil {
			return nil, err
		}
		if r.address.Valid {
			all = append(all, r)
		}
	}
	return all, rows.Err()
}
