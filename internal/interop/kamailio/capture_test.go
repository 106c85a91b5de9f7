package kamailio_test

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/internal/interop/tshark"
	"github.com/otrchat/otrchat/sip"
)

// tshark looks at all that the agents and both proxies say to each other: registrations, calls with ringing, hold, refusals and cancelling.
func TestTsharkFindsNothingMalformed(t *testing.T) {
	k := kamailio.StartProxy(t)
	edge := kamailio.StartEdge(t, k)
	ports := []int{port(t, k.Address), port(t, edge.Address)}
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			rec := tshark.Capture(t, ports...)
			t.Run("talk", func(t *testing.T) { // and unregister at the end
				talkOfAll(t, newUser(t, k, network, "alice", instance(phoneID)), newUser(t, edge, network, "bob", instance(deskID), named))
			})
			seen := make(map[string]int)
			for _, f := range tshark.Dissect(t, rec.Stop(), tshark.Ports{SIP: ports}) {
				seen[f.Method]++
				seen[strconv.Itoa(f.Status)]++
				if f.Fields["sdp.media"] != nil {
					seen["SDP"]++
				}
				if strings.Contains(fmt.Sprint(f.Fields["sip.Contact"]), "reg-id=1") && slices.Equal(f.Fields["sip.Require"], []string{"outbound"}) {
					seen["outbound"]++
				}
			}
			for _, what := range []string{"REGISTER", "INVITE", "ACK", "BYE", "CANCEL", "100", "180", "200", "401", "407", "480", "486", "487", "SDP"} {
				assert.NotZero(t, seen[what], what)
			}
			assert.Equal(t, network == "tcp", seen["outbound"] > 0, "a registration over a connection is tied to it (RFC 5626)")
		})
	}
}

func named(o *sip.Options) {
	o.DisplayName = `Bob "Ö" \ <b>`
}

func port(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	require.NoError(t, err)
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

func talkOfAll(t *testing.T, alice, bob *sip.Agent) {
	a, b := call(t, alice, bob, address("bob"))
	hold := b.Local()
	hold.Direction = sip.SendOnly
	require.NoError(t, b.Reinvite(testContext(t), hold))
	hangUp(t, b, a)
	b, a = call(t, bob, alice, address("alice"))
	hangUp(t, a, b)
	refusals(t, alice, bob)
	cancels(t, alice, bob)
}
