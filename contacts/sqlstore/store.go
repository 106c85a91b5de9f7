package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/otrchat/otrchat/contacts"
)

// MaxOwner is how many bytes Options.Owner may have.
const MaxOwner = 512

// Options say where the contacts are, and whose they are.
type Options struct {
	// DB is the database. The Store never closes it. Default: none, it must be set.
	DB *sql.DB
	// Dialect is what DB speaks. Default: none, it must be set.
	Dialect Dialect
	// Owner tells whose contacts these are, UTF-8 without NUL, at most MaxOwner bytes. Any number of owners share the tables, and a Store sees and
	// changes those of its own owner only. It is compared byte by byte. Default: empty, which is an owner like any other.
	Owner string
	// Listen, for PostgreSQL only, makes Watch tell of changes at once. It waits until the server sends a notification to c (LISTEN has been executed)
	// and returns nil; if ctx ends, or c fails, it returns an error. With pgx it is:
	//
	//	func(ctx context.Context, c *sql.Conn) error {
	//		return c.Raw(func(driverConn any) error {
	//			_, err := driverConn.(*stdlib.Conn).Conn().WaitForNotification(ctx)
	//			return err
	//		})
	//	}
	//
	// Set it in every program that changes the contacts: without it a Store sends no notifications. Each Watch keeps a connection of DB to itself, though
	// never the last one that DB.SetMaxOpenConns allows. Default: nil, Watch looks for changes every second.
	Listen func(ctx context.Context, c *sql.Conn) error
}

// Store is a [contacts.Watcher] in a database. Use [New].
type Store struct {
	db      *sql.DB
	dialect Dialect
	owner   string
	listen  func(context.Context, *sql.Conn) error
	turn    chan struct{} // holds one token while a goroutine changes a SQLite database
}

var _ contacts.Watcher = (*Store)(nil)

// New returns the store in the database o.DB. It does not use the database yet. The error names the option that is wrong.
func New(o *Options) (*Store, error) {
	switch {
	case o == nil || o.DB == nil:
		return nil, errors.New("sqlstore: Options.DB is not set")
	case !o.Dialect.known():
		return nil, errors.New("sqlstore: Options.Dialect is neither SQLite nor PostgreSQL")
	case len(o.Owner) > MaxOwner:
		return nil, fmt.Errorf("sqlstore: Options.Owner is longer than %d bytes", MaxOwner)
	case !utf8.ValidString(o.Owner) || strings.IndexByte(o.Owner, 0) >= 0:
		return nil, errors.New("sqlstore: Options.Owner is not UTF-8, or has a NUL")
	case o.Listen != nil && o.Dialect != PostgreSQL:
		return nil, errors.New("sqlstore: Options.Listen is for PostgreSQL only")
	}
	return &Store{db: o.DB, dialect: o.Dialect, owner: o.Owner, listen: o.Listen, turn: make(chan struct{}, 1)}, nil
}

// Load implements [contacts.Store]. A contact that cannot be right is a [*RowError].
func (s *Store) Load(ctx context.Context, address string) (contacts.Contact, error) {
	address, err := contacts.Normalize(address)
	if err != nil {
		return contacts.Contact{}, err
	}
	found, err := s.read(ctx, getOne, s.owner, address)
	if err != nil {
		return contacts.Contact{}, err
	}
	if len(found) == 0 {
		return contacts.Contact{}, contacts.ErrNotFound
	}
	return found[0], nil
}

// Save implements [contacts.Store]. After an error of the database or the context the contact may be stored or not: load it again.
func (s *Store) Save(ctx context.Context, c contacts.Contact) (contacts.Contact, error) {
	c, err := c.Normalized()
	if err != nil {
		return contacts.Contact{}, err
	}
	revision := c.Revision
	err = s.change(ctx, func(t *transaction) error {
		stored, err := t.revision(ctx, c.Address)
		if err != nil {
			return err
		}
		if stored != revision {
			return contacts.ErrConflict
		}
		if stored == 0 {
			if err := t.room(ctx); err != nil {
				return err
			}
		}
		c.Revision = t.sequence
		return t.put(ctx, &c)
	})
	if err != nil {
		return contacts.Contact{}, err
	}
	return c, nil
}

// Delete implements [contacts.Store]. Nothing of the contact stays in the tables. After an error of the database or the context it may be deleted or not.
func (s *Store) Delete(ctx context.Context, address string, revision uint64) error {
	address, err := contacts.Normalize(address)
	if err != nil {
		return err
	}
	return s.change(ctx, func(t *transaction) error {
		stored, err := t.revision(ctx, address)
		switch {
		case err != nil:
			return err
		case stored == 0:
			return contacts.ErrNotFound
		case stored != revision:
			return contacts.ErrConflict
		}
		return t.remove(ctx, address)
	})
}
