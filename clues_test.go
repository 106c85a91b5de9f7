package otrchat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/notify"
)

// What Blink shows its users of encryption, an application learns from the events of the chat and one Notifier. Each subtest is a clue of Blink's.
func TestEveryClueOfBlink(t *testing.T) {
	store, notes := contacts.NewMemory(), make(told, 16)
	alice := newUser(t, "alice", &otrchat.Options{Contacts: store, Notifier: notes})
	a, b := encrypted(t, alice, newUser(t, "bob", nil)) // the lock: it was open, and is closed and not green
	fp := fingerprint(t, bobKey)

	t.Run("a lock for each message", func(t *testing.T) {
		_, err := b.Send(ctx, "hello")
		require.NoError(t, err)
		m := next[otrchat.Message](t, a)
		require.True(t, m.Encrypted)
		require.Equal(t, otrchat.Unverified, m.Security)
	})
	t.Run("the fingerprints of both", func(t *testing.T) {
		require.Equal(t, fingerprint(t, aliceKey), a.LocalFingerprint())
		got, ok := a.RemoteFingerprint()
		require.True(t, ok)
		require.Equal(t, fp, got)
	})
	t.Run("the peer's SMP request, also to who looks elsewhere", func(t *testing.T) {
		require.NoError(t, b.StartSMP(ctx, "Where?", "Prague"))
		require.Equal(t, otrchat.SMP{Progress: otrchat.SMPAsked, Question: "Where?"}, next[otrchat.SMP](t, a))
		n := notes.heard(t)
		require.Equal(t, notify.VerificationAsked, n.Kind)
		require.NotContains(t, n.Body, "Where?")
		require.NoError(t, a.AnswerSMP(ctx, "Vienna"))
		require.Equal(t, otrchat.SMPFailed, outcome(t, a).Progress)
		require.Equal(t, otrchat.SMPFailed, outcome(t, b).Progress)
	})
	t.Run("our SMP request: progress, success, and the lock turns green", func(t *testing.T) {
		require.NoError(t, a.StartSMP(ctx, "", "Prague"))
		require.Equal(t, otrchat.SMPAsked, next[otrchat.SMP](t, b).Progress)
		require.NoError(t, b.AnswerSMP(ctx, "Prague"))
		require.Equal(t, otrchat.SMPAnswered, next[otrchat.SMP](t, a).Progress)
		lock(t, a, otrchat.Verified)
		require.Equal(t, otrchat.SMP{Progress: otrchat.SMPSucceeded, Verified: true}, next[otrchat.SMP](t, a))
	})
	t.Run("the mark as verified, and back", func(t *testing.T) {
		require.NoError(t, a.SetVerified(ctx, fp, false))
		lock(t, a, otrchat.Unverified)
		require.NoError(t, a.SetVerified(ctx, fp, true))
		lock(t, a, otrchat.Verified)
	})
	t.Run("a peer that ends encryption: told in the chat and on the desktop, and the input is locked", func(t *testing.T) {
		require.NoError(t, b.SetPolicy(ctx, otrchat.Never))
		lock(t, a, otrchat.Ended)
		m := notice(t, a, notify.EncryptionEnded)
		n := notes.heard(t)
		require.Equal(t, m.Text, n.Body)
		require.Equal(t, "Encryption ended: "+bobAddress, n.Title)
		refused(t, a, otrchat.ErrEncryptionEnded)
	})
	t.Run("no answer to a request", func(t *testing.T) {
		impatient, _ := meet(t, newUser(t, "alice", &otrchat.Options{OTRTimeout: soon}), newPeer(t, nil, nil))
		notice(t, impatient, notify.PlaintextFallback)
	})
	t.Run("always require OTR with this contact", func(t *testing.T) {
		require.NoError(t, a.SetPolicy(ctx, otrchat.Always))
		require.NoError(t, a.StopEncryption(ctx))
		refused(t, a, otrchat.ErrEncryptionRequired)
	})
	t.Run("why encryption is not possible", func(t *testing.T) {
		require.NoError(t, a.SetPolicy(ctx, otrchat.Never))
		require.ErrorIs(t, a.StartEncryption(ctx), otrchat.ErrEncryptionUnavailable)
		require.NoError(t, a.SetPolicy(ctx, otrchat.Always))
		require.NoError(t, a.Close())
		require.ErrorIs(t, a.StartEncryption(ctx), otrchat.ErrClosed)
	})
	t.Run("a new key: a red lock, and a warning in the chat, on the desktop and spoken, once", func(t *testing.T) {
		notices, s := opens(t, alice, malloryKey, nil)
		require.Equal(t, otrchat.Changed, s)
		require.Len(t, notices, 1)
		require.Equal(t, notify.VerifiedFingerprintChanged, notices[0].Kind)
		n := notes.heard(t)
		require.Equal(t, notify.Critical, n.Urgency)
		require.Equal(t, "Encryption warning: new key of "+bobAddress, n.Title)
		require.Equal(t, notices[0].Text, n.Body)
		require.Contains(t, n.Body, fingerprint(t, malloryKey).String())
		require.Contains(t, n.Spoken, "Encryption warning")
		require.NotContains(t, n.Spoken, fingerprint(t, malloryKey).String()[:8], "digits are for eyes")
		notices, _ = opens(t, alice, malloryKey, nil)
		require.Empty(t, notices)
	})
	t.Run("what is saved of a contact", func(t *testing.T) {
		require.NoError(t, alice.Shutdown(limited(t)))
		require.Empty(t, notes, "nothing was told twice")
		saved, err := store.Load(ctx, bobAddress)
		require.NoError(t, err)
		require.Equal(t, contacts.Always, saved.Policy)
		require.Len(t, saved.Keys, 2)
		require.Zero(t, saved.Keys[1].Unannounced, "the user was told")
		require.Equal(t, contacts.VerifiedManually, saved.Keys[0].Trust)
	})
}
