package sip

import (
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serversOf is a zone in which example.com has these servers for UDP, the first one first.
func serversOf(ips ...string) *zone {
	z := newZone(map[string][]string{})
	for i, ip := range ips {
		host := string(rune('a'+i)) + ".example.com"
		z.records["SRV _sip._udp.example.com"] = append(z.records["SRV _sip._udp.example.com"], string(rune('1'+i))+" 0 5060 "+host+".")
		z.records["A "+host] = []string{ip}
	}
	return z
}

// optionsTo makes OPTIONS requests for exchange.
func optionsTo(a *Agent, target gosip.Uri) func(hop) *gosip.Request {
	d := a.newOutgoing(target, testMedia("alice")).dialog
	return func(hop) *gosip.Request {
		d.localSeq++
		return d.request(gosip.OPTIONS, d.localSeq)
	}
}

// askExample sends an OPTIONS request to example.com.
func askExample(t *testing.T, a *Agent) (*gosip.Response, error) {
	u := uriOf(t, "sip:bob@example.com")
	return a.exchange(t.Context(), u, "", a.newCredentials(), optionsTo(a, u))
}

// A server that does not answer over UDP costs 64*T1, once: from then on it comes last (RFC 3263 §4.3, RFC 3261 §17.1.2.2 timer F).
func TestRFC3263_4_3_SilentServerCostsTimerF(t *testing.T) {
	onStage(t, Options{Resolver: serversOf("192.0.2.3", "192.0.2.2")}, func(t *testing.T, b *stage) {
		go func() {
			for m := range b.In {
				b.Respond(m, "200 OK", "")
			}
		}()
		for _, want := range []time.Duration{64 * gosip.T1, 0, 0} {
			start := time.Now()
			res, err := askExample(t, b.agent)
			require.NoError(t, err)
			assert.Equal(t, 200, res.StatusCode)
			assert.Equal(t, want, time.Since(start))
		}
	})
}

// The same for INVITE, whose timer B takes as long (RFC 3261 §17.1.1.2).
func TestRFC3263_4_3_SilentServerCostsTimerB(t *testing.T) {
	onStage(t, Options{Resolver: serversOf("192.0.2.3", "192.0.2.2")}, func(t *testing.T, b *stage) {
		for _, want := range []time.Duration{64 * gosip.T1, 0} {
			start := time.Now()
			done := inviteTo(t.Context(), b.agent, "sip:bob@example.com")
			invite := b.Request("INVITE")
			assert.Equal(t, want, time.Since(start))
			b.Respond(invite, "486 Busy Here", "")
			assert.ErrorIs(t, (<-done).err, ErrBusy)
			b.Request("ACK")
		}
	})
}

// The answer to a challenge goes to the server that asked, with the next sequence number (RFC 3261 §22.2), although another server
// of the domain would be as good.
func TestRFC3261_22_2_ChallengeOfOneServer(t *testing.T) {
	o := Options{Password: "secret", Resolver: serversOf("192.0.2.3", "192.0.2.2", "192.0.2.4")}
	onStage(t, o, func(t *testing.T, b *stage) {
		busy, other := b.peer("192.0.2.3"), b.peer("192.0.2.4")
		done := make(chan *gosip.Response, 1)
		go func() {
			res, err := askExample(t, b.agent)
			assert.NoError(t, err)
			done <- res
		}()
		m := busy.Request("OPTIONS")
		assert.Equal(t, 1, m.Seq())
		busy.Respond(m, "503 Service Unavailable", "Retry-After: 60\n")
		m = b.Request("OPTIONS")
		assert.Equal(t, 2, m.Seq())
		b.Respond(m, "401 Unauthorized", "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\n")
		m = b.Request("OPTIONS")
		assert.Equal(t, 3, m.Seq())
		assert.Contains(t, m.Value("Authorization"), `username="bob"`)
		b.Respond(m, "200 OK", "")
		assert.Equal(t, 200, (<-done).StatusCode)
		busy.None(0)
		other.None(0)
	})
}

// A server that has begun to serve a request, and then falls silent, is not replaced by another that would serve it again.
func TestRFC3263_4_3_ProvisionalResponse(t *testing.T) {
	onStage(t, Options{Resolver: serversOf("192.0.2.2", "192.0.2.3")}, func(t *testing.T, b *stage) {
		other := b.peer("192.0.2.3")
		go func() {
			for m := range b.In {
				b.Respond(m, "100 Trying", "")
			}
		}()
		_, err := askExample(t, b.agent)
		assert.Equal(t, ErrTimeout, err)
		other.None(0)
	})
}

// Close does not wait for DNS.
func TestCloseDuringASearch(t *testing.T) {
	z := newZone(map[string][]string{"NAPTR example.com": {"?"}})
	onStage(t, Options{Resolver: z}, func(t *testing.T, b *stage) {
		asked, invited := make(chan error, 1), inviteTo(t.Context(), b.agent, "sip:bob@example.com")
		go func() {
			_, err := askExample(t, b.agent)
			asked <- err
		}()
		time.Sleep(time.Second)
		start := time.Now()
		require.NoError(t, b.agent.Close())
		assert.ErrorIs(t, <-asked, ErrClosed)
		assert.ErrorIs(t, (<-invited).err, ErrClosed)
		assert.LessOrEqual(t, time.Since(start), closeGrace)
		assert.Equal(t, []string{"NAPTR example.com", "NAPTR example.com"}, z.questions())
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
