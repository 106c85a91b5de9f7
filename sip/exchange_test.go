package sip

import (
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// inBubble is an agent on a network in memory, for UDP, and the servers of example.com there, the first one first.
func inBubble(t *testing.T, o *Options, servers ...string) (*Agent, *siptest.Network) {
	z := newZone(map[string][]string{})
	for i, ip := range servers {
		host := string(rune('a'+i)) + ".example.com"
		z.records["SRV _sip._udp.example.com"] = append(z.records["SRV _sip._udp.example.com"], string(rune('1'+i))+" 0 5060 "+host+".")
		z.records["A "+host] = []string{ip}
	}
	o.Address, o.Resolver = "sip:alice@example.com", z
	a, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = a.Close() })
	n := new(siptest.Network)
	c, err := n.Host("192.0.2.1").ListenPacket(5060)
	require.NoError(t, err)
	require.NoError(t, a.ListenPacketOn(c))
	return a, n
}

// optionsTo makes OPTIONS requests for exchange.
func optionsTo(a *Agent, target gosip.Uri) func(hop) *gosip.Request {
	d := a.newOutgoing(target, testMedia("alice")).dialog
	return func(hop) *gosip.Request {
		d.localSeq++
		return d.request(gosip.OPTIONS, d.localSeq)
	}
}

// A server that does not answer over UDP costs 64*T1, once: from then on it comes last (RFC 3263 §4.3, RFC 3261 §17.1.2.2 timer F).
func TestRFC3263_4_3_SilentServerCostsTimerF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, n := inBubble(t, &Options{}, "192.0.2.2", "192.0.2.3")
		good := siptest.NewPeer(t, n.Host("192.0.2.3"))
		go func() {
			for m := range good.In {
				good.Respond(m, "200 OK", "")
			}
		}()
		for _, want := range []time.Duration{64 * gosip.T1, 0, 0} {
			start := time.Now()
			u := uriOf(t, "sip:bob@example.com")
			res, err := alice.exchange(t.Context(), u, "", alice.newCredentials(), optionsTo(alice, u))
			require.NoError(t, err)
			assert.Equal(t, 200, res.StatusCode)
			assert.Equal(t, want, time.Since(start))
		}
		good.Close()
		require.NoError(t, alice.Close())
	})
}

// The answer to a challenge goes to the server that asked, with the next sequence number (RFC 3261 §22.2), although another server
// of the domain would be as good.
func TestRFC3261_22_2_ChallengeOfOneServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, n := inBubble(t, &Options{Password: "secret"}, "192.0.2.2", "192.0.2.3", "192.0.2.4")
		busy := siptest.NewPeer(t, n.Host("192.0.2.2"))
		server := siptest.NewPeer(t, n.Host("192.0.2.3"))
		other := siptest.NewPeer(t, n.Host("192.0.2.4"))
		go func() {
			for m := range busy.In {
				busy.Respond(m, "503 Service Unavailable", "Retry-After: 60\n")
			}
		}()
		var seqs []int
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for m := range server.In {
				seqs = append(seqs, m.Seq())
				if m.Value("Authorization") == "" {
					server.Respond(m, "401 Unauthorized", "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\n")
				} else {
					server.Respond(m, "200 OK", "")
				}
			}
		}()
		u := uriOf(t, "sip:bob@example.com")
		res, err := alice.exchange(t.Context(), u, "", alice.newCredentials(), optionsTo(alice, u))
		require.NoError(t, err)
		assert.Equal(t, 200, res.StatusCode)
		for _, p := range []*siptest.Peer{busy, server, other} {
			p.Close()
		}
		<-ended
		assert.Equal(t, []int{2, 3}, seqs, "the first was for the busy one")
		assert.Empty(t, other.In)
		require.NoError(t, alice.Close())
	})
}

// A server that has begun to serve a request, and then falls silent, is not replaced by another that would serve it again.
func TestRFC3263_4_3_ProvisionalResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, n := inBubble(t, &Options{}, "192.0.2.2", "192.0.2.3")
		slow := siptest.NewPeer(t, n.Host("192.0.2.2"))
		other := siptest.NewPeer(t, n.Host("192.0.2.3"))
		go func() {
			for m := range slow.In {
				slow.Respond(m, "100 Trying", "")
			}
		}()
		u := uriOf(t, "sip:bob@example.com")
		_, err := alice.exchange(t.Context(), u, "", alice.newCredentials(), optionsTo(alice, u))
		assert.Equal(t, ErrTimeout, err)
		other.None(0)
		require.NoError(t, alice.Close())
	})
}

// A Via host that a peer names is never looked up (RFC 3263 §5 is for proxies): the response goes where the request came from.
func TestRFC3263_5_ViaIsNotLookedUp(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	u.send("OPTIONS sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP localhost:" + port(u.addr()) + ";branch=z9hG4bKvia\nFrom: <sip:carol@example.org>;tag=1\n" +
		"To: <sip:bob@example.com>\nCall-ID: via\nCSeq: 1 OPTIONS\n")
	assert.Equal(t, 200, u.final(gosip.OPTIONS).StatusCode)
	_, err := noResolver.LookupNetIP(testContext(t), "ip", "via.example.com")
	assert.ErrorContains(t, err, errNotAsked.Error())
}
