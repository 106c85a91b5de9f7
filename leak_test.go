package otrchat_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/otrsession"
)

const secret = "the horse does not eat cucumber salad"

// shows tells whether the secret stands in data, as it is or in base64 at any offset.
func shows(data []byte) bool {
	if bytes.Contains(data, []byte(secret)) {
		return true
	}
	for skip := range 3 {
		whole := (len(secret) - skip) / 3 * 3
		if bytes.Contains(data, []byte(base64.StdEncoding.EncodeToString([]byte(secret[skip:skip+whole])))) {
			return true
		}
	}
	return false
}

func TestShows(t *testing.T) {
	require.False(t, shows([]byte("the horse does eat cucumber salad")))
	require.True(t, shows([]byte("x"+secret+"x")))
	for _, before := range []string{"", "a", "ab", "abc"} {
		require.True(t, shows([]byte(base64.StdEncoding.EncodeToString([]byte(before+secret+" indeed")))))
	}
}

// hidden runs a conversation in which Alice, whose policy is Always, says nothing but the secret, and checks that it never stood on a wire
// or in her log.
func hidden(t *testing.T, talk func(t *testing.T, alice user, rec *tap.Recorder)) {
	t.Helper()
	leaks := watched(t, otrchat.Always, talk)
	require.False(t, leaks)
}

func watched(t *testing.T, p otrchat.Policy, talk func(t *testing.T, alice user, rec *tap.Recorder)) (leaks bool) {
	t.Helper()
	rec := tap.New(nil)
	log := new(safeBuffer)
	alice := newTapped(t, "alice", &otrchat.Options{Policy: p, OTRTimeout: soon, Logger: log.logger()}, rec)
	talk(t, alice, rec)
	require.NoError(t, alice.Close())
	require.Zero(t, rec.Lost())
	require.Contains(t, string(rec.Bytes()), "INVITE sip:bob@")
	require.Contains(t, string(rec.Bytes()), "?OTR")
	require.False(t, shows(log.Bytes()), "the log")
	return shows(rec.Bytes())
}

// refused is a Send that must fail.
func refused(t *testing.T, a *otrchat.EncryptedChat, why error) {
	t.Helper()
	_, err := a.Send(limited(t), secret)
	require.ErrorIs(t, err, why)
	require.False(t, shows([]byte(err.Error())))
}

func TestAlwaysLeaksNothingWithoutEncryption(t *testing.T) {
	for name, behave := range behaviours {
		t.Run(name, func(t *testing.T) {
			hidden(t, func(t *testing.T, alice user, rec *tap.Recorder) {
				a, l := meet(t, alice, newPeer(t, nil, rec))
				behave(l)
				l.says("hello?")
				refused(t, a, otrchat.ErrEncryptionRequired)
				require.NoError(t, a.StopEncryption(ctx))
				refused(t, a, otrchat.ErrEncryptionRequired)
				require.NoError(t, a.StartEncryption(ctx))
				l.says("still here")
				refused(t, a, otrchat.ErrEncryptionRequired)
				require.NoError(t, a.Shutdown(ctx))
				refused(t, a, otrchat.ErrClosed)
			})
		})
	}
}

// The same search finds a text that leaves in plain text, so it can fail.
func TestOpportunisticIsSeen(t *testing.T) {
	require.True(t, watched(t, otrchat.Opportunistic, func(t *testing.T, alice user, rec *tap.Recorder) {
		a, l := meet(t, alice, newPeer(t, nil, rec))
		l.hears()
		_, err := a.Send(limited(t), secret)
		require.NoError(t, err)
		l.hears()
	}))
}

func TestAlwaysLeaksNothing(t *testing.T) {
	hidden(t, func(t *testing.T, alice user, rec *tap.Recorder) {
		a, l := meet(t, alice, newPeer(t, nil, rec))
		l.turns(otrsession.Encrypted)
		lock(t, a, otrchat.Unverified)
		send := func() {
			t.Helper()
			d, err := a.Send(limited(t), secret)
			require.NoError(t, err)
			require.True(t, d.Encrypted)
			require.Equal(t, secret, l.reads())
		}
		send()
		l.speaks(l.otr.Start()) // the peer asks again
		send()
		l.says("in the clear")
		send()
		require.NoError(t, a.StartEncryption(ctx)) // new keys
		send()
		l.speaks(l.otr.StartSMP("", []byte(secret)))
		next[otrchat.SMP](t, a)
		require.NoError(t, a.AnswerSMP(ctx, secret))

		l.speaks(l.otr.End())
		lock(t, a, otrchat.Ended)
		refused(t, a, otrchat.ErrEncryptionEnded)
		l.says("in the clear")
		refused(t, a, otrchat.ErrEncryptionEnded)
		require.NoError(t, a.StopEncryption(ctx))
		refused(t, a, otrchat.ErrEncryptionRequired)
		l.speaks(l.otr.Start())
		l.turns(otrsession.Encrypted)
		lock(t, a, otrchat.Unverified)
		send()
		require.NoError(t, a.Shutdown(ctx))
		refused(t, a, otrchat.ErrClosed)
	})
}

// What was given under a lock stays under it, whoever ends encryption, even if the policy lets later texts leave in plain text.
func TestRacesLeakNothing(t *testing.T) {
	for name, end := range map[string]func(a, b *otrchat.EncryptedChat) error{
		"we stop":         func(a, _ *otrchat.EncryptedChat) error { return a.StopEncryption(ctx) },
		"policy":          func(a, _ *otrchat.EncryptedChat) error { return a.SetPolicy(ctx, otrchat.Never) },
		"we hang up":      func(a, _ *otrchat.EncryptedChat) error { return a.Shutdown(ctx) },
		"peer stops":      func(_, b *otrchat.EncryptedChat) error { return b.StopEncryption(ctx) },
		"peer hangs up":   func(_, b *otrchat.EncryptedChat) error { return b.Shutdown(ctx) },
		"peer breaks off": func(_, b *otrchat.EncryptedChat) error { return b.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			require.False(t, watched(t, otrchat.Opportunistic, func(t *testing.T, alice user, rec *tap.Recorder) {
				a, b := encrypted(t, alice, newTapped(t, "bob", nil, rec))
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						for a.Security().Encrypted() {
							if _, err := a.Send(limited(t), secret); err != nil {
								if name == "we hang up" && !errors.Is(err, otrchat.ErrClosed) {
									t.Error(err)
								}
								return
							}
						}
					})
				}
				next[otrchat.Message](t, b)
				require.NoError(t, end(a, b))
				wg.Wait()
			}))
		})
	}
}
