package kamailio_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/sip"
)

// overEdges runs f with a registrar and an edge proxy before it.
func overEdges(t *testing.T, networks []string, f func(t *testing.T, k, edge *kamailio.Proxy, network string)) {
	k := kamailio.StartProxy(t)
	edge := kamailio.StartEdge(t, k)
	for _, network := range networks {
		t.Run(network, func(t *testing.T) { f(t, k, edge, network) })
	}
}

// dialled are the networks on which one proxy can connect to another. A path that ends in a WebSocket needs outbound.
var dialled = []string{"udp", "tcp", "tls"}

// Both agents know the edge proxy alone: two proxies in a row, and the second sends what is for them by the way that they registered (RFC 3327).
func TestRFC3261_16_CallThroughTwoProxies(t *testing.T) {
	overEdges(t, dialled, func(t *testing.T, _, edge *kamailio.Proxy, network string) {
		alice, bob := newUser(t, edge, network, "alice"), newUser(t, edge, network, "bob")
		a, b := call(t, alice, bob, address("bob"))
		hangUp(t, a, b)
		b, a = call(t, bob, alice, address("alice"))
		hangUp(t, a, b)
	})
}

// Alice's outbound proxy passes the call on to the second one, where bob is.
func TestRFC3261_16_CallThroughTwoProxiesToOne(t *testing.T) {
	overEdges(t, dialled, func(t *testing.T, k, edge *kamailio.Proxy, network string) {
		alice, bob := newUser(t, edge, network, "alice"), newUser(t, k, network, "bob")
		a, b := call(t, alice, bob, address("bob"))
		hangUp(t, b, a)
		b, a = call(t, bob, alice, address("alice"))
		hangUp(t, b, a)
	})
}

// With an instance ID the registration is tied to its connection, as far as the proxy and the registrar can do so.
func TestRFC5626_4_OutboundThroughAnEdge(t *testing.T) {
	overEdges(t, networks, func(t *testing.T, _, edge *kamailio.Proxy, network string) {
		alice, bob := newAgent(t, edge, network, "alice", instance(phoneID)), newAgent(t, edge, network, "bob", instance(deskID))
		register(t, alice, nil)
		r := register(t, bob, nil)
		assert.NotEmpty(t, r.State().GRUU)
		a, b := call(t, alice, bob, address("bob"))
		hangUp(t, b, a)
		b, a = call(t, bob, alice, address("alice"))
		hangUp(t, b, a)
	})
}

// Kamailio dies and comes back, and has forgotten everybody.
func TestRFC5626_4_5_RegistersAgain(t *testing.T) {
	for _, network := range connected {
		t.Run(network, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			k := kamailio.StartProxy(t)
			alice, bob := newAgent(t, k, network, "alice"), newAgent(t, k, network, "bob")
			r, err := bob.Register(testContext(t), nil)
			require.NoError(t, err)
			k.Stop()
			await(t, r, func(s sip.RegistrationState) bool { return !s.Registered && s.Err != nil })
			k.Again(t)
			await(t, r, func(s sip.RegistrationState) bool { return s.Registered })
			a, b := call(t, alice, bob, address("bob"))
			hangUp(t, a, b)
		})
	}
}

func await(t *testing.T, r *sip.Registration, f func(sip.RegistrationState) bool) {
	t.Helper()
	for {
		changed := r.Changed()
		if f(r.State()) {
			return
		}
		waitFor(t, changed, "the state of the registration does not change")
	}
}
