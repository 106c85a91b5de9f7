package sql

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/internal/interop/postgres"
)

// address is where a new schema of the server is, with settings of the connections such as "lock_timeout", "1s".
func address(t *testing.T, server *postgres.Server, settings ...string) string {
	schema := fmt.Sprintf("s%d", schemas.Add(1))
	out, err := server.Psql("postgres", "CREATE SCHEMA "+schema)
	require.NoError(t, err, out)
	query := url.Values{"host": {server.Socket()}, "user": {"postgres"}, "search_path": {schema}}
	for i := 0; i < len(settings); i += 2 {
		query.Set(settings[i], settings[i+1])
	}
	return "postgres:///postgres?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

var schemas atomic.Int64

func TestPostgreSQL(t *testing.T) {
	server := postgres.Start(t)
	for _, isolation := range []string{"read committed", "serializable"} {
		at := func(t *testing.T) string { return address(t, server, "default_transaction_isolation", isolation) }
		conformance(t, isolation, func(t *testing.T) contacts.Store { return pg(t, at(t)) })
		shared(t, isolation, func(t *testing.T) (a, b contacts.Store) {
			at := at(t)
			return pg(t, at), pg(t, at)
		})
	}
	// A Store that listens looks too seldom by itself for the suite's patience.
	shared(t, "listening", func(t *testing.T) (a, b contacts.Store) {
		at := address(t, server)
		return migrated(t, open(t, "pgx", at), listener()), migrated(t, open(t, "pgx", at), listener())
	})
}

func pg(t *testing.T, at string) *sqlstore.Store {
	t.Helper()
	return migrated(t, open(t, "pgx", at), &sqlstore.Options{Dialect: sqlstore.PostgreSQL})
}

// listener has what the documentation of Options.Listen shows.
func listener() *sqlstore.Options {
	return &sqlstore.Options{Dialect: sqlstore.PostgreSQL, Listen: func(ctx context.Context, c *sql.Conn) error {
		return c.Raw(func(driverConn any) error {
			_, err := driverConn.(*stdlib.Conn).Conn().WaitForNotification(ctx)
			return err
		})
	}}
}
