package sip

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// A request outside a dialog goes to the outbound proxy by a preloaded route, a request within it by the route that the
// dialog came up with (RFC 3261 §8.1.2, §12.2.1.1).
func TestRFC3261_8_1_2_OutboundProxy(t *testing.T) {
	for _, tt := range []struct{ name, proxy, route string }{
		{"as given", "sip:example.com", "<sip:example.com;lr>"},
		{"loose already", "sip:edge@example.com;lr;transport=udp", "<sip:edge@example.com;lr;transport=udp>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				alice, n := inBubble(t, &Options{OutboundProxy: tt.proxy}, "192.0.2.2")
				proxy := siptest.NewPeer(t, n.Host("192.0.2.2"))
				calls := make(chan *Call, 1)
				go func() {
					c, err := alice.Invite(t.Context(), "sip:bob@nowhere.example", testMedia("alice"))
					assert.NoError(t, err)
					calls <- c
				}()
				invite := proxy.Request("INVITE")
				assert.Equal(t, "sip:bob@nowhere.example", invite.URI)
				assert.Equal(t, []string{tt.route}, invite.Values("Route"))
				proxy.Respond(invite, "200 OK", "Record-Route: <sip:192.0.2.2;lr;id=1>\nContact: <sip:bob@192.0.2.9>\n"+proxy.SDP("passive"))
				ack := proxy.Request("ACK")
				assert.Equal(t, []string{"<sip:192.0.2.2;lr;id=1>"}, ack.Values("Route"))
				assert.Equal(t, "sip:bob@192.0.2.9", ack.URI)
				c := <-calls
				require.NotNil(t, c)
				require.NoError(t, c.Close())
				proxy.Respond(proxy.Request("BYE"), "200 OK", "")
				synctest.Wait()
				for _, q := range alice.opts.Resolver.(*zone).questions() {
					assert.NotContains(t, q, "nowhere.example", "the proxy finds the target")
				}
				require.NoError(t, alice.Close())
				proxy.Close()
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
