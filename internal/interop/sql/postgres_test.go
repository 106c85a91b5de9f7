//go:build unix

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
	"github.com/otrchat/otrchat/contacts/storetest"
	"github.com/otrchat/otrchat/internal/interop/postgres"
)

// schema is a schema of its own for each test on the server, with a setting of the connections.
func schema(server *postgres.Server, setting, value string) database {
	return database{"pgx", sqlstore.PostgreSQL, func(t testing.TB) string {
		name := fmt.Sprintf("s%d", schemas.Add(1))
		out, err := server.Psql("postgres", "CREATE SCHEMA "+name)
		require.NoError(t, err, out)
		return dsn(server, "postgres", "search_path", name, setting, value)
	}}
}

var schemas atomic.Int64

func dsn(server *postgres.Server, role string, settings ...string) string {
	query := url.Values{"host": {server.Socket()}, "user": {role}}
	for i := 0; i < len(settings); i += 2 {
		query.Set(settings[i], settings[i+1])
	}
	return "postgres:///postgres?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

func TestPostgreSQL(t *testing.T) {
	server := postgres.Start(t, "max_connections=300")
	for _, isolation := range []string{"read committed", "serializable"} {
		d := schema(server, "default_transaction_isolation", isolation)
		d.conformance(t, isolation)
		d.shared(t, isolation)
	}
	d := schema(server, "application_name", "otrchat")
	d.both(t)
	// A Store that listens looks too seldom by itself for the suite's patience.
	t.Run("two that listen", func(t *testing.T) {
		t.Parallel()
		storetest.RunShared(t, func(t *testing.T) (a, b contacts.Store) {
			dsn := d.dsn(t)
			return migrated(t, listener(d.open(t, dsn))), migrated(t, listener(d.open(t, dsn)))
		})
	})
	t.Run("clients", func(t *testing.T) {
		t.Parallel()
		clients(t, d)
	})
	t.Run("a role that cannot change tables", func(t *testing.T) {
		t.Parallel()
		unprivileged(t, server, d)
	})
}

// listener has what the documentation of Options.Listen shows.
func listener(db *sql.DB) *sqlstore.Options {
	return &sqlstore.Options{DB: db, Dialect: sqlstore.PostgreSQL, Listen: func(ctx context.Context, c *sql.Conn) error {
		return c.Raw(func(driverConn any) error {
			_, err := driverConn.(*stdlib.Conn).Conn().WaitForNotification(ctx)
			return err
		})
	}}
}

// unprivileged is what a program needs once the tables are made. Migrate then does nothing.
func unprivileged(t *testing.T, server *postgres.Server, d database) {
	full := d.dsn(t)
	d.store(t, d.open(t, full))
	u, err := url.Parse(full)
	require.NoError(t, err)
	name := u.Query().Get("search_path")
	out, err := server.Psql("postgres", "CREATE ROLE chat LOGIN", "GRANT USAGE ON SCHEMA "+name+" TO chat", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "+name+" TO chat")
	require.NoError(t, err, out)
	s := d.store(t, d.open(t, dsn(server, "chat", "search_path", name)))
	c, err := s.Save(t.Context(), storetest.Sample(alice))
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), alice, c.Revision))
}

const listening = "FROM pg_stat_activity WHERE query LIKE 'LISTEN otrchat_%'"

// leaves: the connection that a Watch listened on does not go back to the others.
func leaves(t *testing.T, server *postgres.Server, d database) {
	s := migrated(t, listener(d.open(t, d.dsn(t))))
	count := func() string {
		out, err := server.Psql("postgres", "SELECT count(*) "+listening)
		require.NoError(t, err, out)
		return strings.TrimSpace(out)
	}
	for address, err := range s.Watch(t.Context()) {
		require.NoError(t, err)
		if address == alice { // found by the look that follows LISTEN
			require.Equal(t, "1", count())
			break
		}
		_, err = s.Save(t.Context(), contacts.Contact{Address: alice})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return count() == "0" }, patience, tick)
}

// A connection that is broken, and a server that starts anew, lose nothing that Watch has to tell.
func TestListeningIsInterrupted(t *testing.T) {
	server := postgres.Start(t)
	d := schema(server, "application_name", "otrchat")
	leaves(t, server, d)
	at := d.dsn(t)
	s, other := migrated(t, listener(d.open(t, at))), migrated(t, listener(d.open(t, at)))
	save := func(address string) {
		require.Eventually(t, func() bool { // connections of the pool may be broken as well
			_, err := contacts.Update(t.Context(), other, address, func(*contacts.Contact) error { return nil })
			return err == nil
		}, patience, tick)
	}
	step := map[string]func(){
		"": func() { save(alice) },
		alice: func() {
			require.Eventually(t, func() bool {
				out, err := server.Psql("postgres", "SELECT pg_terminate_backend(pid) "+listening)
				return err == nil && strings.Contains(out, "t")
			}, patience, tick, "the Store does not listen")
			save(bob)
		},
		bob: func() {
			server.Restart()
			save(carol)
		},
	}
	known := func(address string) bool {
		_, err := s.Load(t.Context(), address)
		return err == nil
	}
	for ended := 0; ; ended++ {
		require.Less(t, ended, 100)
		for address, err := range s.Watch(t.Context()) {
			if err != nil {
				break // the server is away: begin anew
			}
			if address == carol || address == "" && known(carol) {
				require.True(t, known(alice) && known(bob))
				return
			}
			if f := step[address]; f != nil {
				delete(step, address)
				f()
			}
		}
	}
}
