package otrchat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
)

const soon = 300 * time.Millisecond // a short OTRTimeout

// behaviours of a peer that is asked for encryption.
var behaviours = map[string]func(*line){
	"knows no OTR": func(l *line) { l.hears() },
	"refuses":      func(l *line) { l.hears(); l.speaks(otrsession.Step{Send: [][]byte{[]byte("?OTR Error: no")}}, nil) },
	"fails in the middle": func(l *line) {
		l.understands() // the query, answered by a D-H Commit
		l.hears()       // the D-H Key
		l.speaks(otrsession.Step{Send: [][]byte{[]byte("?OTR:AAMRaaaa.")}}, nil)
	},
}

// Without encryption, Opportunistic goes on in plain text after a while, Always does not, and Never does not even ask.
func TestPoliciesWithoutEncryption(t *testing.T) {
	for name, behave := range behaviours {
		t.Run(name, func(t *testing.T) {
			for _, policy := range []otrchat.Policy{otrchat.Opportunistic, otrchat.Always} {
				alice := newUser(t, "alice", &otrchat.Options{Policy: policy, OTRTimeout: soon})
				a, l := meet(t, alice, newPeer(t, nil, nil))
				behave(l)
				d, err := a.Send(limited(t), "hello")
				notice := next[otrchat.SystemMessage](t, a)
				for !strings.Contains(notice.Text, "did not answer") {
					notice = next[otrchat.SystemMessage](t, a)
				}
				require.Equal(t, policy == otrchat.Always, notice.Warning)
				if policy == otrchat.Always {
					require.ErrorIs(t, err, otrchat.ErrEncryptionRequired)
					continue
				}
				require.NoError(t, err)
				require.False(t, d.Encrypted)
				for text := ""; text != "hello"; {
					_, text = l.hears()
				}
				require.NoError(t, d.Wait(limited(t)))
				require.Equal(t, otrchat.NotEncrypted, a.Security())
			}
		})
	}
}

func TestNeverUsesNoOTR(t *testing.T) {
	alice := newUser(t, "alice", &otrchat.Options{Policy: otrchat.Never})
	a, l := meet(t, alice, newPeer(t, nil, nil))
	d, err := a.Send(ctx, "hello")
	require.NoError(t, err)
	require.False(t, d.Encrypted)
	m, text := l.hears()
	require.Equal(t, "hello", text, "the first that comes: nothing of OTR before it")
	require.True(t, m.SuccessReport)
	l.speaks(l.otr.Start())
	waits(t, l.says("?OTR:AAMDaaaa."), 400)
	waits(t, l.says("tagged \t  \t\t\t\t \t \t \t    \t\t  \t\t"), 0)
	require.Equal(t, "tagged", next[otrchat.Message](t, a).Text)
	_, err = a.Send(ctx, "?OTRv3?")
	require.ErrorIs(t, err, otrchat.ErrText)
	require.ErrorIs(t, a.StartEncryption(ctx), otrchat.ErrEncryptionUnavailable)
	_, err = a.Send(ctx, "last")
	require.NoError(t, err)
	_, text = l.hears()
	require.Equal(t, "last", text, "the query was not answered")
}

// While the peer has not answered, texts wait: for the answer, for a plain text, or for the end of the time.
func TestTextsWaitForTheAnswer(t *testing.T) {
	alice := newUser(t, "alice", &otrchat.Options{OTRTimeout: time.Hour})
	peer := newPeer(t, nil, nil)
	send := func(a *otrchat.EncryptedChat) <-chan *otrchat.Delivery {
		sent := make(chan *otrchat.Delivery, 1)
		go func() {
			d, _ := a.Send(limited(t), "hello")
			sent <- d
		}()
		return sent
	}
	t.Run("encryption", func(t *testing.T) {
		a, l := meet(t, alice, peer)
		sent := send(a)
		l.turns(otrsession.Encrypted)
		require.Equal(t, "hello", l.reads())
		require.True(t, (<-sent).Encrypted)
	})
	t.Run("plain text", func(t *testing.T) {
		a, l := meet(t, alice, peer)
		sent := send(a)
		l.hears()
		l.says("what was that?")
		require.False(t, (<-sent).Encrypted)
		_, text := l.hears()
		require.Equal(t, "hello", text)
	})
	t.Run("stop", func(t *testing.T) {
		a, l := meet(t, alice, peer)
		sent := send(a)
		l.hears()
		require.NoError(t, a.StopEncryption(ctx))
		require.False(t, (<-sent).Encrypted)
	})
	t.Run("close", func(t *testing.T) {
		a, _ := meet(t, alice, peer)
		sent := send(a)
		require.NoError(t, a.Close())
		require.Nil(t, <-sent)
	})
}

