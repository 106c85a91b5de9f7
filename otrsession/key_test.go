package otrsession

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFingerprint(t *testing.T) {
	const text = "00112233 44556677 8899AABB CCDDEEFF 01234567"
	want := Fingerprint{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 1, 0x23, 0x45, 0x67}
	assert.Equal(t, text, want.String())
	assert.True(t, Fingerprint{}.IsZero())
	assert.False(t, want.IsZero())
	for _, in := range []string{
		text, strings.ToLower(text), strings.ReplaceAll(text, " ", ""), " " + text + "\n", strings.ReplaceAll(text, " ", "\u00a0"),
	} {
		got, err := ParseFingerprint(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got)
	}
	for _, in := range []string{"", "00", text + "0", text[1:], strings.Replace(text, "F", "G", 1), strings.Replace(text, "0", "é", 1)} {
		got, err := ParseFingerprint(in)
		assert.ErrorIs(t, err, ErrFingerprint, in)
		assert.Zero(t, got)
	}
	b, err := json.Marshal(want)
	require.NoError(t, err)
	assert.Equal(t, `"`+text+`"`, string(b))
	got := want
	require.Error(t, json.Unmarshal([]byte(`"00"`), &got))
	assert.Equal(t, want, got, "left alone")
	require.NoError(t, json.Unmarshal(b, &got))
	assert.Equal(t, want, got)
}

func TestKeyText(t *testing.T) {
	text, err := aliceKey().Export()
	require.NoError(t, err)
	k, err := ParseKey(text)
	require.NoError(t, err)
	assert.Equal(t, aliceKey().Fingerprint(), k.Fingerprint())
	assert.NotEqual(t, bobKey().Fingerprint(), k.Fingerprint())
	again, err := k.Export()
	require.NoError(t, err)
	assert.Equal(t, string(text), string(again))
	renamed := strings.NewReplacer(`"otrchat"`, "alice@example.com", "prpl-otrchat", "prpl-jabber").Replace(string(text))
	k, err = ParseKey([]byte(renamed))
	require.NoError(t, err)
	assert.Equal(t, aliceKey().Fingerprint(), k.Fingerprint())

	_, err = new(Key).Export()
	assert.ErrorIs(t, err, ErrKeyFormat)
	assert.True(t, (*Key)(nil).Fingerprint().IsZero())
}

func TestKeyIsNotPrinted(t *testing.T) {
	x := aliceKey().private.X
	hidden := func(out string) {
		t.Helper()
		assert.NotContains(t, strings.ToLower(out), x.String()[:20])
		assert.NotContains(t, strings.ToLower(out), x.Text(16)[:20])
	}
	o := Options{Key: aliceKey()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		hidden(fmt.Sprintf(verb, aliceKey()))
		hidden(fmt.Sprintf(verb, *aliceKey()))
		hidden(fmt.Sprintf(verb, o))
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "key", aliceKey(), "options", o)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "key", aliceKey(), "nested", struct{ Key *Key }{aliceKey()})
	hidden(log.String())
}

func TestKeyTextRefuses(t *testing.T) {
	good, err := aliceKey().Export()
	require.NoError(t, err)
	text := string(good)
	account := text[strings.Index(text, " (account"):strings.LastIndex(text, ")")]
	line := func(name string) string {
		start := strings.Index(text, "  ("+name+" #")
		return text[start : start+strings.Index(text[start:], "\n")+1]
	}
	for name, bad := range map[string]string{
		"nothing":        "",
		"text":           "hello",
		"no account":     "(privkeys)",
		"two accounts":   "(privkeys\n" + account + account + ")",
		"cut off":        text[:len(text)/2],
		"no x":           strings.Replace(text, line("x"), "", 1),
		"no y":           strings.Replace(text, line("y"), "", 1),
		"another x":      strings.Replace(text, line("x"), "  (x #0123#)\n", 1),
		"x is 0":         strings.Replace(text, line("x"), "  (x #00#)\n", 1),
		"not hex":        strings.Replace(text, line("x"), "  (x #xyz#)\n", 1),
		"a short p":      strings.Replace(text, line("p"), "  (p #0123456789#)\n", 1),
		"no q":           strings.Replace(text, line("q"), "  (q ##)\n", 1),
		"g is 1":         strings.Replace(strings.Replace(text, line("g"), "  (g #01#)\n", 1), line("y"), "  (y #01#)\n", 1),
		"another tag":    strings.Replace(text, "(x #", "(z #", 1),
		"deep":           strings.Repeat("(", maxKeyFile),
		"too large":      text + strings.Repeat(" ", maxKeyFile),
		"quote open":     `(privkeys (account (name "`,
		"number open":    "(privkeys (account (name #12",
		"only NUL bytes": strings.Repeat("\x00", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			k, err := ParseKey([]byte(bad))
			require.ErrorIs(t, err, ErrKeyFormat)
			assert.Less(t, len(err.Error()), 200)
			assert.Nil(t, k)
		})
	}
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "otr.private_key")
	_, err := LoadKey(path)
	assert.ErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, SaveKey(path, aliceKey()))
	k, err := LoadKey(path)
	require.NoError(t, err)
	assert.Equal(t, aliceKey().Fingerprint(), k.Fingerprint())
	info, err := os.Stat(path)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	}

	err = SaveKey(path, bobKey())
	assert.ErrorIs(t, err, ErrKeyExists)
	assert.ErrorIs(t, err, fs.ErrExist)
	k, err = LoadKey(path)
	require.NoError(t, err)
	assert.Equal(t, aliceKey().Fingerprint(), k.Fingerprint(), "not replaced")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing else is left behind")

	assert.Error(t, SaveKey(filepath.Join(dir, "missing", "key"), aliceKey()))
	assert.ErrorIs(t, SaveKey(filepath.Join(dir, "zero"), new(Key)), ErrKeyFormat)
	assert.ErrorIs(t, SaveKey(dir, aliceKey()), ErrKeyExists)
}

func TestLoadKeyRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	require.NoError(t, SaveKey(path, aliceKey()))
	if runtime.GOOS != "windows" {
		for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o644, 0o601} {
			require.NoError(t, os.Chmod(path, mode))
			_, err := LoadKey(path)
			assert.ErrorIs(t, err, ErrKeyPermissions, mode)
		}
		require.NoError(t, os.Chmod(path, 0o400))
		_, err := LoadKey(path)
		assert.NoError(t, err)
	}
	_, err := LoadKey(dir)
	assert.ErrorIs(t, err, ErrKeyFormat)
	bad := filepath.Join(dir, "bad")
	require.NoError(t, os.WriteFile(bad, []byte("(privkeys (secret words))"), 0o600))
	_, err = LoadKey(bad)
	require.ErrorIs(t, err, ErrKeyFormat)
	assert.NotContains(t, err.Error(), "secret words")
}

func TestMoveNewWithoutHardLinks(t *testing.T) {
	dir := t.TempDir()
	// Another file system is one that a link cannot reach; a file that is gone
	// stands for it here, and the rename fails too.
	err := moveNew(filepath.Join(dir, "gone"), filepath.Join(dir, "new"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
