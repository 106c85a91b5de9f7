package kamailio_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/sip"
)

// newAgent makes an agent for a user of the domain, which reaches it by a network.
func newAgent(t *testing.T, k *kamailio.Proxy, network, user string, amend ...func(*sip.Options)) *sip.Agent {
	t.Helper()
	o := &sip.Options{
		Address: "sip:" + user + "@" + kamailio.Domain, Password: kamailio.Password, Realm: kamailio.Domain,
		OutboundProxy: k.URI(network),
	}
	for _, f := range amend {
		f(o)
	}
	a, err := sip.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.Close()) })
	if network == "udp" || network == "tcp" {
		_, err = a.Listen(testContext(t), network, "127.0.0.1:0")
		require.NoError(t, err)
	}
	return a
}

// register registers an agent.
func register(t *testing.T, a *sip.Agent, o *sip.RegisterOptions) *sip.Registration {
	t.Helper()
	r, err := a.Register(testContext(t), o)
	require.NoError(t, err)
	return r
}

func TestRFC3261_10_2_Register(t *testing.T) {
	k := kamailio.StartProxy(t)
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			a := newAgent(t, k, network, "alice")
			r := register(t, a, nil)
			s := r.State()
			assert.True(t, s.Registered)
			t.Logf("%+v", s)
		})
	}
}
