package otrchat_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/msrp"
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
	for name, open := range map[string]func(*testing.T) (a, b contacts.Store){"memory": oneMemory, "file": oneFile} {
		t.Run(name, func(t *testing.T) {
			var stores [2]contacts.Store
			stores[0], stores[1] = open(t)
			change(t, stores[0], func(c *contacts.Contact) { c.Learn(contacts.Fingerprint(fingerprint(t, bobKey)), time.Now()) })
			notes := make(told, 16)
			var alices [2]user
			var chats [2]*otrchat.EncryptedChat
			for i := range alices { // both key exchanges are under way at the same time
				alices[i] = newUser(t, "alice", &otrchat.Options{Contacts: stores[i], Notifier: notes})
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
			saved, err := stores[0].Load(ctx, bobAddress)
			require.NoError(t, err)
			require.Len(t, saved.Keys, 2)
		})
	}
}

// A warning that the Notifier had not had yet when the Client was closed, or its process killed, is given again.
func TestAnnouncedAgainAfterClose(t *testing.T) {
	store, asked := contacts.NewMemory(), make(chan struct{}, 1)
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store, Notifier: notify.Func(func(ctx context.Context, _ notify.Notification) error {
		asked <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})})
	opens(t, alice, bobKey, nil)
	opens(t, alice, malloryKey, nil)
	<-asked
	require.NoError(t, alice.Close())

	notes := make(told, 16)
	alice = newUser(t, "alice", &otrchat.Options{Contacts: store, Notifier: notes})
	notices, _ := opens(t, alice, malloryKey, nil)
	require.Empty(t, notices, "it may be another process that is about to say it")
	change(t, store, func(c *contacts.Contact) { c.Keys[1].Unannounced = time.Now().Add(-contacts.AnnounceWithin) })
	notices, s := opens(t, alice, malloryKey, nil)
	require.Len(t, notices, 1)
	require.Equal(t, otrchat.Changed, s)
	require.NoError(t, alice.Shutdown(limited(t))) // has told the Notifier
	require.Equal(t, fingerprint(t, malloryKey).String(), notes.heard(t).Fingerprint)
	require.Empty(t, notes)
	saved, err := store.Load(ctx, bobAddress)
	require.NoError(t, err)
	require.Zero(t, saved.Keys[1].Unannounced)
}

// Without a Notifier a change is announced by the chat alone, and a key that the user has judged needs no announcement.
func TestAnnouncedByTheChat(t *testing.T) {
	for name, tt := range map[string]struct {
		notifier notify.Notifier
		do       func(*otrchat.EncryptedChat)
	}{
		"no Notifier": {},
		"judged": {notify.Func(func(ctx context.Context, _ notify.Notification) error { <-ctx.Done(); return nil }), func(a *otrchat.EncryptedChat) {
			require.NoError(t, a.SetVerified(ctx, fingerprint(t, malloryKey), false))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			store := contacts.NewMemory()
			alice := newUser(t, "alice", &otrchat.Options{Contacts: store, Notifier: tt.notifier})
			opens(t, alice, bobKey, nil)
			notices, _ := opens(t, alice, malloryKey, tt.do)
			require.Len(t, notices, 1)
			saved, err := store.Load(ctx, bobAddress)
			require.NoError(t, err)
			require.Zero(t, saved.Keys[1].Unannounced)
		})
	}
}

