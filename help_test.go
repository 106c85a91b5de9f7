package otrchat_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/otrsession"
)

const patience = 20 * time.Second

var ctx = context.Background()

// limited is a context for what must not take longer than patience.
func limited(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// keys are made once: it takes a while.
var keys = struct {
	sync.Mutex
	all []*otrsession.Key
}{}

// key is the n-th key of the tests.
func key(t testing.TB, n int) *otrsession.Key {
	t.Helper()
	keys.Lock()
	defer keys.Unlock()
	for len(keys.all) <= n {
		k, err := otrsession.GenerateKey()
		require.NoError(t, err)
		keys.all = append(keys.all, k)
	}
	return keys.all[n]
}

// Keys of the people in the tests.
const (
	aliceKey = iota
	bobKey
	malloryKey
)

// listener opens a socket on loopback that rec, if there is one, records.
func listener(t testing.TB, rec *tap.Recorder) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if rec == nil {
		return l
	}
	return tap.Listener(l, rec)
}

// user is a Client on loopback, with the address to call it at.
type user struct {
	*otrchat.Client
	at string
}

func newUser(t testing.TB, name string, o *otrchat.Options) user {
	t.Helper()
	return newTapped(t, name, o, nil)
}

// newTapped is newUser with the sockets recorded.
func newTapped(t testing.TB, name string, o *otrchat.Options, rec *tap.Recorder) user {
	t.Helper()
	var opts otrchat.Options
	if o != nil {
		opts = *o
	}
	opts.Address = "sip:" + name + "@127.0.0.1"
	if opts.Key == nil && name == "alice" {
		opts.Key = key(t, aliceKey)
	} else if opts.Key == nil {
		opts.Key = key(t, bobKey)
	}
	c, err := otrchat.New(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	l := listener(t, rec)
	require.NoError(t, c.ListenOn(l, listener(t, rec)))
	return user{c, "sip:" + name + "@" + l.Addr().String() + ";transport=tcp"}
}

// call connects two users.
func call(t testing.TB, from, to user) (a, b *otrchat.EncryptedChat) {
	t.Helper()
	answered := answer(t, to)
	a, err := from.Call(limited(t), to.at)
	require.NoError(t, err)
	b = <-answered
	require.NotNil(t, b)
	return a, b
}

// answer takes the next call of a user; nil if that fails.
func answer(t testing.TB, to user) <-chan *otrchat.EncryptedChat {
	answered := make(chan *otrchat.EncryptedChat, 1)
	go func() {
		defer close(answered)
		i, err := to.Accept(limited(t))
		if err != nil {
			return
		}
		if chat, err := i.Answer(limited(t)); err == nil {
			answered <- chat
		}
	}()
	return answered
}

// encrypted connects two users and waits for encryption on both sides.
func encrypted(t testing.TB, from, to user) (a, b *otrchat.EncryptedChat) {
	t.Helper()
	a, b = call(t, from, to)
	for _, c := range []*otrchat.EncryptedChat{a, b} {
		require.True(t, next[otrchat.SecurityChange](t, c).Security.Encrypted())
	}
	return a, b
}

// next returns the next event of a kind; others before it are passed over.
func next[E otrchat.Event](t testing.TB, c *otrchat.EncryptedChat) E {
	t.Helper()
	limit := limited(t)
	for {
		e, err := c.Receive(limit)
		require.NoError(t, err)
		if want, ok := e.(E); ok {
			return want
		}
	}
}

// lock waits until the lock shows s.
func lock(t testing.TB, c *otrchat.EncryptedChat, s otrchat.Security) {
	t.Helper()
	for next[otrchat.SecurityChange](t, c).Security != s {
	}
}

// rest returns the events up to the end of the chat.
func rest(t testing.TB, c *otrchat.EncryptedChat) (all []otrchat.Event, end error) {
	t.Helper()
	for e, err := range c.Events(limited(t)) {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

// nothing checks that no event of a kind waits now.
func nothing[E otrchat.Event](t testing.TB, c *otrchat.EncryptedChat) {
	t.Helper()
	now, cancel := context.WithCancel(ctx)
	cancel()
	for {
		e, err := c.Receive(now)
		if err != nil {
			return
		}
		_, found := e.(E)
		require.False(t, found, "%#v", e)
	}
}

// says sends a text from one to the other, both of which know of the encryption.
func says(t testing.TB, from, to *otrchat.EncryptedChat, text string, encrypted bool) {
	t.Helper()
	d, err := from.Send(limited(t), text)
	require.NoError(t, err)
	require.Equal(t, encrypted, d.Encrypted)
	m := next[otrchat.Message](t, to)
	require.Equal(t, text, m.Text)
	require.Equal(t, encrypted, m.Encrypted)
	require.NoError(t, d.Wait(limited(t)))
}

// safeBuffer is a bytes.Buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.b.Bytes())
}

func (b *safeBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
