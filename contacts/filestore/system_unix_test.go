//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
)

func init() {
	parts["full"] = saveOnAFullDisk
	parts["unprivileged"] = saveUnprivileged
	syscall.Umask(0o022) // with another one t.TempDir makes folders that the group may write
}

// What others could have put beside the file, or instead of it, is neither followed nor waited for, and left alone.
func TestHostileNames(t *testing.T) {
	pipe := func(path, _ string) error { return syscall.Mkfifo(path, 0o600) }
	link := func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }
	writable := func(path, _ string) error {
		return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o622))
	}
	for _, c := range []struct {
		name   string
		suffix string
		put    func(path, elsewhere string) error
		refuse bool
	}{
		{"a pipe", "", pipe, true},
		{"a link", "", link, true},
		{"a pipe as the lock", ".lock", pipe, true},
		{"a link as the lock", ".lock", link, true},
		{"a lock that others may write", ".lock", writable, true},
		{"a pipe as the temporary file", ".tmp", pipe, false},
		{"a link as the temporary file", ".tmp", link, false},
		{"a pipe as the backup", ".bak", pipe, false},
		{"a link as the backup", ".bak", link, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			path, elsewhere := filepath.Join(folder, "contacts.json"), filepath.Join(folder, "elsewhere")
			require.NoError(t, os.WriteFile(elsewhere, []byte("mine"), 0o600))
			require.NoError(t, c.put(path+c.suffix, elsewhere))
			_, err := open(t, path).Save(t.Context(), contacts.Contact{Address: "a@b"})
			if c.refuse {
				var unusable *filestore.FileError
				require.ErrorAs(t, err, &unusable)
				assert.Equal(t, path+c.suffix, unusable.Path)
			} else {
				require.NoError(t, err)
			}
			data, err := os.ReadFile(elsewhere)
			require.NoError(t, err)
			assert.Equal(t, "mine", string(data))
		})
	}
}

// Where others could remove the file, it proves nothing, whether it is there or not.
func TestFolderOfOthers(t *testing.T) {
	for _, c := range []struct {
		mode    os.FileMode
		refused bool
	}{{0o777, true}, {0o770, true}, {0o755, false}, {0o777 | os.ModeSticky, false}} {
		t.Run(c.mode.String(), func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "folder")
			require.NoError(t, os.Mkdir(folder, 0o700))
			require.NoError(t, os.Chmod(folder, c.mode))
			s := open(t, filepath.Join(folder, "contacts.json"))
			_, loadErr := s.Load(t.Context(), "a@b")
			_, saveErr := s.Save(t.Context(), contacts.Contact{Address: "a@b"})
			if !c.refused {
				require.ErrorIs(t, loadErr, contacts.ErrNotFound)
				require.NoError(t, saveErr)
				return
			}
			for _, err := range []error{loadErr, saveErr} {
				var unusable *filestore.FileError
				require.ErrorAs(t, err, &unusable)
				assert.Equal(t, folder, unusable.Path)
			}
			entries, err := os.ReadDir(folder)
			require.NoError(t, err)
			assert.Empty(t, entries)
		})
	}
}

// Whoever waits for a lock file that somebody removes does not have the lock when it comes free.
func TestRemovedLockFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := newPath(t)
		unlock, err := filestore.Hold(open(t, path))
		require.NoError(t, err)
		saved := make(chan struct{})
		go func() {
			defer close(saved)
			save(t, open(t, path), contacts.Contact{Address: "a@b"})
		}()
		time.Sleep(time.Second) // in the bubble: long enough for Save to wait
		require.NoError(t, os.Remove(path+".lock"))
		unlockNext, err := filestore.Hold(open(t, path))
		require.NoError(t, err)
		unlock()
		time.Sleep(time.Second)
		assert.NoFileExists(t, path, "Save waits for the next lock")
		unlockNext()
		<-saved
		assert.FileExists(t, path)
	})
}

// saveOnAFullDisk says what comes of a change when the disk takes no more than 1,000 bytes of a file.
func saveOnAFullDisk(s *filestore.Store) error {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: 1000}); err != nil {
		return err
	}
	_, err := contacts.Update(context.Background(), s, address, increment)
	fmt.Println(errors.Is(err, syscall.EFBIG))
	return nil
}

// A disk that takes a part of the new file leaves the old one, and keeps nothing of the part.
func TestFullDisk(t *testing.T) {
	path := newPath(t)
	_, err := contacts.Update(t.Context(), open(t, path), address, increment)
	require.NoError(t, err)
	start(t, "full", path).expect("true")
	assert.Equal(t, 1, number(t, path))
	assert.NoFileExists(t, path+".tmp")
}

const nobody = 65534

// saveUnprivileged says what comes of a change by a user that is not root, to whom no mode matters.
func saveUnprivileged(s *filestore.Store) error {
	if os.Geteuid() == 0 {
		if err := syscall.Setuid(nobody); err != nil {
			return err
		}
	}
	_, loadErr := s.Load(context.Background(), address)
	_, err := contacts.Update(context.Background(), s, address, increment)
	fmt.Println(loadErr, errors.Is(err, os.ErrPermission))
	return nil
}

func TestReadOnlyFolder(t *testing.T) {
	folder, err := os.MkdirTemp("", "contacts") // t.TempDir's is nobody's to go through
	require.NoError(t, err)
	path := filepath.Join(folder, "contacts.json")
	t.Cleanup(func() { assert.NoError(t, errors.Join(os.Chmod(folder, 0o700), os.RemoveAll(folder))) })
	_, err = contacts.Update(t.Context(), open(t, path), address, increment)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(folder, 0o500))
	if os.Geteuid() == 0 {
		for _, name := range []string{folder, path, path + ".lock"} {
			require.NoError(t, os.Chown(name, nobody, nobody))
		}
	}
	start(t, "unprivileged", path).expect("<nil> true")
	if os.Geteuid() == 0 {
		for _, name := range []string{folder, path, path + ".lock"} {
			require.NoError(t, os.Chown(name, 0, 0))
		}
	}
	assert.Equal(t, 1, number(t, path))
}
