package filestore_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
	"github.com/otrchat/otrchat/contacts/storetest"
)

// Nothing in a file makes decode panic, and what it reads it writes so that it reads the same again: nothing is lost with the next change.
func FuzzDecode(f *testing.F) {
	for _, data := range badFiles {
		f.Add([]byte(data))
	}
	path := filepath.Join(f.TempDir(), "contacts.json")
	s, err := filestore.New(&filestore.Options{Path: path})
	require.NoError(f, err)
	_, err = s.Save(f.Context(), storetest.Sample("alice@example.com"))
	require.NoError(f, err)
	sample, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(sample)
	f.Add([]byte(`{"version":1,"sequence":18446744073709551615,"contacts":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := filestore.Recode(data)
		if err != nil {
			return
		}
		twice, err := filestore.Recode(once)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
	})
}

// BenchmarkStore has as many contacts as the store takes, with two keys each.
func BenchmarkStore(b *testing.B) {
	path := filepath.Join(b.TempDir(), "contacts.json")
	all := make([]contacts.Contact, contacts.MaxContacts)
	for i := range all {
		all[i] = contacts.Contact{Address: fmt.Sprintf("a%d@example.com", i), DisplayName: "Alice", Revision: 1}
		all[i].Learn(contacts.Fingerprint{1, byte(i), byte(i >> 8)}, time.Now())
		all[i].Learn(contacts.Fingerprint{2, byte(i), byte(i >> 8)}, time.Now())
	}
	data, err := json.Marshal(map[string]any{"version": 1, "sequence": 1, "contacts": all})
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(path, data, 0o600))
	s, err := filestore.New(&filestore.Options{Path: path})
	require.NoError(b, err)
	c, err := s.Load(b.Context(), "a0@example.com")
	require.NoError(b, err)

	b.Run("Load", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Load(b.Context(), "a0@example.com")
			require.NoError(b, err)
		}
	})
	b.Run("Save", func(b *testing.B) {
		for b.Loop() {
			c, err = s.Save(b.Context(), c)
			require.NoError(b, err)
		}
	})
}
