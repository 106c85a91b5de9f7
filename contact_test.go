package otrchat_test

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
)

const bobAddress = "bob@127.0.0.1"

// change does to Bob, in a store, what another program of Alice's would do.
func change(t testing.TB, store contacts.Store, f func(*contacts.Contact)) {
	t.Helper()
	_, err := contacts.Update(ctx, store, bobAddress, func(c *contacts.Contact) error { f(c); return nil })
	require.NoError(t, err)
}

func policy(p otrchat.Policy) func(*contacts.Contact) {
	return func(c *contacts.Contact) { c.Policy = p }
}

// notice returns the next system message, which has to be of a kind.
func notice(t testing.TB, c *otrchat.EncryptedChat, kind notify.Kind) otrchat.SystemMessage {
	t.Helper()
	m := next[otrchat.SystemMessage](t, c)
	require.Equal(t, kind, m.Kind, m.Text)
	return m
}

// oneMemory is a store that two Clients of a program share.
func oneMemory(*testing.T) (a, b contacts.Store) {
	store := contacts.NewMemory()
	return store, store
}

// oneFile is a file as two programs have it.
func oneFile(t *testing.T) (a, b contacts.Store) {
	t.Helper()
	o := &filestore.Options{Path: filepath.Join(t.TempDir(), "contacts", "contacts.json")}
	a, err := filestore.New(o)
	require.NoError(t, err)
	b, err = filestore.New(o)
	require.NoError(t, err)
	return a, b
}

// Always, set elsewhere or by another chat, holds for all chats with the contact: no plain text leaves from then on.
func TestAlwaysFromElsewhere(t *testing.T) {
	another := func(t *testing.T, store contacts.Store, _ user) {
		other, _ := meet(t, newUser(t, "alice", &otrchat.Options{Contacts: store, OTRTimeout: soon}), newPeer(t, nil, nil))
		require.NoError(t, other.SetPolicy(ctx, otrchat.Always))
	}
	for name, tt := range map[string]struct {
		open func(*testing.T) (a, b contacts.Store)
		set  func(t *testing.T, store contacts.Store, alice user)
	}{
		"the store": {oneMemory, func(t *testing.T, store contacts.Store, _ user) { change(t, store, policy(otrchat.Always)) }},
		"another chat": {oneMemory, func(t *testing.T, _ contacts.Store, alice user) {
			other, _ := meet(t, alice, newPeer(t, nil, nil))
			require.NoError(t, other.SetPolicy(ctx, otrchat.Always))
		}},
		"another client":   {oneMemory, another},
		"through one file": {oneFile, another},
	} {
		t.Run(name, func(t *testing.T) {
			store, others := tt.open(t)
			rec := tap.New(nil)
			alice := newTapped(t, "alice", &otrchat.Options{Contacts: store, OTRTimeout: soon}, rec)
			a, l := meet(t, alice, newPeer(t, nil, rec))
			l.hears() // the query, which gets no answer
			notice(t, a, notify.PlaintextFallback)
			_, err := a.Send(ctx, "in plain text")
			require.NoError(t, err)
			tt.set(t, others, alice)
			notice(t, a, notify.EncryptionUnanswered) // it has asked again
			require.Equal(t, otrchat.Always, a.Policy())
			refused(t, a, otrchat.ErrEncryptionRequired)
			l.says("hello?")
			refused(t, a, otrchat.ErrEncryptionRequired)
			require.NoError(t, alice.Shutdown(limited(t)))
			require.Contains(t, string(rec.Bytes()), "in plain text")
			require.False(t, shows(rec.Bytes()))
		})
	}
}

