package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
	"github.com/otrchat/otrchat/contacts/storetest"
	"github.com/otrchat/otrchat/internal/interop/foreign"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) contacts.Store { return open(t, newPath(t)) })
	storetest.RunShared(t, func(t *testing.T) (a, b contacts.Store) {
		path := newPath(t)
		return open(t, path), open(t, path)
	})
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "new", "contacts.json") }

func open(t *testing.T, path string) *filestore.Store {
	t.Helper()
	s, err := filestore.New(&filestore.Options{Path: path})
	require.NoError(t, err)
	return s
}

func save(t *testing.T, s *filestore.Store, c contacts.Contact) contacts.Contact {
	t.Helper()
	c, err := s.Save(t.Context(), c)
	require.NoError(t, err)
	return c
}

func TestNew(t *testing.T) {
	for _, o := range []*filestore.Options{nil, {}} {
		_, err := filestore.New(o)
		require.ErrorContains(t, err, "Options.Path")
	}
	path := newPath(t)
	s := open(t, path)
	_, err := s.Load(t.Context(), "a@b")
	require.ErrorIs(t, err, contacts.ErrNotFound)
	assert.NoDirExists(t, filepath.Dir(path), "neither New nor Load writes")
}

// The file as a person reads it.
func TestFile(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	at := time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)
	save(t, s, contacts.Contact{
		Address: "sip:Bob@Example.org", DisplayName: "Bob <3", Policy: contacts.Always, Note: "from work",
		Keys: []contacts.Key{{Fingerprint: contacts.Fingerprint{1}, FirstSeen: at, LastSeen: at, Trust: contacts.VerifiedSMP, VerifiedAt: at, Note: "his phone"}},
	})
	save(t, s, contacts.Contact{Address: "alice@example.com"})
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, `{
  "version": 1,
  "sequence": 2,
  "contacts": [
    {
      "address": "Bob@example.org",
      "displayName": "Bob <3",
      "policy": "always",
      "keys": [
        {
          "fingerprint": "01000000 00000000 00000000 00000000 00000000",
          "firstSeen": "2026-11-23T08:30:00Z",
          "lastSeen": "2026-11-23T08:30:00Z",
          "trust": "verified-smp",
          "verifiedAt": "2026-11-23T08:30:00Z",
          "note": "his phone"
        }
      ],
      "note": "from work",
      "revision": 1
    },
    {
      "address": "alice@example.com",
      "policy": "inherit",
      "revision": 2
    }
  ]
}
`, string(data))

	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		info, err := e.Info()
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), e.Name())
		}
	}
	assert.Equal(t, []string{"contacts.json", "contacts.json.bak", "contacts.json.lock"}, names)
	backup, err := os.ReadFile(path + ".bak")
	require.NoError(t, err)
	assert.Contains(t, string(backup), `"sequence": 1`)
	assert.NotContains(t, string(backup), "alice")
}

const oneContact = `{"address":"a@b","policy":"inherit","revision":1}`

// badFiles are files that cannot be understood.
var badFiles = map[string]string{
	"empty":                  "",
	"cut short":              `{"version":1,"sequence":1,"contacts":[`,
	"not JSON":               "\x00\x00\x00",
	"an array":               "[]",
	"no version":             `{"sequence":0,"contacts":[]}`,
	"a newer version":        `{"version":2,"sequence":0,"contacts":[]}`,
	"an unknown field":       `{"version":1,"sequence":0,"contacts":[],"extra":1}`,
	"more behind":            `{"version":1,"sequence":0,"contacts":[]} {}`,
	"an unknown policy":      `{"version":1,"sequence":1,"contacts":[{"address":"a@b","policy":"maybe","revision":1}]}`,
	"a bad address":          `{"version":1,"sequence":1,"contacts":[{"address":"<a@b>","policy":"inherit","revision":1}]}`,
	"an address twice":       `{"version":1,"sequence":1,"contacts":[` + oneContact + `,` + strings.Replace(oneContact, "a@b", "sip:a@B", 1) + `]}`,
	"no revision":            `{"version":1,"sequence":1,"contacts":[{"address":"a@b","policy":"inherit"}]}`,
	"a revision yet to come": `{"version":1,"sequence":0,"contacts":[` + oneContact + `]}`,
	"not UTF-8":              `{"version":1,"sequence":1,"contacts":[{"address":"a@b","policy":"inherit","revision":1,"note":"` + "\xff" + `"}]}`,
}

// A file that cannot be understood stays as it is, whatever is called, and the error names the
// backup.
func TestUnusableFile(t *testing.T) {
	for name, data := range badFiles {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			s := open(t, path)
			save(t, s, save(t, s, contacts.Contact{Address: "alice@example.com"}))
			require.NoError(t, os.WriteFile(path, []byte(data), 0o600))

			_, loadErr := s.Load(t.Context(), "a@b")
			_, saveErr := s.Save(t.Context(), contacts.Contact{Address: "new@example.com"})
			errs := []error{loadErr, saveErr, s.Delete(t.Context(), "a@b", 1)}
			for _, err := range s.All(t.Context()) {
				errs = append(errs, err)
			}
			require.Len(t, errs, 4)
			for _, err := range errs {
				var unusable *filestore.FileError
				require.ErrorAs(t, err, &unusable)
				assert.Equal(t, path, unusable.Path)
				assert.Equal(t, path+".bak", unusable.Backup)
				assert.Contains(t, err.Error(), path+".bak")
			}
			if strings.Contains(name, "address") {
				assert.Contains(t, loadErr.Error(), fmt.Sprintf(": contact %d: ", strings.Count(data, "revision")), "which one it is")
			}
			left, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, data, string(left))

			require.NoError(t, os.Rename(path+".bak", path), "putting the backup in its place is all it takes")
			_, err = s.Load(t.Context(), "alice@example.com")
			require.NoError(t, err)
		})
	}
}

