package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// add runs "relay adduser" with the input.
func add(t *testing.T, input string, args ...string) error {
	t.Helper()
	stdin, err := os.Open(write(t, "stdin", []byte(input)))
	require.NoError(t, err)
	defer stdin.Close()
	return run(t.Context(), append([]string{"adduser"}, args...), stdin, &bytes.Buffer{}, nil)
}

func TestAddUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	require.NoError(t, add(t, "wonderland\n", "-users", path, "-realm", "example.com", "alice"))
	require.NoError(t, add(t, "builder and a blank \r\nnot this", "-users", path, "-realm", "example.com", "bob"))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, alice.line("wonderland")+bob.line("builder and a blank "), string(text))
	if info, err := os.Stat(path); assert.NoError(t, err) && runtime.GOOS != "windows" {
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestAddUserBehindAnUnfinishedLine(t *testing.T) {
	path := write(t, "users", []byte("# people"))
	require.NoError(t, alice.add(path, "wonderland"))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "# people\n"+alice.line("wonderland"), string(text))
}

func TestAddUserRefuses(t *testing.T) {
	path := write(t, "users", []byte(alice.line("wonderland")))
	flags := []string{"-users", path, "-realm", "example.com"}
	for name, tt := range map[string]struct {
		input string
		args  []string
		want  string
	}{
		"no name":           {"x", flags, "adduser wants one name"},
		"password as well":  {"x", append(flags, "bob", "builder"), "adduser wants one name"},
		"no realm":          {"x", []string{"-users", path, "bob"}, "name and realm must be"},
		"colon":             {"x", append(flags, "b:ob"), "name and realm must be"},
		"line end":          {"x", append(flags, "bob\neve"), "name and realm must be"},
		"comment":           {"x", append(flags, "#bob"), "a name cannot begin with #"},
		"empty password":    {"\n", append(flags, "bob"), "an empty password"},
		"no password":       {"", append(flags, "bob"), "an empty password"},
		"there already":     {"x", append(flags, "alice"), "the user is there already"},
		"file is no folder": {"x", []string{"-users", filepath.Join(path, "x"), "-realm", "r", "bob"}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) { assert.ErrorContains(t, add(t, tt.input, tt.args...), tt.want) })
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, alice.line("wonderland"), string(text), "a refusal changes nothing")
}
