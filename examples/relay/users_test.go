package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/msrp/relay"
)

var (
	alice     = user{"alice", "example.com"}
	bob       = user{"bob", "example.com"}
	passwords = map[user]string{alice: "wonderland", bob: "builder"}
)

// write makes a file that only we can read, and returns its path.
func write(t testing.TB, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func TestUsersFile(t *testing.T) {
	u := users{path: write(t, "users", []byte("# people\n\n"+alice.line("wonderland")+"  bob:example.com"+strings.ToUpper(bob.line("builder")[len("bob:example.com"):])))}
	require.NoError(t, u.load())
	for _, a := range []relay.Algorithm{relay.MD5, relay.SHA256} {
		ha1, err := u.HA1(t.Context(), "alice", "example.com", a)
		require.NoError(t, err)
		assert.Equal(t, relay.HA1(a, "alice", "example.com", "wonderland"), ha1)
	}
	for _, who := range []user{{"alice", "example.org"}, {"Alice", "example.com"}, {"", ""}, {"alice:example.com", ""}} {
		_, err := u.HA1(t.Context(), who.name, who.realm, relay.MD5)
		assert.ErrorIs(t, err, relay.ErrUnknownUser, who)
	}
}

func TestUsersFileNamesTheLine(t *testing.T) {
	good := strings.TrimSuffix(alice.line("wonderland"), "\n")
	md5, sha256 := strings.Repeat("0", 32), strings.Repeat("0", 64)
	for name, tt := range map[string]struct{ line, want string }{
		"a password":     {"bob:builder", "line 3: not of the form name:realm:md5:sha256"},
		"htdigest":       {"bob:example.com:" + md5, "line 3: not of the form"},
		"a colon more":   {good + ":", "line 3: not of the form"},
		"no name":        {":example.com:" + md5 + ":" + sha256, "line 3: name and realm"},
		"no realm":       {"bob::" + md5 + ":" + sha256, "line 3: name and realm"},
		"control":        {"b\x00b:example.com:" + md5 + ":" + sha256, "line 3: name and realm"},
		"not UTF-8":      {"b\xffb:example.com:" + md5 + ":" + sha256, "line 3: name and realm"},
		"blank":          {"bob :example.com:" + md5 + ":" + sha256, "line 3: name and realm"},
		"no MD5":         {"bob:example.com::" + sha256, "line 3: HA1 number 1"},
		"short SHA-256":  {"bob:example.com:" + md5 + ":" + md5, "line 3: HA1 number 2"},
		"not hex":        {"bob:example.com:" + md5[1:] + "g:" + sha256, "line 3: HA1 number 1"},
		"the same again": {good, "line 3: the same name and realm"},
		"no line at all": {strings.Repeat("x", 1<<17), "token too long"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseUsers([]byte(good + "\n\n" + tt.line + "\n"))
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "builder", "what stands in the file is secret")
		})
	}
}

func TestUsersFileOfOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		foreign.Missing(t, "a system with file modes")
	}
	u := users{path: write(t, "users", []byte(alice.line("wonderland")))}
	for mode, private := range map[os.FileMode]bool{0o600: true, 0o640: true, 0o440: true, 0o644: false, 0o660: false, 0o602: false, 0o601: false} {
		require.NoError(t, os.Chmod(u.path, mode))
		if err := u.load(); private {
			assert.NoError(t, err, mode)
		} else {
			assert.ErrorContains(t, err, u.path+": others can read or write it", mode)
		}
	}
}

func TestUsersStayWhenTheFileIsBroken(t *testing.T) {
	u := users{path: write(t, "users", []byte(alice.line("wonderland")))}
	require.NoError(t, u.load())
	require.NoError(t, os.WriteFile(u.path, []byte("broken"), 0o600))
	require.ErrorContains(t, u.load(), u.path+": line 1: ")
	require.NoError(t, os.Remove(u.path))
	require.ErrorIs(t, u.load(), os.ErrNotExist)
	_, err := u.HA1(t.Context(), "alice", "example.com", relay.MD5)
	assert.NoError(t, err)
}

// What the parser takes is what adduser could have written.
func FuzzUsers(f *testing.F) {
	f.Add([]byte("# people\n\n" + alice.line("wonderland") + bob.line("builder")))
	f.Add([]byte(" a b:c:" + strings.Repeat("0", 32) + ":" + strings.Repeat("F", 64) + "\r\n:::"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parseUsers(text)
		for who, h := range all {
			require.NoError(t, err)
			again, err := parseUsers([]byte(strings.Join([]string{who.name, who.realm, h.md5, h.sha256}, ":")))
			require.NoError(t, err)
			require.Equal(t, map[user]hashes{who: h}, again)
		}
	})
}
