package otrchat_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
	"github.com/otrchat/otrchat/notify"
)

// told is a Notifier that keeps what it was told.
type told chan notify.Notification

func (n told) Notify(_ context.Context, x notify.Notification) error {
	n <- x
	return nil
}

// heard returns the next notification.
func (n told) heard(t testing.TB) notify.Notification {
	t.Helper()
	select {
	case x := <-n:
		return x
	case <-limited(t).Done():
		require.Fail(t, "no notification")
		return notify.Notification{}
	}
}

// meets lets Alice call a Bob who has the n-th key, and returns her side once it is encrypted.
func meets(t testing.TB, alice user, n int) *otrchat.EncryptedChat {
	t.Helper()
	bob := newUser(t, "bob", &otrchat.Options{Key: key(t, n)})
	a, _ := call(t, alice, bob)
	// The lock changes after everything that there is to say of the key.
	return a
}

// opening returns the system messages before the lock changes, and the lock.
func opening(t testing.TB, a *otrchat.EncryptedChat) (notices []otrchat.SystemMessage, s otrchat.Security) {
	t.Helper()
	for {
		e, err := a.Receive(limited(t))
		require.NoError(t, err)
		switch e := e.(type) {
		case otrchat.SystemMessage:
			notices = append(notices, e)
		case otrchat.SecurityChange:
			return notices, e.Security
		}
	}
}

// opens lets Alice meet the n-th key, hang up, and tells what she saw.
func opens(t testing.TB, alice user, n int, do func(*otrchat.EncryptedChat)) ([]otrchat.SystemMessage, otrchat.Security) {
	t.Helper()
	a := meets(t, alice, n)
	notices, s := opening(t, a)
	if do != nil {
		do(a)
	}
	require.NoError(t, a.Close())
	return notices, s
}

func fingerprint(t testing.TB, n int) otrchat.Fingerprint { return key(t, n).Fingerprint() }

// A changed key is announced once for each fingerprint, after a restart too, and shows until it is verified.
func TestKeyChangeIsAnnouncedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts", "contacts.json")
	notes := make(told, 16)
	start := func() user {
		store, err := filestore.New(&filestore.Options{Path: path})
		require.NoError(t, err)
		return newUser(t, "alice", &otrchat.Options{Contacts: store, Notifier: notes})
	}
	alice := start()
	notices, s := opens(t, alice, bobKey, nil)
	require.Empty(t, notices)
	require.Equal(t, otrchat.Unverified, s)

	notices, s = opens(t, alice, malloryKey, nil)
	require.Len(t, notices, 1)
	require.True(t, notices[0].Warning)
	require.Contains(t, notices[0].Text, "bob@127.0.0.1 has a new key. A key was known")
	require.Contains(t, notices[0].Text, fingerprint(t, malloryKey).String())
	require.Equal(t, otrchat.Changed, s)
	n := notes.heard(t)
	require.Equal(t, notify.FingerprintChanged, n.Kind)
	require.Equal(t, notify.Critical, n.Urgency)
	require.Equal(t, "bob@127.0.0.1", n.Contact)
	require.Equal(t, "Encryption warning: new key of bob@127.0.0.1", n.Title)
	require.Equal(t, notices[0].Text, n.Body)

	require.NoError(t, alice.Close())
	alice = start()
	notices, s = opens(t, alice, malloryKey, func(a *otrchat.EncryptedChat) {
		require.NoError(t, a.SetVerified(ctx, fingerprint(t, malloryKey), true))
		require.Equal(t, otrchat.SecurityChange{
			Security: otrchat.Verified, Previous: otrchat.Changed, Fingerprint: fingerprint(t, malloryKey),
		}, next[otrchat.SecurityChange](t, a))
	})
	require.Empty(t, notices, "announced before")
	require.Equal(t, otrchat.Changed, s, "still not verified")
	notices, s = opens(t, alice, malloryKey, nil)
	require.Empty(t, notices)
	require.Equal(t, otrchat.Verified, s)

	notices, s = opens(t, alice, bobKey, nil) // the first key is now the one that differs from a verified one
	require.Empty(t, notices)
	require.Equal(t, otrchat.Changed, s)
	require.NoError(t, alice.Close())
	require.Empty(t, notes)
}

func TestSetVerified(t *testing.T) {
	store := contacts.NewMemory()
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store})
	a := meets(t, alice, bobKey)
	require.ErrorIs(t, a.SetVerified(ctx, fingerprint(t, malloryKey), true), otrchat.ErrNotEncrypted)
	_, s := opening(t, a)
	require.Equal(t, otrchat.Unverified, s)
	require.ErrorIs(t, a.SetVerified(ctx, fingerprint(t, malloryKey), true), otrchat.ErrNotEncrypted, "not the key of this chat")
	require.NoError(t, a.SetVerified(ctx, fingerprint(t, bobKey), true))
	require.Equal(t, otrchat.Verified, a.Security())
	saved, err := store.Load(ctx, "bob@127.0.0.1")
	require.NoError(t, err)
	require.Equal(t, contacts.VerifiedManually, saved.Keys[0].Trust)
	require.NoError(t, a.SetVerified(ctx, fingerprint(t, bobKey), false))
	require.Equal(t, otrchat.Unverified, a.Security())
	require.NoError(t, a.StopEncryption(ctx))
	require.ErrorIs(t, a.SetVerified(ctx, fingerprint(t, bobKey), true), otrchat.ErrNotEncrypted)
}

