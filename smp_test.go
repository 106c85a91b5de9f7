package otrchat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/otrsession"
)

// outcome returns what SMP comes to, after the progress.
func outcome(t testing.TB, c *otrchat.EncryptedChat) otrchat.SMP {
	t.Helper()
	for {
		if e := next[otrchat.SMP](t, c); e.Progress != otrchat.SMPAnswered {
			return e
		}
	}
}

func TestSMP(t *testing.T) {
	succeeded, failed := otrchat.SMP{Progress: otrchat.SMPSucceeded}, otrchat.SMP{Progress: otrchat.SMPFailed}
	verified := otrchat.SMP{Progress: otrchat.SMPSucceeded, Verified: true}
	for name, c := range map[string]struct {
		question, theirs string
		asker, answerer  otrchat.SMP
		locks            [2]otrchat.Security
	}{
		"without question": {"", "Prague", verified, verified, [2]otrchat.Security{otrchat.Verified, otrchat.Verified}},
		"with question":    {"Where did we meet?", "Prague", verified, succeeded, [2]otrchat.Security{otrchat.Verified, otrchat.Unverified}},
		"wrong secret":     {"", "prague", failed, failed, [2]otrchat.Security{otrchat.Unverified, otrchat.Unverified}},
		"wrong answer":     {"Where?", "Vienna", failed, failed, [2]otrchat.Security{otrchat.Unverified, otrchat.Unverified}},
	} {
		t.Run(name, func(t *testing.T) {
			store := contacts.NewMemory()
			caller, called := encrypted(t, newUser(t, "alice", &otrchat.Options{Contacts: store}), newUser(t, "bob", nil))
			for _, pair := range [][2]*otrchat.EncryptedChat{{called, caller}, {caller, called}} {
				a, b := pair[0], pair[1]
				require.NoError(t, a.StartSMP(ctx, c.question, "Prague"))
				require.Equal(t, otrchat.SMP{Progress: otrchat.SMPAsked, Question: c.question}, next[otrchat.SMP](t, b))
				require.NoError(t, b.AnswerSMP(ctx, c.theirs))
				require.Equal(t, c.asker, outcome(t, a))
				require.Equal(t, c.answerer.Progress, outcome(t, b).Progress)
				require.Equal(t, c.locks[0], a.Security())
				if a == caller {
					break
				}
				require.Equal(t, c.locks[1], b.Security())
			}
			saved, err := store.Load(ctx, "bob@127.0.0.1")
			require.NoError(t, err)
			require.Equal(t, c.asker.Verified, saved.Keys[0].Trust == contacts.VerifiedSMP, saved.Keys[0].Trust)
		})
	}
}

func TestSMPEndsWithoutResult(t *testing.T) {
	aborted := otrchat.SMP{Progress: otrchat.SMPAborted}
	for name, end := range map[string]func(a, b *otrchat.EncryptedChat) error{
		"asker gives up":    func(a, _ *otrchat.EncryptedChat) error { return a.AbortSMP(ctx) },
		"answerer gives up": func(_, b *otrchat.EncryptedChat) error { return b.AbortSMP(ctx) },
		"encryption ended":  func(a, _ *otrchat.EncryptedChat) error { return a.StopEncryption(ctx) },
		"peer ended it":     func(_, b *otrchat.EncryptedChat) error { return b.StopEncryption(ctx) },
		"asker hangs up":    func(a, _ *otrchat.EncryptedChat) error { return a.Shutdown(ctx) },
		"policy":            func(_, b *otrchat.EncryptedChat) error { return b.SetPolicy(ctx, otrchat.Never) },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := encrypted(t, newUser(t, "alice", nil), newUser(t, "bob", nil))
			require.NoError(t, a.StartSMP(ctx, "?", "Prague"))
			next[otrchat.SMP](t, b)
			require.NoError(t, end(a, b))
			require.Equal(t, aborted, outcome(t, a))
			require.Equal(t, aborted, outcome(t, b))
			require.NotEqual(t, otrchat.Verified, a.Security())
		})
	}
}