// Never, set elsewhere, ends encryption, but no text leaves without before the user has confirmed that in this chat.
func TestNeverFromElsewhere(t *testing.T) {
	store, notes := contacts.NewMemory(), make(told, 16)
	a, b := encrypted(t, newUser(t, "alice", &otrchat.Options{Contacts: store, Notifier: notes}), newUser(t, "bob", nil))
	change(t, store, policy(otrchat.Never))
	lock(t, a, otrchat.Ended)
	m := notice(t, a, notify.EncryptionDisabled)
	require.True(t, m.Warning)
	n := notes.heard(t)
	require.Equal(t, notify.EncryptionDisabled, n.Kind)
	require.Equal(t, m.Text, n.Body)
	lock(t, b, otrchat.Ended)
	require.Equal(t, otrchat.Never, a.Policy())
	refused(t, a, otrchat.ErrEncryptionEnded)
	require.NoError(t, a.StopEncryption(ctx))
	says(t, a, b, "in plain text", false)

	change(t, store, policy(contacts.Inherit)) // which asks for encryption
	lock(t, a, otrchat.Unverified)
	says(t, a, b, "encrypted again", true)
}

// asked is a context that tells when somebody first waits for its end.
type asked struct {
	context.Context
	once sync.Once
	at   chan struct{}
}

func (a *asked) Done() <-chan struct{} {
	a.once.Do(func() { close(a.at) })
	return a.Context.Done()
}

// A text that was given under Always does not leave in plain text because Never comes from elsewhere.
func TestNeverFromElsewhereFreesNoText(t *testing.T) {
	store, rec := contacts.NewMemory(), tap.New(nil)
	change(t, store, policy(otrchat.Always))
	a, l := meet(t, newTapped(t, "alice", &otrchat.Options{Contacts: store, OTRTimeout: time.Hour}, rec), newPeer(t, nil, rec))
	l.hears()
	given := &asked{Context: limited(t), at: make(chan struct{})}
	failed := make(chan error, 1)
	go func() {
		_, err := a.Send(given, secret)
		failed <- err
	}()
	<-given.at
	change(t, store, policy(otrchat.Never))
	require.ErrorIs(t, <-failed, otrchat.ErrEncryptionRequired)
	require.False(t, shows(rec.Bytes()))
	_, err := a.Send(ctx, "given under Never")
	require.NoError(t, err)
}

// What is found out about a key elsewhere changes the lock.
func TestTrustFromElsewhere(t *testing.T) {
	store, notes := contacts.NewMemory(), make(told, 16)
	alice, bob := newUser(t, "alice", &otrchat.Options{Contacts: store, Notifier: notes}), newUser(t, "bob", nil)
	a, _ := encrypted(t, alice, bob)
	other, _ := encrypted(t, alice, bob)
	fp := fingerprint(t, bobKey)
	require.NoError(t, other.SetVerified(ctx, fp, true))
	require.Equal(t, otrchat.SecurityChange{Security: otrchat.Verified, Previous: otrchat.Unverified, Fingerprint: fp}, next[otrchat.SecurityChange](t, a))
	lock(t, other, otrchat.Verified)

	change(t, store, func(c *contacts.Contact) {
		c.DisplayName = "Robert"
		require.NoError(t, c.Revoke(contacts.Fingerprint(fp)))
	})
	for _, chat := range []*otrchat.EncryptedChat{a, other} {
		require.Contains(t, notice(t, chat, notify.RevokedKeyUsed).Text, fp.String())
		lock(t, chat, otrchat.Changed)
	}
	n := notes.heard(t)
	require.Equal(t, notify.RevokedKeyUsed, n.Kind)
	require.Equal(t, notify.Critical, n.Urgency)
	require.Equal(t, "Robert", n.DisplayName)

	saved, err := store.Load(ctx, bobAddress)
	require.NoError(t, err)
	require.NoError(t, store.Delete(ctx, bobAddress, saved.Revision))
	lock(t, a, otrchat.Unverified)
}

// A contact that is gone, with the whole file perhaps, frees no text in a chat that is up, and neither does a new one without a policy.
func TestAlwaysOutlivesTheContact(t *testing.T) {
	store := contacts.NewMemory()
	change(t, store, policy(otrchat.Always))
	a, l := meet(t, newUser(t, "alice", &otrchat.Options{Contacts: store, OTRTimeout: soon}), newPeer(t, nil, nil))
	l.hears()
	notice(t, a, notify.EncryptionUnanswered)
	saved, err := store.Load(ctx, bobAddress)
	require.NoError(t, err)
	require.NoError(t, store.Delete(ctx, bobAddress, saved.Revision))
	l.speaks(l.otr.Start())
	l.turns(otrsession.Encrypted)
	lock(t, a, otrchat.Unverified)
	l.speaks(l.otr.End())
	lock(t, a, otrchat.Ended)
	require.Equal(t, otrchat.Always, a.Policy())
	require.NoError(t, a.StopEncryption(ctx))
	refused(t, a, otrchat.ErrEncryptionRequired)
}

