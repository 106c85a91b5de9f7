package sip

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A request outside a dialog goes to the outbound proxy by a preloaded route, a request within it by the route that the
// dialog came up with (RFC 3261 §8.1.2, §12.2.1.1).
func TestRFC3261_8_1_2_OutboundProxy(t *testing.T) {
	for _, tt := range []struct{ name, proxy, route string }{
		{"as given", "sip:example.com", "<sip:example.com;lr>"},
		{"loose already", "sip:edge@example.com;lr;transport=udp", "<sip:edge@example.com;lr;transport=udp>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := serversOf("192.0.2.2")
			onStage(t, Options{OutboundProxy: tt.proxy, Resolver: z}, func(t *testing.T, b *stage) {
				done := inviteTo(t.Context(), b.agent, "sip:bob@nowhere.example")
				invite := b.Request("INVITE")
				assert.Equal(t, "sip:bob@nowhere.example", invite.URI)
				assert.Equal(t, []string{tt.route}, invite.Values("Route"))
				b.Respond(invite, "200 OK", "Record-Route: <sip:192.0.2.2;lr;id=1>\nContact: <sip:bob@192.0.2.9>\n"+b.SDP("passive"))
				ack := b.Request("ACK")
				assert.Equal(t, []string{"<sip:192.0.2.2;lr;id=1>"}, ack.Values("Route"))
				assert.Equal(t, "sip:bob@192.0.2.9", ack.URI)
				r := <-done
				require.NoError(t, r.err)
				require.NoError(t, r.call.Close())
				b.Respond(b.Request("BYE"), "200 OK", "")
				for _, q := range z.questions() {
					assert.NotContains(t, q, "nowhere.example", "the proxy finds the target")
				}
			})
		})
	}
}

func TestOutboundProxyOption(t *testing.T) {
	for _, proxy := range []string{"proxy.example.com", "http://example.com", "sip:", "sip:a b", "sip:example.com\r\nX: y", "sip:example.com?Route=x"} {
		_, err := New(&Options{Address: "sip:alice@example.com", OutboundProxy: proxy})
		assert.ErrorContains(t, err, "Options.OutboundProxy", proxy)
	}
}

// A sips target goes by TLS to the proxy too (RFC 3261 §26.2.2): never to one that has none.
func TestRFC3261_26_2_2_SipsThroughAProxy(t *testing.T) {
	z := newZone(map[string][]string{"A proxy.example.com": {"192.0.2.2"}})
	for proxy, want := range map[string][]string{
		"sip:proxy.example.com":                    {"tls 192.0.2.2:5061 proxy.example.com"},
		"sip:proxy.example.com:5070;transport=tcp": {"tls 192.0.2.2:5070 proxy.example.com"},
		"sips:proxy.example.com":                   {"tls 192.0.2.2:5061 proxy.example.com"},
		"sip:proxy.example.com;transport=ws":       {"wss 192.0.2.2:443 proxy.example.com"},
		"sip:proxy.example.com;transport=udp":      {`sip: locate: transport "udp" is not supported`},
	} {
		a := newLocator(t, z, true)
		a.opts.OutboundProxy = proxy
		d := dialog{target: uriOf(t, "sips:bob@example.com"), routes: a.preloaded()}
		next := d.nextHop()
		assert.Equal(t, want, locateAll(t, a, next.String(), ""), proxy)
	}
}
