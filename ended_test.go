package otrchat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/notify"
)

// After the peer ended encryption nothing is sent until the user has decided.
func TestPeerEndsEncryption(t *testing.T) {
	for name, decide := range map[string]struct {
		do        func(a *otrchat.EncryptedChat) error
		encrypted bool
	}{
		"confirm": {func(a *otrchat.EncryptedChat) error { return a.StopEncryption(ctx) }, false},
		"restart": {func(a *otrchat.EncryptedChat) error { return a.StartEncryption(ctx) }, true},
		"never":   {func(a *otrchat.EncryptedChat) error { return a.SetPolicy(ctx, otrchat.Never) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			notes := make(told, 16)
			a, b := encrypted(t, newUser(t, "alice", &otrchat.Options{Notifier: notes}), newUser(t, "bob", nil))
			require.NoError(t, b.StopEncryption(ctx))
			require.Equal(t, otrchat.NotEncrypted, b.Security())
			require.Equal(t, otrchat.SecurityChange{Security: otrchat.Ended, Previous: otrchat.Unverified}, next[otrchat.SecurityChange](t, a))
			notice := next[otrchat.SystemMessage](t, a)
			require.True(t, notice.Warning)
			n := notes.heard(t)
			require.Equal(t, notify.EncryptionEnded, n.Kind)
			require.Equal(t, "bob@127.0.0.1", n.Contact)
			require.Equal(t, notice.Text, n.Body)

			_, err := a.Send(ctx, "secret")
			require.ErrorIs(t, err, otrchat.ErrEncryptionEnded)
			says(t, b, a, "in plain text", false)
			_, err = a.Send(ctx, "secret")
			require.ErrorIs(t, err, otrchat.ErrEncryptionEnded)
			require.NoError(t, decide.do(a))
			says(t, a, b, "hello again", decide.encrypted)
		})
	}
}

// A restart that the peer does not answer leaves the input locked.
func TestRestartWithoutAnswer(t *testing.T) {
	alice := newUser(t, "alice", &otrchat.Options{OTRTimeout: soon})
	bob := newUser(t, "bob", nil)
	a, b := encrypted(t, alice, bob)
	require.NoError(t, b.SetPolicy(ctx, otrchat.Never))
	lock(t, a, otrchat.Ended)
	next[otrchat.SystemMessage](t, a)
	require.NoError(t, a.StartEncryption(ctx))
	_, err := a.Send(ctx, "secret")
	require.ErrorIs(t, err, otrchat.ErrEncryptionEnded)
	require.Equal(t, "The other side did not answer the request for encryption. Nothing will be sent without it.", next[otrchat.SystemMessage](t, a).Text)
	require.Equal(t, otrchat.Ended, a.Security())
}

// A text in clear in an encrypted chat comes with a warning before it, and a mark on it.
func TestPlainTextWhileEncrypted(t *testing.T) {
	a, l := encryptedLine(t, nil)
	l.says("in the clear")
	require.True(t, next[otrchat.SystemMessage](t, a).Warning)
	m := next[otrchat.Message](t, a)
	require.False(t, m.Encrypted)
	require.Equal(t, otrchat.Unverified, m.Security)
	l.encrypts("and not")
	require.True(t, next[otrchat.Message](t, a).Encrypted)
}