// A policy that this program does not know changes nothing.
func TestUnknownPolicyFromElsewhere(t *testing.T) {
	store, log := &odd{Memory: contacts.NewMemory()}, new(safeBuffer)
	change(t, store, policy(otrchat.Always))
	a, _ := encrypted(t, newUser(t, "alice", &otrchat.Options{Contacts: store, Logger: log.logger()}), newUser(t, "bob", nil))
	store.policy.Store(77)
	change(t, store.Memory, func(c *contacts.Contact) { require.NoError(t, c.Revoke(c.Keys[0].Fingerprint)) })
	lock(t, a, otrchat.Changed)
	require.Equal(t, otrchat.Always, a.Policy())
	require.Contains(t, string(log.Bytes()), "following a change of the contact")
}

// odd is a store of a program with a policy more.
type odd struct {
	*contacts.Memory
	policy atomic.Int32 // 0 for that of Memory
}

func (o *odd) Load(ctx context.Context, address string) (contacts.Contact, error) {
	c, err := o.Memory.Load(ctx, address)
	if p := o.policy.Load(); p != 0 {
		c.Policy = contacts.Policy(p)
	}
	return c, err
}

// held is a store that holds a Load back once it is armed.
type held struct {
	*contacts.Memory
	armed   atomic.Bool
	calls   bool // only a Load for a context with inCall is held
	loaded  chan struct{}
	release chan struct{}
}

type inCall struct{}

func newHeld() *held {
	return &held{Memory: contacts.NewMemory(), loaded: make(chan struct{}, 1), release: make(chan struct{})}
}

func (h *held) Load(ctx context.Context, address string) (contacts.Contact, error) {
	c, err := h.Memory.Load(ctx, address)
	if (!h.calls || ctx.Value(inCall{}) != nil) && h.armed.CompareAndSwap(true, false) {
		h.loaded <- struct{}{}
		select {
		case h.release <- struct{}{}:
		case <-ctx.Done():
			return contacts.Contact{}, ctx.Err()
		}
	}
	return c, err
}

// What was loaded before a change of the chat's own does not undo it.
func TestOldNewsChangeNothing(t *testing.T) {
	store := newHeld()
	a, b := encrypted(t, newUser(t, "alice", &otrchat.Options{Contacts: store}), newUser(t, "bob", nil))
	store.armed.Store(true)
	change(t, store.Memory, func(c *contacts.Contact) { c.Note = "something" })
	<-store.loaded // without what follows
	require.NoError(t, a.SetPolicy(ctx, otrchat.Always))
	require.NoError(t, a.SetVerified(ctx, fingerprint(t, bobKey), true))
	require.Equal(t, otrchat.Verified, next[otrchat.SecurityChange](t, a).Security)
	store.armed.Store(true)
	<-store.release
	<-store.loaded // again, with what the chat wrote; the chat has had the old news
	says(t, a, b, "while it thinks about them", true)
	<-store.release
	change(t, store.Memory, func(c *contacts.Contact) { require.NoError(t, c.Revoke(c.Keys[0].Fingerprint)) })
	require.Equal(t, otrchat.Changed, next[otrchat.SecurityChange](t, a).Security, "and not unverified before")
	require.Equal(t, otrchat.Always, a.Policy())
}

// A change that comes while a chat begins, after it has read the contact, is not missed.
func TestChangeWhileAChatBegins(t *testing.T) {
	store := newHeld()
	store.calls = true
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store, OTRTimeout: soon})
	first, _ := meet(t, alice, newPeer(t, nil, nil)) // the store is watched from here on
	notice(t, first, notify.PlaintextFallback)
	store.armed.Store(true)
	chats := make(chan *otrchat.EncryptedChat)
	peer := newPeer(t, nil, nil)
	go peer.answer(limited(t))
	go func() {
		second, _ := alice.Call(context.WithValue(limited(t), inCall{}, true), peer.at)
		chats <- second
	}()
	<-store.loaded
	change(t, store.Memory, policy(otrchat.Always))
	notice(t, first, notify.EncryptionUnanswered)
	<-store.release
	second := <-chats
	require.NotNil(t, second)
	for next[otrchat.SystemMessage](t, second).Kind != notify.EncryptionUnanswered {
	}
	require.Equal(t, otrchat.Always, second.Policy())
}

