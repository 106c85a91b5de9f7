package kamailio_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/otrsession"
	"github.com/otrchat/otrchat/sip"
)

// subscriber is a user of a service: registered over TLS, with a relay for MSRP, and without a socket that anybody could connect to.
func subscriber(t *testing.T, service *kamailio.Proxy, relay *kamailio.Relay, name string) *otrchat.Client {
	t.Helper()
	key, err := otrsession.GenerateKey()
	require.NoError(t, err)
	c, err := otrchat.New(&otrchat.Options{
		Address: address(name), Password: kamailio.Password, Realm: kamailio.Domain, Key: key, Policy: otrchat.Always,
		SIP:   sip.Options{OutboundProxy: service.URI("tls"), TLS: &tls.Config{RootCAs: service.Roots}},
		Relay: options(relay, name, kamailio.Password), TLS: &tls.Config{RootCAs: relay.Roots},
	})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	_, err = c.Register(testContext(t), nil)
	require.NoError(t, err)
	return c
}

// Two users of a service, both behind NATs for all that the service knows, chat by their addresses.
func TestChatOfRegisteredUsers(t *testing.T) {
	service, relay := kamailio.StartProxy(t), kamailio.StartTLS(t)
	alice, bob := subscriber(t, service, relay, "alice"), subscriber(t, service, relay, "bob")
	a, b := calls(t, alice, bob, address("bob"))
	for from, to := range map[*otrchat.EncryptedChat]*otrchat.EncryptedChat{a: b, b: a} {
		d, err := from.Send(testContext(t), "hello")
		require.NoError(t, err)
		require.True(t, event[otrchat.Message](t, to).Encrypted)
		require.NoError(t, d.Wait(testContext(t)))
	}
	require.Equal(t, "alice@"+kamailio.Domain, b.Contact())
	require.NoError(t, alice.Shutdown(testContext(t)))
	for {
		if _, err := b.Receive(testContext(t)); err != nil {
			require.ErrorIs(t, err, otrchat.ErrEnded)
			break
		}
	}
	var status *sip.StatusError
	_, err := bob.Call(testContext(t), address("alice"))
	require.ErrorAs(t, err, &status, "alice has unregistered")
}
