package sipp

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/interop/tshark"
	"github.com/otrchat/otrchat/sip"
)

// tshark looks at what the agent says and is answered, to requests of every kind, and offers with all that an SDP can have.
func TestTsharkFindsNothingMalformed(t *testing.T) {
	foreign.Need(t, "sipp")
	for _, network := range []string{"udp", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			a, addr := newAgentOf(t, network, &sip.Options{
				DisplayName: `"Alice" \ Ö <a>`, Focus: true, InstanceID: "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", MessageTypes: []string{"text/plain"},
			})
			_, text, err := net.SplitHostPort(addr)
			require.NoError(t, err)
			port, err := strconv.Atoi(text)
			require.NoError(t, err)
			rec := tshark.Capture(t, port)
			p := caller(t, network, addr, requests)
			i, err := a.Accept(testContext(t))
			require.NoError(t, err, p)
			require.NoError(t, i.Ring(testContext(t)))
			p.saw(t, "PRACK\r\n", 2) // CSeq of the request and of our 200
			c, err := i.Answer(testContext(t), media())
			require.NoError(t, err, p)
			require.NoError(t, c.Reinvite(testContext(t), fullMedia(c)), p)
			p.wait(t, c.Done(), "no BYE")
			p.played(t)

			seen := make(map[string]int)
			for _, f := range tshark.Dissect(t, rec.Stop(), tshark.Ports{SIP: []int{port}}) {
				seen[f.Method]++
				seen[strconv.Itoa(f.Status)]++
			}
			for _, what := range []string{"INVITE", "ACK", "180", "200", "405", "415", "420", "422", "481", "501"} {
				assert.NotZero(t, seen[what], what)
			}
		})
	}
}

// requests are answered in every way.
func requests(s *scenario) {
	s.request("OPTIONS")
	s.expect(200)
	s.request("REFER")
	s.expect(405)
	s.request("X-UNKNOWN")
	s.expect(501)
	s.request("BYE")
	s.expect(481)
	s.request("INVITE", contact(""), "Require: x-unknown")
	s.expect(420)
	s.refused()
	s.request("INVITE", contact(""), "Supported: timer", "Session-Expires: 60")
	s.expect(422)
	s.refused()
	s.request("INVITE", contact(""), "Content-Type: text/html\nContent-Length: [len]\n\n<b>call</b>")
	s.expect(415)
	s.refused()
	s.request("INVITE", contact(""), "Require: 100rel", "Supported: timer", sdp(1, "c[call_number]", "a=setup:actpass"))
	s.reliable(180)
	s.answered(200)
	s.ack()
	takes(s, "a=chatroom", "a=setup:passive\na=recvonly")
	goodbye(s)
}

// fullMedia is our side of a call with all that it can have.
func fullMedia(c *sip.Call) *sip.Media {
	m := c.Local()
	m.AcceptWrappedTypes, m.MaxSize, m.CEMA, m.Chatroom = []string{"text/plain", "text/html"}, 1<<20, true, []string{"nickname", "private-messages"}
	m.Direction = sip.SendOnly
	return m
}