// That the user was told is noted when the Notifier has returned. A store that fails then is told to the log, a key that is forgotten meanwhile is nobody's fault.
func TestNotingAnAnnouncement(t *testing.T) {
	fp := contacts.Fingerprint(fingerprint(t, malloryKey))
	for name, tt := range map[string]struct {
		meanwhile           func(*failing)
		unannounced, logged bool
	}{
		"nothing happens": {func(*failing) {}, false, false},
		"the store fails": {func(store *failing) { store.save.Store(true) }, true, true},
		"the key is gone": {func(store *failing) { change(t, store, func(c *contacts.Contact) { assert.NoError(t, c.Forget(fp)) }) }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			store, log := &failing{Store: contacts.NewMemory()}, new(safeBuffer)
			alice := newUser(t, "alice", &otrchat.Options{Contacts: store, Logger: log.logger(), Notifier: notify.Func(func(context.Context, notify.Notification) error {
				tt.meanwhile(store)
				return nil
			})})
			opens(t, alice, bobKey, nil)
			opens(t, alice, malloryKey, nil)
			require.NoError(t, alice.Shutdown(limited(t)))
			saved, err := store.Load(ctx, bobAddress)
			require.NoError(t, err)
			key, _ := saved.Key(fp)
			require.Equal(t, tt.unannounced, !key.Unannounced.IsZero())
			require.Equal(t, tt.logged, strings.Contains(string(log.Bytes()), "noting that the user was told of a key"))
		})
	}
}

// Shutdown waits for the Notifier as long as its context lets it.
func TestShutdownWaitsForTheNotifier(t *testing.T) {
	asked := make(chan struct{}, 9)
	alice := newUser(t, "alice", &otrchat.Options{Notifier: notify.Func(func(ctx context.Context, _ notify.Notification) error {
		asked <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})})
	a, l := encrypts(t, alice, newPeer(t, nil, nil))
	l.speaks(l.otr.End())
	lock(t, a, otrchat.Ended)
	<-asked
	brief, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	require.ErrorIs(t, alice.Shutdown(brief), context.DeadlineExceeded)
	require.ErrorIs(t, alice.Err(), otrchat.ErrClosed)
}

// What the Notifier is told of messages is what the application chose.
func TestNotifyMessages(t *testing.T) {
	for choice, want := range map[otrchat.NotifyMessages][]string{
		otrchat.NotifyNoMessages: nil,
		otrchat.NotifySenders:    {"", "", ""},
		otrchat.NotifyTexts:      {"in the\uFFFDclear", "", "encrypted"},
	} {
		t.Run(fmt.Sprint(int(choice)), func(t *testing.T) {
			notes, store := make(told, 16), contacts.NewMemory()
			change(t, store, func(c *contacts.Contact) { c.DisplayName = "Bob" })
			alice := newUser(t, "alice", &otrchat.Options{NotifyMessages: choice, Notifier: notes, Contacts: store})
			a, l := meet(t, alice, newPeer(t, nil, nil))
			for i, say := range []func(){
				func() { l.says("in the\x00clear") },
				func() {
					_, err := l.session.Send(limited(t), &msrp.Message{ContentType: "text/html", Body: []byte("<b>bold</b>")})
					require.NoError(t, err)
				},
				func() {
					l.speaks(l.otr.Start())
					l.turns(otrsession.Encrypted)
					l.encrypts("encrypted")
				},
			} {
				say()
				next[otrchat.Message](t, a)
				if want == nil {
					continue
				}
				n := notes.heard(t)
				require.Equal(t, notify.MessageReceived, n.Kind)
				require.Equal(t, notify.Low, n.Urgency)
				require.Equal(t, "Message from Bob (bob@127.0.0.1)", n.Title)
				require.Equal(t, want[i], n.Text)
				require.Equal(t, want[i], n.Body)
			}
			require.NoError(t, alice.Shutdown(limited(t)))
			require.Empty(t, notes)
		})
	}
}

// Whoever gets a text in plain text into an encrypted chat does not get it onto the user's desktop in the contact's name.
func TestPlainTextIsNotToldAsTheContacts(t *testing.T) {
	for _, choice := range []otrchat.NotifyMessages{otrchat.NotifyNoMessages, otrchat.NotifySenders, otrchat.NotifyTexts} {
		notes := make(told, 16)
		alice := newUser(t, "alice", &otrchat.Options{NotifyMessages: choice, Notifier: notes})
		a, l := encrypts(t, alice, newPeer(t, nil, nil))
		l.says("Call me at 900-12345")
		notice(t, a, notify.UnencryptedReceived)
		require.Equal(t, otrchat.Unverified, next[otrchat.Message](t, a).Security)
		require.NoError(t, alice.Shutdown(limited(t)))
		if choice != otrchat.NotifyNoMessages {
			n := notes.heard(t)
			require.Equal(t, notify.UnencryptedReceived, n.Kind)
			require.Empty(t, n.Text)
		}
		require.Empty(t, notes)
	}
}

