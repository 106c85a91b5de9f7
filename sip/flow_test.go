package sip

import (
	"net/netip"
	"strings"
	"testing"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The requests of a dialog go back over the connection that the peer opened only where that leads to the same place, is up, and was not
// opened by us.
func TestFlowLeadsToTheSamePlace(t *testing.T) {
	a := newTestAgent(t, &Options{})
	there := netip.MustParseAddrPort("192.0.2.2:5060")
	req := gosip.NewRequest(gosip.BYE, gosip.Uri{Scheme: "sip", Host: "192.0.2.2"})
	call := a.newCall(dialog{}, "", "")
	a.calls[dialogID{}] = call
	defer a.forget(call)
	for name, c := range map[string]struct {
		hop    hop
		change func(*stream)
		want   bool
	}{
		"the same":              {hop{network: "tcp", addr: there}, nil, true},
		"no address of its own": {hop{network: "tcp"}, nil, true},
		"another port":          {hop{network: "tcp", addr: netip.MustParseAddrPort("192.0.2.2:5070")}, nil, false},
		"another address":       {hop{network: "tcp", addr: netip.MustParseAddrPort("192.0.2.3:5060")}, nil, false},
		"TLS is wanted":         {hop{network: "tls", addr: there}, nil, false},
		"a WebSocket":           {hop{network: "ws", addr: there}, nil, false},
		"a secure WebSocket":    {hop{network: "ws", addr: there}, func(c *stream) { c.peer.network = "wss" }, true},
		"a plain one":           {hop{network: "wss", addr: there}, func(c *stream) { c.peer.network = "ws" }, false},
		"dialled":               {hop{network: "tcp", addr: there}, func(c *stream) { c.dialled = true }, false},
		"gone":                  {hop{network: "tcp", addr: there}, func(c *stream) { close(c.gone) }, false},
	} {
		s := &stream{peer: endpoint{"tcp", there}, gone: make(chan struct{})}
		if c.change != nil {
			c.change(s)
		}
		call.dialog.flow = s
		assert.Equal(t, c.want, a.flow(req, c.hop) == s, name)
	}
}

// What a proxy on the way is reached by counts too (RFC 3261 §26.2.2).
func TestRFC3261_26_2_2_RouteOfSips(t *testing.T) {
	a := newTestAgent(t, &Options{}, "udp")
	req := gosip.NewRequest(gosip.BYE, gosip.Uri{Scheme: "sip", Host: "192.0.2.2"})
	assert.False(t, needsTLS(req))
	req.AppendHeader(&gosip.RouteHeader{Address: gosip.Uri{Scheme: "sip", Host: "192.0.2.3"}})
	assert.False(t, needsTLS(req))
	req.RemoveHeader("Route")
	req.AppendHeader(&gosip.RouteHeader{Address: gosip.Uri{Scheme: "sips", Host: "192.0.2.3"}})
	_, err := a.connect(t.Context(), req, hop{network: "udp", addr: netip.MustParseAddrPort("192.0.2.3:5060")})
	assert.ErrorIs(t, err, errNotSecure)
}

// An ACK with a control character is nobody's, and a 200 waits for a clean one.
func TestACKWithControlCharacters(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, i := b.offer("")
		done := answer(t.Context(), i)
		ok := b.Final("INVITE")
		b.Ack(invite, ok, "Subject: a\x00b\n")
		b.Final("INVITE") // again
		b.Ack(invite, ok, "")
		r := <-done
		require.NoError(t, r.err)
		b.bye(r.call)
	})
}

// What Register is given that no server could be asked with, or too late.
func TestRegisterRefusesAtOnce(t *testing.T) {
	a := newTestAgent(t, &Options{})
	require.NoError(t, a.Close())
	_, err := a.Register(testContext(t), &RegisterOptions{Registrar: "sip:192.0.2.9;transport=tcp"})
	assert.ErrorIs(t, err, ErrClosed)
	_, err = New(&Options{Address: "sip:bob@example.com", InstanceID: "urn:x:" + strings.Repeat("a", maxText)})
	assert.ErrorContains(t, err, "Options.InstanceID")
}

// The ACKs of a call that is refreshed for days are not all kept.
func TestACKsAreBounded(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, _ := b.placed("")
		for range 2 * maxACKs {
			done := reinvite(t.Context(), call, testMedia("alice"))
			b.Respond(b.Request("INVITE"), "200 OK", b.SDP("passive"))
			b.Request("ACK")
			require.NoError(t, <-done)
		}
		call.mu.Lock()
		assert.Len(t, call.acks, maxACKs)
		call.mu.Unlock()
		b.bye(call)
	})
}
