package kamailio_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/dnstest"
	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/sip"
)

// The domain has two servers. Bob is registered at the first when it dies, and goes to the second. Alice, who has not heard of either, is led
// to the second too, by NAPTR and SRV records.
func TestRFC3263_4_3_SecondServer(t *testing.T) {
	first, second := kamailio.StartProxy(t), kamailio.StartProxy(t)
	names := dnstest.Serve(t, fmt.Sprintf(`
sip.test. NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.sip.test.
sip.test. NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.sip.test.
_sip._tcp.sip.test. SRV 10 0 %d one.sip.test.
_sip._tcp.sip.test. SRV 20 0 %d two.sip.test.
_sip._udp.sip.test. SRV 10 0 1 nowhere.sip.test.
one.sip.test. A 127.0.0.1
two.sip.test. A 127.0.0.1
`, port(t, first.Address), port(t, second.Address)))
	asks := func(o *sip.Options) {
		o.Resolver = &sip.DNS{Servers: []string{names.Addr}}
	}
	bob := newAgent(t, nil, "tcp", "bob", asks)
	r := register(t, bob, nil)
	at := func(k *kamailio.Proxy) func(sip.RegistrationState) bool {
		return func(s sip.RegistrationState) bool {
			return s.Registered && strings.Contains(strings.Join(s.ServiceRoute, " "), k.Address)
		}
	}
	require.True(t, at(first)(r.State()), r.State())
	first.Stop()
	await(t, r, at(second))

	alice := newUser(t, nil, "tcp", "alice", asks)
	a, b := call(t, alice, bob, address("bob"))
	hangUp(t, b, a)
	b, a = call(t, bob, alice, address("alice"))
	hangUp(t, b, a)
}