// lateError is an error whose text is there when what it waits for has happened, or soon.
type lateError struct{ after <-chan struct{} }

func (e lateError) Error() string {
	brief, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	select {
	case <-e.after:
	case <-brief.Done():
	}
	return "late"
}

// over is a context that ended with an error.
type over struct {
	context.Context
	err error
}

func (o over) Err() error { return o.err }

// A Shutdown whose context ends does not take a warning for given that it has cut short.
func TestShutdownCutsShort(t *testing.T) {
	store, asked, returned := contacts.NewMemory(), make(chan struct{}, 1), make(chan struct{})
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store, Notifier: notify.Func(func(ctx context.Context, _ notify.Notification) error {
		asked <- struct{}{}
		<-ctx.Done()
		close(returned)
		return ctx.Err()
	})})
	opens(t, alice, bobKey, nil)
	opens(t, alice, malloryKey, nil)
	<-asked
	announced := make(chan struct{})
	go func() { // for as long as Shutdown tells its error
		defer close(announced)
		for c, err := range changesOfBob(t, store) {
			if err != nil || len(c.Keys) > 1 && c.Keys[1].Unannounced.IsZero() {
				return
			}
		}
	}()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.Error(t, alice.Shutdown(over{ended, lateError{announced}}))
	<-returned
	saved, err := store.Load(ctx, bobAddress)
	require.NoError(t, err)
	require.NotZero(t, saved.Keys[1].Unannounced)
}

// changesOfBob yields Bob each time that he changes.
func changesOfBob(t testing.TB, store contacts.Watcher) iter.Seq2[contacts.Contact, error] {
	return func(yield func(contacts.Contact, error) bool) {
		for _, err := range store.Watch(t.Context()) {
			if err != nil {
				yield(contacts.Contact{}, err)
				return
			}
			if c, err := store.Load(ctx, bobAddress); !yield(c, err) {
				return
			}
		}
	}
}

// A flood of messages, over which the Notifier hangs, does not keep a warning from the user.
func TestMessagesBuryNoWarning(t *testing.T) {
	changed := make(told, 1)
	alice := newUser(t, "alice", &otrchat.Options{NotifyMessages: otrchat.NotifyTexts, Notifier: notify.Func(func(ctx context.Context, n notify.Notification) error {
		if n.Urgency == notify.Critical {
			return changed.Notify(ctx, n)
		}
		<-ctx.Done()
		return ctx.Err()
	})})
	a, l := encrypts(t, alice, newPeer(t, nil, nil))
	for range 100 {
		l.says("hello")
		next[otrchat.Message](t, a)
	}
	meets(t, alice, malloryKey)
	require.Equal(t, notify.FingerprintChanged, changed.heard(t).Kind)
}

// At most 16 notifications are delivered at a time, each within a minute, and 64 wait.
func TestNotificationsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most, ended atomic.Int32
		alice, err := otrchat.New(&otrchat.Options{Address: "sip:alice@127.0.0.1", Key: key(t, aliceKey), Notifier: notify.Func(func(ctx context.Context, _ notify.Notification) error {
			start := time.Now()
			most.Store(max(most.Load(), running.Add(1)))
			<-ctx.Done()
			running.Add(-1)
			ended.Add(1)
			assert.Equal(t, time.Minute, time.Since(start))
			return ctx.Err()
		})})
		require.NoError(t, err)
		for i := range 200 {
			otrchat.Tell(alice, notify.Notification{Kind: notify.RevokedKeyUsed, Urgency: notify.Critical, Contact: fmt.Sprint(i)})
		}
		require.NoError(t, alice.Shutdown(t.Context()))
		require.EqualValues(t, 16, most.Load())
		require.EqualValues(t, 16+64, ended.Load())
	})
}
