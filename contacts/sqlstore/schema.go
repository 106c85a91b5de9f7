package sqlstore

import (
	"context"
	"database/sql"
	_ "embed" // the statements of each version
	"errors"
	"fmt"
	"strings"
)

// ErrSchema is returned while the tables are missing, or are of another version than this program's. If the program is the newer one, Migrate helps.
var ErrSchema = errors.New("sqlstore: the tables do not fit this program")

//go:embed schema/1.sql
var schema1 string

// migrations are the statements that lead to version 1, 2, and so on.
var migrations = []string{schema1}

const (
	// Any number that nobody else takes for an advisory lock.
	lockMigrations = `SELECT pg_advisory_xact_lock(7031820611)`
	// Waits for the transactions that change something, which all write to this table, and keeps new ones waiting until the tables are changed.
	lockChanges   = `LOCK TABLE otrchat_owners IN EXCLUSIVE MODE`
	createVersion = `CREATE TABLE IF NOT EXISTS otrchat_contacts_version (version BIGINT NOT NULL PRIMARY KEY)`
	putVersion    = `INSERT INTO otrchat_contacts_version (version) VALUES ($1)`
)

// Migrate makes the tables, or brings those of an older version up to date. Any number of processes may call it at the same time, while programs use
// the tables. If the tables are of a newer version than this program's, they stay as they are and the error is ErrSchema.
//
// The tables are otrchat_contacts_version, otrchat_owners, otrchat_contacts and otrchat_keys; in PostgreSQL they are made in the first schema of the
// connection's search_path.
func (s *Store) Migrate(ctx context.Context) error {
	for {
		version, err := s.version(ctx)
		if err != nil {
			return err
		}
		if version >= len(migrations) {
			return checkVersion(version)
		}
		if err := s.transact(ctx, s.migrate); err != nil {
			return err
		}
	}
}

// migrate goes up by one version, unless another process did so meanwhile.
func (s *Store) migrate(ctx context.Context, t *transaction) error {
	if err := t.lockSchema(ctx); err != nil {
		return err
	}
	version, err := t.version(ctx)
	if err != nil || version >= len(migrations) {
		return err
	}
	for statement := range strings.SplitSeq(migrations[version], ";\n") {
		if statement = strings.TrimSpace(statement); statement == "" {
			continue
		}
		if err := t.exec(ctx, statement); err != nil {
			return err
		}
	}
	return t.exec(ctx, putVersion, version+1)
}

// lockSchema waits for other migrations and for the changes that are under way, and keeps new ones waiting. In SQLite the first statement that writes
// does that.
func (t *transaction) lockSchema(ctx context.Context) error {
	if t.store.dialect == PostgreSQL {
		if err := t.exec(ctx, lockMigrations); err != nil {
			return err
		}
	}
	if err := t.exec(ctx, createVersion); err != nil {
		return err
	}
	version, err := t.version(ctx)
	if err == nil && version > 0 && t.store.dialect == PostgreSQL {
		err = t.exec(ctx, lockChanges)
	}
	return err
}

func (t *transaction) version(ctx context.Context) (int, error) {
	var version sql.NullInt64
	err := t.row(ctx, getVersion).Scan(&version)
	return int(version.Int64), err
}

// version is the version of the tables, 0 if there are none.
func (s *Store) version(ctx context.Context) (int, error) {
	var version sql.NullInt64
	err := try(ctx, func() error {
		err := s.db.QueryRowContext(ctx, getVersion).Scan(&version)
		if noTable(err) {
			return nil
		}
		return err
	})
	return int(version.Int64), err
}

func checkVersion(version int) error {
	switch {
	case version == 0:
		return fmt.Errorf("%w: there are none; call Migrate", ErrSchema)
	case version < len(migrations):
		return fmt.Errorf("%w: they have version %d, the program %d; call Migrate", ErrSchema, version, len(migrations))
	case version > len(migrations):
		return fmt.Errorf("%w: they have version %d, the program only %d", ErrSchema, version, len(migrations))
	}
	return nil
}

// noTable tells whether the reason is that a table does not exist: in PostgreSQL that is undefined_table, and SQLite says "no such table".
func noTable(err error) bool {
	return err != nil && (sqlState(err) == "42P01" || strings.Contains(err.Error(), "no such table"))
}
