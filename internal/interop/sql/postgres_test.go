package sql

import (
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/contacts/storetest"
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
		t.Run(isolation, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) contacts.Store {
				return migrated(t, open(t, "pgx", address(t, server, "default_transaction_isolation", isolation)), sqlstore.PostgreSQL)
			})
		})
	}
}
