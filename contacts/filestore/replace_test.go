package filestore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
)

// change are the steps of a change. What is renamed has come to the disk before, and the new name comes there before the change is told to be stored.
var change = []string{
	"remove contacts.json.tmp",
	"create contacts.json.tmp",
	"write contacts.json.tmp",
	"sync contacts.json.tmp",
	"remove contacts.json.bak",
	"link contacts.json.bak",
	"rename contacts.json",
	"sync new",
}

func TestStepsOfAChange(t *testing.T) {
	top := t.TempDir()
	path := filepath.Join(top, "above", "new", "contacts.json")
	s := open(t, path)
	var steps []string
	filestore.Before(s, func(step string) error {
		steps = append(steps, step)
		return nil
	})
	c := save(t, s, contacts.Contact{Address: "a@b"})
	folders := []string{"make above", "sync " + filepath.Base(top), "make new", "sync above"}
	assert.Equal(t, slices.Concat(folders, change), steps, "the first one makes the folders")
	for _, next := range []func(){
		func() { save(t, s, c) },
		func() { require.NoError(t, s.Delete(t.Context(), "a@b", c.Revision+1)) },
	} {
		steps = nil
		next()
		assert.Equal(t, change, steps)
	}
	steps = nil
	_, err := s.Save(t.Context(), c)
	require.ErrorIs(t, err, contacts.ErrConflict)
	assert.Empty(t, steps, "what changes nothing writes nothing")
}

// Where the folders cannot be made nothing is, and another program may make them at the same time.
func TestFolders(t *testing.T) {
	top := t.TempDir()
	path := filepath.Join(top, "above", "new", "contacts.json")
	for _, broken := range []string{"make above", "sync " + filepath.Base(top), "make new", "sync above"} {
		s := open(t, path)
		filestore.Before(s, func(step string) error {
			if step == broken {
				return errDisk
			}
			return nil
		})
		_, err := s.Save(t.Context(), contacts.Contact{Address: "a@b"})
		require.ErrorIs(t, err, errDisk, broken)
		assert.NoFileExists(t, path)
		require.NoError(t, os.RemoveAll(filepath.Join(top, "above")))
	}
	s := open(t, path)
	filestore.Before(s, func(step string) error {
		if step == "make new" {
			return os.Mkdir(filepath.Dir(path), 0o700)
		}
		return nil
	})
	save(t, s, contacts.Contact{Address: "a@b"})
	info, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	}
}

var errDisk = errors.New("input/output error")

// A disk that fails at any step leaves the old contacts or the new ones, and the next change goes well.
func TestFailureAtEachStep(t *testing.T) {
	for _, broken := range change {
		t.Run(broken, func(t *testing.T) {
			path := newPath(t)
			s := open(t, path)
			first := save(t, s, contacts.Contact{Address: "a@b", Note: "old"})
			first = save(t, s, first) // so that there is a backup
			filestore.Before(s, func(step string) error {
				if step == broken {
					return errDisk
				}
				return nil
			})
			_, err := s.Save(t.Context(), contacts.Contact{Address: "a@b", Note: "new", Revision: first.Revision})
			if broken == "link contacts.json.bak" {
				require.NoError(t, err, "a file system without links has its backup copied")
			} else {
				require.ErrorIs(t, err, errDisk)
			}
			filestore.Before(s, nil)
			c, err := s.Load(t.Context(), "a@b")
			require.NoError(t, err)
			wantNew := broken == "sync new" || broken == "link contacts.json.bak"
			assert.Equal(t, map[bool]string{false: "old", true: "new"}[wantNew], c.Note)
			save(t, s, c)
			assert.NoFileExists(t, path+".tmp")
			assert.FileExists(t, path+".bak")
		})
	}
}

// A process that dies before any step leaves the old contacts or the new ones, and what else it left is in nobody's way.
func TestDeathAtEachStep(t *testing.T) {
	for i, step := range change {
		t.Run(step, func(t *testing.T) {
			path := newPath(t)
			_, err := contacts.Update(t.Context(), open(t, path), address, increment)
			require.NoError(t, err)
			_, err = contacts.Update(t.Context(), open(t, path), address, increment)
			require.NoError(t, err)

			writer := start(t, "write", path, fmt.Sprintf("FILESTORE_TEST_DIE=%d", i))
			assert.Empty(t, writer.rest(), "it died before anything was told to be stored")
			writer.kill()
			assert.Equal(t, map[bool]int{false: 2, true: 3}[step == "sync new"], number(t, path))
			_, err = os.Lstat(path + ".tmp")
			assert.Equal(t, i < 2 || step == "sync new", errors.Is(err, os.ErrNotExist), "a part of the new file was there")
			_, err = os.Lstat(path + ".bak")
			assert.Equal(t, step == "link contacts.json.bak", errors.Is(err, os.ErrNotExist))

			_, err = contacts.Update(t.Context(), open(t, path), address, increment)
			require.NoError(t, err)
			assert.NoFileExists(t, path+".tmp")
		})
	}
}