// After a question of the peer's was given up, a run of our own counts again.
func TestSMPAfterQuestionGivenUp(t *testing.T) {
	a, b := encrypted(t, newUser(t, "alice", nil), newUser(t, "bob", nil))
	require.NoError(t, a.StartSMP(ctx, "What is one and one?", "2"))
	next[otrchat.SMP](t, b)
	require.NoError(t, b.AbortSMP(ctx))
	outcome(t, a)
	outcome(t, b)
	require.NoError(t, b.StartSMP(ctx, "Where did we meet?", "Prague"))
	next[otrchat.SMP](t, a)
	require.NoError(t, a.AnswerSMP(ctx, "Prague"))
	require.Equal(t, otrchat.SMP{Progress: otrchat.SMPSucceeded, Verified: true}, outcome(t, b))
	require.Equal(t, otrchat.SMP{Progress: otrchat.SMPSucceeded}, outcome(t, a))
}

// When both start at once, both runs end, and the next one works.
func TestSMPBothAtOnce(t *testing.T) {
	alice := newUser(t, "alice", nil)
	a, l := meet(t, alice, newPeer(t, nil, nil))
	l.turns(otrsession.Encrypted)
	lock(t, a, otrchat.Unverified)
	require.NoError(t, a.StartSMP(ctx, "", "Prague"))
	require.ErrorIs(t, a.StartSMP(ctx, "", "Prague"), otrsession.ErrSMPInProgress)
	l.speaks(l.otr.StartSMP("", []byte("Prague")))
	l.understands()
	require.Equal(t, otrchat.SMP{Progress: otrchat.SMPAborted}, outcome(t, a))
	require.Equal(t, otrchat.Unverified, a.Security())
}

func TestSMPErrors(t *testing.T) {
	a, b := call(t, newUser(t, "alice", &otrchat.Options{Policy: otrchat.Never}), newUser(t, "bob", &otrchat.Options{Policy: otrchat.Never}))
	require.ErrorIs(t, a.StartSMP(ctx, "", "Prague"), otrchat.ErrNotEncrypted)
	require.ErrorIs(t, a.AnswerSMP(ctx, "Prague"), otrchat.ErrNotEncrypted)
	require.ErrorIs(t, a.AbortSMP(ctx), otrchat.ErrNotEncrypted)
	require.NoError(t, b.SetPolicy(ctx, otrchat.Opportunistic))
	require.NoError(t, a.SetPolicy(ctx, otrchat.Opportunistic))
	lock(t, a, otrchat.Unverified)
	require.ErrorIs(t, a.StartSMP(ctx, "", ""), otrsession.ErrEmptySecret)
	require.ErrorIs(t, a.StartSMP(ctx, "a\x00b", "Prague"), otrsession.ErrNUL)
	require.ErrorIs(t, a.AnswerSMP(ctx, "Prague"), otrsession.ErrNoSMP)
	require.ErrorIs(t, a.AbortSMP(ctx), otrsession.ErrNoSMP)
}

// A verification that cannot be saved is not shown as one.
func TestSMPIsNotSaved(t *testing.T) {
	store := &failing{Store: contacts.NewMemory()}
	a, b := encrypted(t, newUser(t, "alice", &otrchat.Options{Contacts: store}), newUser(t, "bob", nil))
	store.save.Store(true)
	require.NoError(t, a.StartSMP(ctx, "", "Prague"))
	next[otrchat.SMP](t, b)
	require.NoError(t, b.AnswerSMP(ctx, "Prague"))
	require.Contains(t, next[otrchat.SystemMessage](t, a).Text, "could not be saved")
	require.Equal(t, otrchat.SMP{Progress: otrchat.SMPSucceeded}, outcome(t, a))
	require.Equal(t, otrchat.Unverified, a.Security())
}
