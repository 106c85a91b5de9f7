//go:build unix

package postgres

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestServer(t *testing.T) {
	s := Start(t, "max_connections=17")
	out, err := s.Psql("postgres", "CREATE TABLE kept (a int, b int)", "INSERT INTO kept VALUES (1, 2)", "SHOW max_connections")
	require.NoError(t, err, out)
	assert.Contains(t, out, "17")
	s.Stop()
	_, err = s.Psql("postgres", "SELECT 1")
	require.Error(t, err)
	s.Restart()
	out, err = s.Psql("postgres", "SELECT * FROM kept")
	require.NoError(t, err)
	assert.Equal(t, "1:2\n", out)
	out, err = s.Psql("postgres", "SELECT * FROM missing")
	require.Error(t, err)
	assert.Contains(t, out, `relation "missing" does not exist`)
}