func TestRevokedKey(t *testing.T) {
	store := contacts.NewMemory()
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store})
	opens(t, alice, bobKey, nil)
	_, err := contacts.Update(ctx, store, "bob@127.0.0.1", func(c *contacts.Contact) error {
		return c.Revoke(contacts.Fingerprint(fingerprint(t, bobKey)))
	})
	require.NoError(t, err)
	a := meets(t, alice, bobKey)
	notices, s := opening(t, a)
	require.Len(t, notices, 1)
	require.Contains(t, notices[0].Text, "revoked")
	require.Equal(t, otrchat.Changed, s)
	require.ErrorIs(t, a.SetVerified(ctx, fingerprint(t, bobKey), true), contacts.ErrRevoked)
	require.NoError(t, a.SetVerified(ctx, fingerprint(t, bobKey), false))
	require.Equal(t, otrchat.Unverified, a.Security())
}

// A contact that holds as many keys as it can, all verified, cannot keep a new one, which still counts as changed.
func TestKeyThatFindsNoRoom(t *testing.T) {
	store := contacts.NewMemory()
	full := contacts.Contact{Address: "bob@127.0.0.1"}
	for i := range contacts.MaxKeys {
		full.Keys = append(full.Keys, contacts.Key{Fingerprint: contacts.Fingerprint{byte(i), 1}, Trust: contacts.VerifiedManually})
	}
	_, err := store.Save(ctx, full)
	require.NoError(t, err)
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store})
	a := meets(t, alice, bobKey)
	notices, s := opening(t, a)
	require.Contains(t, notices[0].Text, "A verified key was known")
	require.Equal(t, otrchat.Changed, s)
	require.ErrorIs(t, a.SetVerified(ctx, fingerprint(t, bobKey), true), contacts.ErrNoKey)
}

var errStore = errors.New("the disk is on fire")

// failing is a store that fails when told to.
type failing struct {
	contacts.Store
	load, save atomic.Bool
}

func (f *failing) Load(ctx context.Context, address string) (contacts.Contact, error) {
	if f.load.Load() {
		return contacts.Contact{}, errStore
	}
	return f.Store.Load(ctx, address)
}

func (f *failing) Save(ctx context.Context, c contacts.Contact) (contacts.Contact, error) {
	if f.save.Load() {
		return contacts.Contact{}, errStore
	}
	return f.Store.Save(ctx, c)
}

func TestStoreFails(t *testing.T) {
	store := &failing{Store: contacts.NewMemory()}
	notes := make(told, 16)
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store, Notifier: notes})
	opens(t, alice, bobKey, nil)

	store.save.Store(true)
	a := meets(t, alice, malloryKey)
	notices, s := opening(t, a)
	require.Len(t, notices, 2)
	require.Contains(t, notices[0].Text, "could not be read or saved")
	require.Contains(t, notices[1].Text, "has a new key")
	require.Equal(t, otrchat.Changed, s, "what was read counts")
	require.ElementsMatch(t, []notify.Kind{notify.ContactsUnavailable, notify.FingerprintChanged}, []notify.Kind{notes.heard(t).Kind, notes.heard(t).Kind})
	require.ErrorIs(t, a.SetVerified(ctx, fingerprint(t, malloryKey), true), errStore)
	require.ErrorIs(t, a.SetPolicy(ctx, otrchat.Always), errStore)
	require.Equal(t, otrchat.Opportunistic, a.Policy())
	require.Equal(t, otrchat.Changed, a.Security())
	store.save.Store(false)
	require.NoError(t, a.SetVerified(ctx, fingerprint(t, malloryKey), true))
	require.Equal(t, otrchat.Verified, a.Security())
	require.NoError(t, a.Close())

	// What cannot be read may say "always encrypt": there is no chat then.
	store.load.Store(true)
	bob := newUser(t, "bob", nil)
	answered := answer(t, bob)
	_, err := alice.Call(limited(t), bob.at)
	require.ErrorIs(t, err, errStore)
	if b := <-answered; b != nil {
		<-b.Done()
	}
}

// While the store is asked about a key, no text leaves, and Close does not wait for it.
func TestSlowStore(t *testing.T) {
	store := &hanging{Store: contacts.NewMemory(), asked: make(chan struct{}, 10)}
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store})
	a := meets(t, alice, bobKey)
	<-store.asked
	brief, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	_, err := a.Send(brief, "hello")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, alice.Close())
}

// hanging is a store whose Save takes as long as its context.
type hanging struct {
	contacts.Store
	asked chan struct{}
}

func (h *hanging) Save(ctx context.Context, _ contacts.Contact) (contacts.Contact, error) {
	h.asked <- struct{}{}
	<-ctx.Done()
	return contacts.Contact{}, ctx.Err()
}