// A whitespace tag offers OTR, and is taken up.
func TestTagIsTakenUp(t *testing.T) {
	alice := newUser(t, "alice", &otrchat.Options{OTRTimeout: soon})
	a, l := meet(t, alice, newPeer(t, nil, nil))
	l.hears()
	next[otrchat.SystemMessage](t, a) // no answer
	l.says("hello \t  \t\t\t\t \t \t \t    \t\t  \t\t")
	require.Equal(t, "hello", next[otrchat.Message](t, a).Text)
	l.turns(otrsession.Encrypted)
	lock(t, a, otrchat.Unverified)
}

func TestSetPolicy(t *testing.T) {
	store := contacts.NewMemory()
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store, Policy: otrchat.Never})
	bob := newUser(t, "bob", nil)
	a, b := call(t, alice, bob)
	require.Equal(t, otrchat.Never, a.Policy())
	says(t, a, b, "in plain text", false)

	require.NoError(t, a.SetPolicy(ctx, otrchat.Always))
	says(t, a, b, "encrypted", true)
	saved, err := store.Load(ctx, "bob@127.0.0.1")
	require.NoError(t, err)
	require.Equal(t, contacts.Always, saved.Policy)

	require.NoError(t, a.SetPolicy(ctx, otrchat.Never))
	require.Equal(t, otrchat.NotEncrypted, a.Security())
	lock(t, b, otrchat.Ended)
	says(t, a, b, "in plain text again", false)

	require.NoError(t, a.SetPolicy(ctx, contacts.Inherit))
	require.Equal(t, otrchat.Never, a.Policy())
	require.ErrorContains(t, a.SetPolicy(ctx, 77), "policy 77")
	require.NoError(t, a.SetPolicy(ctx, otrchat.Always))
	require.NoError(t, a.Close())

	a, _ = encrypted(t, alice, bob) // the policy was saved
	require.Equal(t, otrchat.Always, a.Policy())
}

// Always, chosen while a text waits for the answer to Opportunistic's request, holds for that text too.
func TestSetPolicyHoldsForWaitingTexts(t *testing.T) {
	alice := newUser(t, "alice", &otrchat.Options{OTRTimeout: soon})
	a, _ := meet(t, alice, newPeer(t, nil, nil))
	failed := make(chan error)
	go func() {
		_, err := a.Send(limited(t), "hello")
		failed <- err
	}()
	require.NoError(t, a.SetPolicy(ctx, otrchat.Always))
	require.ErrorIs(t, <-failed, otrchat.ErrEncryptionRequired)
}

func TestOptions(t *testing.T) {
	good := otrchat.Options{Address: "sip:alice@127.0.0.1", Key: key(t, aliceKey)}
	for field, spoil := range map[string]func(*otrchat.Options){
		"Address":        func(o *otrchat.Options) { o.Address = "" },
		"Address ":       func(o *otrchat.Options) { o.Address = "sip:alice\r\nVia: x@127.0.0.1" },
		"DisplayName":    func(o *otrchat.Options) { o.DisplayName = "Alice\r\nVia: x" },
		"Key":            func(o *otrchat.Options) { o.Key = nil },
		"OTRTimeout":     func(o *otrchat.Options) { o.OTRTimeout = -1 },
		"Policy":         func(o *otrchat.Options) { o.Policy = 77 },
		"NotifyMessages": func(o *otrchat.Options) { o.NotifyMessages = 3 },
		"Texts": func(o *otrchat.Options) {
			o.Texts = notify.Catalogue{notify.EncryptionEnded: {Title: "{who}", Body: "-"}}
		},
		"Host":     func(o *otrchat.Options) { o.MSRPHost = "a b" },
		"Relay":    func(o *otrchat.Options) { o.Relay = &msrp.RelayOptions{} },
		"Username": func(o *otrchat.Options) { o.Relay = &msrp.RelayOptions{URI: "msrps://relay.example.com;tcp"} },
		"Relay: ": func(o *otrchat.Options) {
			o.Relay = &msrp.RelayOptions{URI: "msrp://relay.example.com;tcp", Username: "alice"}
		},
	} {
		o := good
		spoil(&o)
		_, err := otrchat.New(&o)
		require.ErrorContains(t, err, strings.TrimSpace(field))
		require.ErrorContains(t, err, "otrchat: ")
	}
	_, err := otrchat.New(nil)
	require.ErrorContains(t, err, "Address")
}
