package kamailio_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/otrsession"
)

// client is a user of the whole SDK behind Kamailio, and where to call it.
func client(t *testing.T, k *kamailio.Relay, name string) (c *otrchat.Client, at string) {
	t.Helper()
	key, err := otrsession.GenerateKey()
	require.NoError(t, err)
	c, err = otrchat.New(&otrchat.Options{
		Address: "sip:" + name + "@127.0.0.1", Key: key, Policy: otrchat.Always,
		Relay: options(k, name, kamailio.Password), TLS: &tls.Config{RootCAs: k.Roots},
	})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	l, err := c.Listen(testContext(t), "tcp", "127.0.0.1:0", "127.0.0.1:0")
	require.NoError(t, err)
	return c, "sip:" + name + "@" + l.String() + ";transport=tcp"
}

// event returns the next event of a kind.
func event[E otrchat.Event](t *testing.T, c *otrchat.EncryptedChat) E {
	t.Helper()
	for {
		e, err := c.Receive(testContext(t))
		require.NoError(t, err)
		if want, ok := e.(E); ok {
			return want
		}
	}
}

// chats lets alice call bob, each behind Kamailio.
func chats(t *testing.T, k *kamailio.Relay) (a, b *otrchat.EncryptedChat) {
	t.Helper()
	alice, _ := client(t, k, "alice")
	bob, at := client(t, k, "bob")
	return calls(t, alice, bob, at)
}

// calls lets alice call bob, and waits for encryption on both sides.
func calls(t *testing.T, alice, bob *otrchat.Client, at string) (a, b *otrchat.EncryptedChat) {
	t.Helper()
	answered := make(chan *otrchat.EncryptedChat, 1)
	go func() {
		defer close(answered)
		if i, err := bob.Accept(testContext(t)); err == nil {
			chat, _ := i.Answer(testContext(t))
			answered <- chat
		}
	}()
	a, err := alice.Call(testContext(t), at)
	require.NoError(t, err)
	b = <-answered
	require.NotNil(t, b)
	for _, c := range []*otrchat.EncryptedChat{a, b} {
		require.Equal(t, otrchat.Unverified, event[otrchat.SecurityChange](t, c).Security)
	}
	return a, b
}

// Kamailio prolongs no way through it, and those of both sides end at the same time: the chat moves to new ones, encrypted as it was.
func TestChatOutlivesItsWays(t *testing.T) {
	a, b := chats(t, kamailio.Start(t, "EXPIRES=5"))
	for begun := time.Now(); time.Since(begun) < 12*time.Second; {
		for from, to := range map[*otrchat.EncryptedChat]*otrchat.EncryptedChat{a: b, b: a} {
			d, err := from.Send(testContext(t), "still here")
			require.NoError(t, err)
			if d.Wait(testContext(t)) != nil {
				continue // it was on its way when that ended
			}
			require.True(t, d.Encrypted)
			require.True(t, event[otrchat.Message](t, to).Encrypted)
		}
	}
	require.NoError(t, a.Shutdown(testContext(t)))
}

// A chat that encrypts itself, and in which one verifies the other.
func TestOTR(t *testing.T) {
	transports(t, func(t *testing.T, k *kamailio.Relay) {
		a, b := chats(t, k)
		for _, text := range []string{"hello, grüße, 世界", strings.Repeat("long ", 100_000)} {
			for from, to := range map[*otrchat.EncryptedChat]*otrchat.EncryptedChat{a: b, b: a} {
				d, err := from.Send(testContext(t), text)
				require.NoError(t, err)
				require.True(t, d.Encrypted)
				m := event[otrchat.Message](t, to)
				require.True(t, m.Encrypted)
				require.True(t, text == m.Text, "%d bytes have become %d", len(text), len(m.Text))
				require.NoError(t, d.Wait(testContext(t)))
			}
		}
		require.NoError(t, a.StartSMP(testContext(t), "where?", "Prague"))
		require.Equal(t, "where?", event[otrchat.SMP](t, b).Question)
		require.NoError(t, b.AnswerSMP(testContext(t), "Prague"))
		for e := event[otrchat.SMP](t, a); e.Progress != otrchat.SMPSucceeded; e = event[otrchat.SMP](t, a) {
			require.Equal(t, otrchat.SMPAnswered, e.Progress)
		}
		require.Equal(t, otrchat.Verified, a.Security())
	})
}
