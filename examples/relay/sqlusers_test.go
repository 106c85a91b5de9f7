package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/relay"
)

// What follows stands in docs/scaling.md too, up to the line of dashes.

// sqlUsers is the Authenticator over Kamailio's table of users.
type sqlUsers struct{ db *sql.DB }

const userQuery = `SELECT ha1, ha1_sha256 FROM subscriber WHERE username = $1 AND domain = $2`

func (u sqlUsers) HA1(ctx context.Context, name, realm string, a relay.Algorithm) (string, error) {
	var md5, sha256 string
	err := u.db.QueryRowContext(ctx, userQuery, name, realm).Scan(&md5, &sha256)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", relay.ErrUnknownUser
	case err != nil:
		return "", err // the relay refuses for now, and logs it
	case a == relay.SHA256 && sha256 != "":
		return sha256, nil
	case a == relay.MD5 && md5 != "":
		return md5, nil
	}
	return "", relay.ErrUnknownUser
}

// ---------------------------------------------------------------------------------------------------------------------

var _ relay.Authenticator = sqlUsers{}

func TestScalingShowsTheCode(t *testing.T) {
	source, err := os.ReadFile("sqlusers_test.go")
	require.NoError(t, err)
	code := regexp.MustCompile(`(?s)// sqlUsers is .*?\n}\n\n// -----`).Find(source)
	page, err := os.ReadFile("../../docs/scaling.md")
	require.NoError(t, err)
	assert.True(t, strings.Contains(string(page), "```go\n"+strings.TrimSuffix(string(code), "\n// -----")+"```\n"))
}

func TestSQLUsers(t *testing.T) {
	db := sql.OpenDB(table{
		{"alice", "example.com"}: {"md5 of alice", "sha256 of alice"},
		{"bob", "example.com"}:   {"md5 of bob", ""},
		{"eve", "example.com"}:   {"", "sha256 of eve"},
	})
	defer db.Close()
	for _, tt := range []struct {
		name      string
		algorithm relay.Algorithm
		want      string
		err       error
	}{
		{"alice", relay.MD5, "md5 of alice", nil},
		{"alice", relay.SHA256, "sha256 of alice", nil},
		{"bob", relay.SHA256, "", relay.ErrUnknownUser},
		{"eve", relay.MD5, "", relay.ErrUnknownUser},
		{"carol", relay.MD5, "", relay.ErrUnknownUser},
		{"down", relay.MD5, "", errDown},
	} {
		ha1, err := sqlUsers{db}.HA1(t.Context(), tt.name, "example.com", tt.algorithm)
		assert.Equal(t, tt.want, ha1, tt.name)
		assert.ErrorIs(t, err, tt.err, tt.name)
	}
}

// table is a database with the answers to userQuery, and no other.
type table map[user][2]string

var errDown = errors.New("the database is down")

func (t table) Connect(context.Context) (driver.Conn, error) { return connection{table: t}, nil }
func (t table) Driver() driver.Driver                        { return nil }

type connection struct {
	driver.Conn // of which nothing is asked but Close
	table       table
}

func (connection) Close() error { return nil }

func (c connection) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	who := user{args[0].Value.(string), args[1].Value.(string)}
	if query != userQuery || who.name == "down" {
		return nil, errDown
	}
	var r rows
	if found, ok := c.table[who]; ok {
		r = rows{found}
	}
	return &r, nil
}

type rows [][2]string

func (*rows) Columns() []string { return []string{"ha1", "ha1_sha256"} }
func (*rows) Close() error      { return nil }

func (r *rows) Next(to []driver.Value) error {
	if len(*r) == 0 {
		return io.EOF
	}
	to[0], to[1] = (*r)[0][0], (*r)[0][1]
	*r = (*r)[1:]
	return nil
}
