package otrchat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
)

func TestChatEncryptsByItself(t *testing.T) {
	alice, bob := newUser(t, "alice", nil), newUser(t, "bob", nil)
	a, b := call(t, alice, bob)
	says(t, a, b, "hello, Bob", true)
	says(t, b, a, "hello, Alice", true)
	fp, ok := a.RemoteFingerprint()
	require.True(t, ok)
	require.Equal(t, bob.Fingerprint(), fp)
	fp, ok = b.RemoteFingerprint()
	require.True(t, ok)
	require.Equal(t, alice.Fingerprint(), fp)
	require.Equal(t, alice.Fingerprint(), a.LocalFingerprint())
	require.Equal(t, otrchat.Unverified, a.Security())
	require.Equal(t, "bob@127.0.0.1", a.Contact())
	require.Equal(t, "alice@127.0.0.1", b.Contact())
	require.Equal(t, "sip:alice@127.0.0.1", b.RemoteAddress())

	require.NoError(t, a.Shutdown(ctx))
	_, end := rest(t, b)
	require.ErrorIs(t, end, otrchat.ErrEnded)
	<-b.Done()
	require.ErrorIs(t, b.Err(), otrchat.ErrEnded)
	require.ErrorIs(t, a.Err(), otrchat.ErrClosed)
	require.NoError(t, a.Shutdown(ctx))
	require.NoError(t, b.Shutdown(ctx))
}

// The change of the lock comes before the first message under it, and what the peer said before it hung up is not lost.
func TestEventsKeepTheirOrder(t *testing.T) {
	a, b := call(t, newUser(t, "alice", nil), newUser(t, "bob", nil))
	for _, text := range []string{"one", "two", "three"} {
		d, err := a.Send(ctx, text)
		require.NoError(t, err)
		require.True(t, d.Encrypted)
		require.NotEmpty(t, d.ID())
	}
	require.NoError(t, a.Shutdown(ctx))
	events, end := rest(t, b)
	require.ErrorIs(t, end, otrchat.ErrEnded)
	require.Len(t, events, 6)
	require.Equal(t, otrchat.Unverified, events[0].(otrchat.SecurityChange).Security)
	for i, text := range []string{"one", "two", "three"} {
		m := events[1+i].(otrchat.Message)
		require.Equal(t, text, m.Text)
		require.Equal(t, "text/plain", m.ContentType)
		require.Equal(t, otrchat.Unverified, m.Security)
		require.True(t, m.Encrypted)
	}
	require.Equal(t, otrchat.SecurityChange{Security: otrchat.Ended, Previous: otrchat.Unverified}, events[4])
	require.True(t, events[5].(otrchat.SystemMessage).Warning)
}