func TestFileThatIsNotOurs(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // the folder decides there
	}
	const data = `{"version":1,"sequence":0,"contacts":[]}`
	for name, c := range map[string]struct {
		spoil func(path string) error
		want  string
	}{
		"writable by others":  {func(path string) error { return os.Chmod(path, 0o606) }, "others may write it"},
		"writable by a group": {func(path string) error { return os.Chmod(path, 0o620) }, "others may write it"},
		"a symbolic link":     {symlink, "symbolic link"},
		"a folder":            {mkdir, "not a regular file"},
		"larger than allowed": {func(path string) error { return os.Truncate(path, filestore.MaxFileBytes+1) }, "larger than 67108864 bytes"},
		"owned by someone else": {func(path string) error {
			return os.Chown(path, 12345, -1)
		}, "belongs to another user"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "contacts.json")
			require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
			err := c.spoil(path)
			if errors.Is(err, os.ErrPermission) {
				foreign.Missing(t, "root, who alone can give a file away")
			}
			require.NoError(t, err)
			_, err = open(t, path).Save(t.Context(), contacts.Contact{Address: "a@b"})
			var unusable *filestore.FileError
			require.ErrorAs(t, err, &unusable)
			require.ErrorContains(t, err, c.want)
			assert.Empty(t, unusable.Backup)
		})
	}
}

// Whoever wrote the last revision that there can be into the file loses nothing by it.
func TestLastRevision(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.json")
	data := fmt.Sprintf(`{"version":1,"sequence":%d,"contacts":[%s]}`, uint64(math.MaxUint64), oneContact)
	require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
	s := open(t, path)
	_, err := s.Save(t.Context(), contacts.Contact{Address: "a@b", Revision: 1})
	require.ErrorIs(t, err, contacts.ErrFull)
	require.ErrorIs(t, s.Delete(t.Context(), "a@b", 1), contacts.ErrFull)
	_, err = s.Load(t.Context(), "a@b")
	require.NoError(t, err)
}

func symlink(path string) error {
	if err := os.Rename(path, path+".real"); err != nil {
		return err
	}
	return os.Symlink(path+".real", path)
}

func mkdir(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Mkdir(path, 0o700)
}

// When a change cannot be written, the error says so and the contacts are as they were.
func TestFailedWrite(t *testing.T) {
	for _, blocked := range []string{".tmp", ".bak", ".lock"} {
		t.Run(blocked, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "contacts.json")
			s := open(t, path)
			first := save(t, s, contacts.Contact{Address: "a@b", Note: "kept"})
			_ = os.Remove(path + blocked)
			require.NoError(t, os.MkdirAll(filepath.Join(path+blocked, "full"), 0o700))

			_, err := s.Save(t.Context(), contacts.Contact{Address: "a@b", Note: "lost", Revision: first.Revision})
			require.Error(t, err)
			got, err := s.Load(t.Context(), "a@b")
			require.NoError(t, err)
			assert.Equal(t, first, got)

			require.NoError(t, os.RemoveAll(path+blocked))
			save(t, s, first)
		})
	}
}

// What a writer left that died half way is in nobody's way.
func TestLeftoverTemporaryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.json")
	require.NoError(t, os.WriteFile(path+".tmp", []byte(`{"version":1,"seq`), 0o644))
	save(t, open(t, path), contacts.Contact{Address: "a@b"})
	assert.NoFileExists(t, path+".tmp")
	_, err := open(t, path).Load(t.Context(), "a@b")
	require.NoError(t, err)
}

func TestContactsAreBounded(t *testing.T) {
	var list []string
	for i := range contacts.MaxContacts {
		list = append(list, fmt.Sprintf(`{"address":"a%d@example.com","policy":"inherit","revision":1}`, i))
	}
	path := filepath.Join(t.TempDir(), "contacts.json")
	data := `{"version":1,"sequence":1,"contacts":[` + strings.Join(list, ",") + `]}`
	require.NoError(t, os.WriteFile(path, []byte(data), 0o600))
	s := open(t, path)
	_, err := s.Save(t.Context(), contacts.Contact{Address: "one-more@example.com"})
	require.ErrorIs(t, err, contacts.ErrFull)
	save(t, s, contacts.Contact{Address: "a0@example.com", Revision: 1})
}

func TestBytesAreBounded(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	c := save(t, s, contacts.Contact{Address: "a@b"})
	info, err := os.Stat(path)
	require.NoError(t, err)
	filestore.Limit(s, int(info.Size()))
	again := save(t, s, c)
	_, err = s.Save(t.Context(), contacts.Contact{Address: "a@b", Note: "x", Revision: again.Revision})
	require.ErrorIs(t, err, contacts.ErrFull)
	got, err := s.Load(t.Context(), "a@b")
	require.NoError(t, err)
	assert.Equal(t, again, got)
}

// A call that waits for another process's lock ends with its context.
func TestLockWaitEnds(t *testing.T) {
	path := newPath(t)
	holder := start(t, "hold", path)
	holder.expect("locked")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := open(t, path).Save(ctx, contacts.Contact{Address: "a@b"})
	require.ErrorIs(t, err, context.DeadlineExceeded)

	holder.kill() // and with it goes its lock
	save(t, open(t, path), contacts.Contact{Address: "a@b"})
}
