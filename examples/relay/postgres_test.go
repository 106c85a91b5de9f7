//go:build unix

package main

import (
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/msrp/relay"
)

// subscriber is Kamailio's table, as version 5.6 makes it for PostgreSQL.
const subscriber = `CREATE TABLE subscriber (id SERIAL PRIMARY KEY NOT NULL, username VARCHAR(64) DEFAULT '' NOT NULL, domain VARCHAR(64) DEFAULT '' NOT NULL,
	password VARCHAR(64) DEFAULT '' NOT NULL, ha1 VARCHAR(128) DEFAULT '' NOT NULL, ha1b VARCHAR(128) DEFAULT '' NOT NULL, CONSTRAINT subscriber_account_idx UNIQUE (username, domain))`

// deploy/users.sql and the queries of docs/scaling.md do in a real PostgreSQL what they say: a users file goes in, HA1 and a users file come out, and the relays' role can read no other
// column.
func TestPostgres(t *testing.T) {
	psql := postgres(t)
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

// postgres starts a server of the test's own, on a socket in a folder, and returns what runs one command in it as a role; want is what must stand in its
// complaint, or empty if it has to succeed.
func postgres(t *testing.T) (psql func(role, command, want string) string) {
	initdb, server, client := needPostgres(t, "initdb"), needPostgres(t, "postgres"), foreign.Need(t, "psql")
	folder, err := os.MkdirTemp("", "relay") // a socket's path is short
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	data := filepath.Join(folder, "data")
	identity := unprivileged(t, folder)
	command := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: identity}
		return cmd
	}
	foreign.Run(t, time.Minute, command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-N"))
	p := foreign.Start(t, command(server, "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"))
	require.NoError(t, p.WaitFor("ready to accept connections", time.Minute))
	return func(role, command, want string) string {
		out, err := exec.Command(client, "-X", "-A", "-t", "-F", ":", "-v", "ON_ERROR_STOP=1", "-h", folder, "-U", role, "-d", "postgres", "-c", command).CombinedOutput()
		if want == "" {
			require.NoError(t, err, "%s", out)
		} else {
			require.Error(t, err)
			assert.Contains(t, string(out), want)
		}
		return string(out)
	}
}

// needPostgres looks where Debian puts the programs of the server, too.
func needPostgres(t *testing.T, program string) string {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program); len(found) > 0 {
		return found[len(found)-1]
	}
	return foreign.Need(t, program)
}

// unprivileged gives the folder to somebody who is not root, as whom PostgreSQL would not run.
func unprivileged(t *testing.T, folder string) *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	nobody, err := osuser.Lookup("nobody")
	require.NoError(t, err)
	uid, err := strconv.Atoi(nobody.Uid)
	require.NoError(t, err)
	gid, err := strconv.Atoi(nobody.Gid)
	require.NoError(t, err)
	require.NoError(t, os.Chown(folder, uid, gid))
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
