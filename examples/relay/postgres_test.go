//go:build unix

package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/postgres"
	"github.com/otrchat/otrchat/msrp/relay"
)

// subscriber is Kamailio's table, as version 5.6 makes it for PostgreSQL.
const subscriber = `CREATE TABLE subscriber (id SERIAL PRIMARY KEY NOT NULL, username VARCHAR(64) DEFAULT '' NOT NULL, domain VARCHAR(64) DEFAULT '' NOT NULL,
	password VARCHAR(64) DEFAULT '' NOT NULL, ha1 VARCHAR(128) DEFAULT '' NOT NULL, ha1b VARCHAR(128) DEFAULT '' NOT NULL, CONSTRAINT subscriber_account_idx UNIQUE (username, domain))`

// deploy/users.sql and the queries of docs/scaling.md do in a real PostgreSQL what they say: a users file goes in, HA1 and a users file come out, and the relays' role can read no other
// column.
func TestPostgres(t *testing.T) {
	psql := postgresql(t)
	users := write(t, "users", []byte(alice.line("wonderland")+bob.line("builder")))
	psql("postgres", subscriber, "")
	psql("postgres", `\i deploy/users.sql`, "")
	psql("postgres", `\copy subscriber (username, domain, ha1, ha1_sha256) FROM '`+users+`' (DELIMITER ':')`, "")
	found := psql("msrprelay", "PREPARE ha1 AS "+userQuery+"; EXECUTE ha1('alice', 'example.com')", "")
	assert.Contains(t, found, relay.HA1(relay.MD5, "alice", "example.com", "wonderland")+":"+relay.HA1(relay.SHA256, "alice", "example.com", "wonderland"))
	assert.NotContains(t, found, relay.HA1(relay.MD5, "bob", "example.com", "builder"))
	psql("postgres", "INSERT INTO subscriber (username, domain, ha1, ha1_sha256) SELECT 'e:ve', domain, ha1, ha1_sha256 FROM subscriber WHERE username = 'alice'", "")
	psql("postgres", "INSERT INTO subscriber (username, domain, ha1) VALUES ('old', 'example.com', 'x')", "")
	page, err := os.ReadFile("../../docs/scaling.md")
	require.NoError(t, err)
	export := regexp.MustCompile(`psql -At -F: -c "(.*)" >users.new`).FindSubmatch(page)
	require.NotNil(t, export)
	assert.Equal(t, alice.line("wonderland")+bob.line("builder"), psql("msrprelay", string(export[1]), ""))
	psql("msrprelay", "SELECT password FROM subscriber", "permission denied")
	psql("msrprelay", "DELETE FROM subscriber", "permission denied")
}

// postgresql starts a server and returns what runs one command in it as a role; want is what must stand in its complaint, or empty if it has to succeed.
func postgresql(t *testing.T) (psql func(role, command, want string) string) {
	s := postgres.Start(t)
	return func(role, command, want string) string {
		out, err := s.Psql(role, command)
		if want == "" {
			require.NoError(t, err, "%s", out)
		} else {
			require.Error(t, err)
			assert.Contains(t, out, want)
		}
		return out
	}
}