// A store that hangs over what has changed holds up neither texts nor Close.
func TestStoreHangsOverChange(t *testing.T) {
	store := newHeld()
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store})
	a, b := encrypted(t, alice, newUser(t, "bob", nil))
	store.armed.Store(true)
	change(t, store.Memory, policy(otrchat.Always))
	<-store.loaded
	says(t, a, b, "hello", true)
	says(t, b, a, "hello", true)
	require.NoError(t, alice.Close())
}

// A text that waits because there is news of the contact leaves when the chat has heard them.
func TestTextsWhileTheContactChanges(t *testing.T) {
	store, log := contacts.NewMemory(), new(safeBuffer)
	a, b := encrypted(t, newUser(t, "alice", &otrchat.Options{Contacts: store, Logger: log.logger()}), newUser(t, "bob", nil))
	over, enough := context.WithCancel(ctx)
	var changes sync.WaitGroup
	changes.Go(func() {
		for over.Err() == nil {
			_, err := contacts.Update(ctx, store, bobAddress, func(c *contacts.Contact) error { c.Note = time.Now().String(); return nil })
			assert.NoError(t, err)
		}
	})
	for i := range 20 {
		says(t, a, b, fmt.Sprint("text ", i), true)
	}
	enough()
	changes.Wait()
	require.NotContains(t, string(log.Bytes()), "contact that has changed")
	require.NotContains(t, string(log.Bytes()), "following a change of the contact")
}

// faulty is a store whose first look at changes fails, and so does its first Load after that. It tells when a look begins and ends.
type faulty struct {
	*contacts.Memory
	began, ended chan struct{}
	looks        atomic.Int32
	load         atomic.Bool
}

func (f *faulty) Watch(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		defer func() { f.ended <- struct{}{} }()
		if f.looks.Add(1) == 1 {
			f.load.Store(true)
			yield("", errStore)
			return
		}
		f.began <- struct{}{}
		f.Memory.Watch(ctx)(yield)
	}
}

func (f *faulty) Load(ctx context.Context, address string) (contacts.Contact, error) {
	if f.looks.Load() > 1 && f.load.CompareAndSwap(true, false) {
		return contacts.Contact{}, errStore
	}
	return f.Memory.Load(ctx, address)
}

// A store is watched again after it has failed, from the first chat to the last, and what changed meanwhile counts.
func TestStoreFailsToTell(t *testing.T) {
	store := &faulty{Memory: contacts.NewMemory(), began: make(chan struct{}, 9), ended: make(chan struct{}, 9)}
	log := new(safeBuffer)
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store, Logger: log.logger()})
	bob := newUser(t, "bob", nil)
	a, _ := encrypted(t, alice, bob)
	<-store.ended
	change(t, store.Memory, func(c *contacts.Contact) {
		require.NoError(t, c.Verify(c.Keys[0].Fingerprint, contacts.VerifiedManually, time.Now()))
	})
	<-store.began
	lock(t, a, otrchat.Verified)
	require.False(t, store.load.Load(), "the store failed")
	for _, what := range []string{"the contacts are not watched for a while", "loading a contact that has changed", errStore.Error()} {
		require.Contains(t, string(log.Bytes()), what)
	}
	another, _ := encrypted(t, alice, bob)
	require.NoError(t, another.Close())
	require.NoError(t, a.Close())
	<-store.ended
	encrypted(t, alice, bob)
	<-store.began
	require.NotContains(t, string(log.Bytes()), context.Canceled.Error(), "the end of the last chat is no failure")
	require.NoError(t, alice.Close())
	require.EqualValues(t, 3, store.looks.Load(), "one for all chats")
}
