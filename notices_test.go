package otrchat_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
)

// An application's texts are those of the chat and of notifications; what they lack is English.
func TestTexts(t *testing.T) {
	notes := make(told, 4)
	texts := notify.Catalogue{notify.EncryptionEnded: {Title: "Ende: {name}", Body: "{contact} hat die Verschlüsselung beendet."}}
	alice := newUser(t, "alice", &otrchat.Options{Texts: texts, Notifier: notes})
	clear(texts) // the Client has its own
	a, l := encrypts(t, alice, newPeer(t, nil, nil))
	l.speaks(l.otr.End())
	m := notice(t, a, notify.EncryptionEnded)
	require.Equal(t, "bob@127.0.0.1 hat die Verschlüsselung beendet.", m.Text)
	require.True(t, m.Warning)
	n := notes.heard(t)
	require.Equal(t, "Ende: bob@127.0.0.1", n.Title)
	require.Equal(t, m.Text, n.Body)
	require.NoError(t, a.StopEncryption(ctx))
	l.speaks(l.otr.Start())
	l.turns(otrsession.Encrypted)
	l.says("in the clear")
	require.Equal(t, "The next message came unencrypted. Somebody else may have written it.", notice(t, a, notify.UnencryptedReceived).Text)
}

// Of two Clients that learn a key at the same time, one announces it.
func TestTwoClientsAnnounceOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.json")
	memory := contacts.NewMemory()
	for name, open := range map[string]func() contacts.Store{
		"memory": func() contacts.Store { return memory },
		"file": func() contacts.Store {
			store, err := filestore.New(&filestore.Options{Path: path})
			require.NoError(t, err)
			return store
		},
	} {
		t.Run(name, func(t *testing.T) {
			change(t, open(), func(c *contacts.Contact) { c.Learn(contacts.Fingerprint(fingerprint(t, bobKey)), time.Now()) })
			notes := make(told, 16)
			var alices [2]user
			var chats [2]*otrchat.EncryptedChat
			for i := range alices { // both key exchanges are under way at the same time
				alices[i] = newUser(t, "alice", &otrchat.Options{Contacts: open(), Notifier: notes})
				chats[i] = meets(t, alices[i], malloryKey)
			}
			first, s := opening(t, chats[0])
			require.Equal(t, otrchat.Changed, s)
			second, s := opening(t, chats[1])
			require.Equal(t, otrchat.Changed, s)
			require.Len(t, append(first, second...), 1)
			for _, alice := range alices {
				require.NoError(t, alice.Shutdown(limited(t)))
			}
			notes.heard(t)
			require.Empty(t, notes)
			saved, err := open().Load(ctx, bobAddress)
			require.NoError(t, err)
			require.Len(t, saved.Keys, 2)
		})
	}
}
