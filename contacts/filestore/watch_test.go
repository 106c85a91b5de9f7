package filestore_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
)

// watching is a Watch of the file that is under way.
type watching struct {
	told chan string
	err  error // when told is closed
}

func watch(ctx context.Context, s *filestore.Store) *watching {
	w := &watching{told: make(chan string)}
	go func() {
		defer close(w.told)
		for address, err := range s.Watch(ctx) {
			if w.err = err; err == nil {
				w.told <- address
			}
		}
	}()
	return w
}

// Changes of the file by whomever are told within a second.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := newPath(t)
		ctx, cancel := context.WithCancel(t.Context())
		w := watch(ctx, open(t, path))
		assert.Empty(t, <-w.told, "a file that is not there yet has no contacts")
		other := open(t, path)
		for _, c := range []struct {
			change func()
			told   string
		}{
			{func() { save(t, other, contacts.Contact{Address: "a@b"}) }, "a@b"},
			{func() { save(t, other, contacts.Contact{Address: "a@b", Revision: 1}) }, "a@b"},
			{func() { require.NoError(t, other.Delete(ctx, "a@b", 2)) }, "a@b"},
			{func() { require.NoError(t, os.Rename(path+".bak", path)) }, ""}, // a person puts the backup back
			{func() { require.NoError(t, os.Remove(path)) }, ""},
		} {
			start := time.Now()
			c.change()
			assert.Equal(t, c.told, <-w.told)
			assert.LessOrEqual(t, time.Since(start), time.Second)
		}
		cancel()
		_, more := <-w.told
		assert.False(t, more)
		assert.Equal(t, context.Canceled, w.err)
	})
}

// The file is read when it is another one, and not before; what cannot be read ends Watch.
func TestWatchReadsWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "contacts.json")
		s := open(t, path)
		save(t, s, contacts.Contact{Address: "a@b"})
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		past := time.Now().Add(-3 * time.Second)
		require.NoError(t, os.Chtimes(path, past, past))

		w := watch(t.Context(), s)
		assert.Empty(t, <-w.told)
		damage := func(data []byte, at time.Time) {
			require.NoError(t, os.WriteFile(path, data, 0o600))
			require.NoError(t, os.Chtimes(path, at, at))
		}
		damage(bytes.Repeat([]byte("x"), len(data)), past)
		select {
		case <-w.told:
			assert.Fail(t, "Watch read a file that is the same by all that can be seen of it")
		case <-time.After(time.Hour):
		}
		damage([]byte("x"), past)
		_, more := <-w.told
		assert.False(t, more)
		var unusable *filestore.FileError
		require.ErrorAs(t, w.err, &unusable)
		assert.Equal(t, path, unusable.Path)
	})
}

// A file that was written a moment ago may be written again before its time changes.
func TestWatchOfAFileThatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "contacts.json")
		s := open(t, path)
		save(t, s, contacts.Contact{Address: "a@b"})
		now := time.Now()
		require.NoError(t, os.Chtimes(path, now, now))
		w := watch(t.Context(), s)
		assert.Empty(t, <-w.told)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		again := bytes.Replace(data, []byte("a@b"), []byte("b@b"), 1)
		require.NoError(t, os.WriteFile(path, again, 0o600))
		require.NoError(t, os.Chtimes(path, now, now))
		assert.Equal(t, "a@b", <-w.told)
		assert.Equal(t, "b@b", <-w.told)
		require.NoError(t, os.Remove(path))
		assert.Empty(t, <-w.told)
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
		<-w.told
		require.Error(t, w.err)
	})
}
