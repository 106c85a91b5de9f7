package otrchat_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/otrsession"
)

var ctx = context.Background()

// user is a Client on loopback, with the address to call it at.
type user struct {
	*otrchat.Client
	at string
}

func key(t testing.TB) *otrsession.Key {
	t.Helper()
	k, err := otrsession.GenerateKey()
	require.NoError(t, err)
	return k
}

func newUser(t testing.TB, name string, o *otrchat.Options) user {
	t.Helper()
	var opts otrchat.Options
	if o != nil {
		opts = *o
	}
	opts.Address = "sip:" + name + "@127.0.0.1"
	if opts.Key == nil {
		opts.Key = key(t)
	}
	c, err := otrchat.New(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	addr, err := c.Listen(ctx, "tcp", "127.0.0.1:0", "127.0.0.1:0")
	require.NoError(t, err)
	return user{c, "sip:" + name + "@" + addr.String() + ";transport=tcp"}
}

// call connects two users.
func call(t testing.TB, from, to user) (a, b *otrchat.EncryptedChat) {
	t.Helper()
	type result struct {
		chat *otrchat.EncryptedChat
		err  error
	}
	answered := make(chan result, 1)
	go func() {
		i, err := to.Accept(ctx)
		if err != nil {
			answered <- result{nil, err}
			return
		}
		chat, err := i.Answer(ctx)
		answered <- result{chat, err}
	}()
	a, err := from.Call(ctx, to.at)
	require.NoError(t, err)
	r := <-answered
	require.NoError(t, r.err)
	return a, r.chat
}

// next returns the next event of a kind; others before it are passed over.
func next[E otrchat.Event](t testing.TB, c *otrchat.EncryptedChat) E {
	t.Helper()
	limit, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		e, err := c.Receive(limit)
		require.NoError(t, err)
		if want, ok := e.(E); ok {
			return want
		}
	}
}

func TestChatEncryptsByItself(t *testing.T) {
	alice, bob := newUser(t, "alice", nil), newUser(t, "bob", nil)
	a, b := call(t, alice, bob)
	d, err := a.Send(ctx, "hello, Bob")
	require.NoError(t, err)
	require.True(t, d.Encrypted)
	m := next[otrchat.Message](t, b)
	require.Equal(t, "hello, Bob", m.Text)
	require.True(t, m.Encrypted)
	require.NoError(t, d.Wait(ctx))
	d, err = b.Send(ctx, "hello, Alice")
	require.NoError(t, err)
	require.True(t, d.Encrypted)
	require.Equal(t, "hello, Alice", next[otrchat.Message](t, a).Text)
	fa, ok := a.RemoteFingerprint()
	require.True(t, ok)
	require.Equal(t, bob.Fingerprint(), fa)
	fb, _ := b.RemoteFingerprint()
	require.Equal(t, alice.Fingerprint(), fb)
	require.Equal(t, otrchat.Unverified, a.Security())

	require.NoError(t, a.StartSMP(ctx, "where did we meet?", "Prague"))
	asked := next[otrchat.SMP](t, b)
	require.Equal(t, otrchat.SMP{Progress: otrchat.SMPAsked, Question: "where did we meet?"}, asked)
	require.NoError(t, b.AnswerSMP(ctx, "Prague"))
	for {
		e := next[otrchat.SMP](t, a)
		if e.Progress == otrchat.SMPAnswered {
			continue
		}
		require.Equal(t, otrchat.SMP{Progress: otrchat.SMPSucceeded, Verified: true}, e)
		break
	}
	require.Equal(t, otrchat.SMP{Progress: otrchat.SMPSucceeded}, next[otrchat.SMP](t, b))
	require.Equal(t, otrchat.Verified, a.Security())
	require.Equal(t, otrchat.Unverified, b.Security())

	require.NoError(t, a.Shutdown(ctx))
	require.Equal(t, otrchat.Ended, next[otrchat.SecurityChange](t, b).Security)
	<-b.Done()
	require.ErrorIs(t, b.Err(), otrchat.ErrEnded)
}
