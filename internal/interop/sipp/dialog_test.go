package sipp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip"
)

// sipp asks for a session timer; the time itself is for tests in synctest bubbles.
func TestRFC4028_9_PeerAsks(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p, c := answer(t, network, func(s *scenario) {
			s.request("INVITE", contact(""), "Supported: timer", "Session-Expires: 60", sdp(1, "c[call_number]", "a=setup:active"))
			s.expect(422, has("Min-SE", "90"))
			s.refused()
			s.request("INVITE", contact(""), "Supported: timer", "Min-SE: 90", "Session-Expires: 90;refresher=uac", sdp(1, "c[call_number]", "a=setup:active"))
			s.expect(180)
			s.answered(200, has("Require", "timer"), has("Session-Expires", "90 *; *refresher=uac"))
			s.ack()
			s.request("UPDATE", contact(""), "Supported: timer", "Session-Expires: 90;refresher=uac")
			s.expect(200, has("Session-Expires", "90 *; *refresher=uac"))
			s.request("INVITE", contact(""), "Supported: timer", "Session-Expires: 90;refresher=uac", sdp(1, "c[call_number]", "a=setup:active"))
			s.answered(200, has("Session-Expires", "90 *; *refresher=uac"))
			s.ack()
			goodbye(s)
		})
		p.wait(t, c.Done(), "no BYE")
		p.played(t)
	})
}

// sipp finds our interval too small and grants a longer one.
func TestRFC4028_7_WeAsk(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		a, _ := newAgentOf(t, network, &sip.Options{SessionExpires: 2 * time.Minute})
		p, target := callee(t, network, func(s *scenario) {
			s.invited(has("Supported", "timer"), has("Session-Expires", "120"))
			s.reply("422 Session Interval Too Small", "Min-SE: 300")
			s.recv("ACK")
			s.recv("INVITE", has("Session-Expires", "300"), has("Min-SE", "300"))
			s.reply("200 OK", contact(""), "Require: timer", "Session-Expires: 300;refresher=uac", sdp(1, "bob"))
			s.recv("ACK")
			s.recv("BYE")
			s.reply("200 OK")
		})
		c, err := a.Invite(testContext(t), target, media())
		require.NoError(t, err, p)
		require.NoError(t, c.Bye(testContext(t)), p)
		p.played(t)
	})
}

const hello = "Content-Type: text/plain;charset=utf-8\nContent-Length: [len]\n\nhello"

func TestRFC3428_7_MESSAGE(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		a, addr := newAgentOf(t, network, &sip.Options{MessageTypes: []string{"text/plain"}})
		p := caller(t, network, addr, func(s *scenario) {
			s.request("MESSAGE", "Content-Type: text/html\nContent-Length: [len]\n\n<b>hello</b>")
			s.expect(415, has("Accept", "text/plain"))
			s.request("MESSAGE", hello)
			s.expect(200, lacks("Contact"))
			chats(s)
			s.request("MESSAGE", hello)
			s.expect(200)
			goodbye(s)
		})
		i, err := a.Accept(testContext(t))
		require.NoError(t, err, p)
		require.NoError(t, i.Ring(testContext(t)))
		c, err := i.Answer(testContext(t), media())
		require.NoError(t, err, p)
		for _, in := range []*sip.Call{nil, c} {
			m, err := a.ReceiveMessage(testContext(t))
			require.NoError(t, err, p)
			assert.Equal(t, "hello", string(m.Body))
			assert.Equal(t, "text/plain;charset=utf-8", m.ContentType)
			assert.Equal(t, "sipp", m.RemoteDisplayName)
			assert.Equal(t, in, m.Call)
		}
		p.wait(t, c.Done(), "no BYE")
		p.played(t)
	})
}

func TestRFC3261_8_2_1_MethodsThatAreNotAllowed(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p, c := answer(t, network, func(s *scenario) {
			chats(s)
			for method, code := range map[string]int{"MESSAGE": 405, "REFER": 405, "SUBSCRIBE": 405, "X-UNKNOWN": 501} {
				s.request(method)
				s.expect(code, has("Allow", "INVITE"))
			}
			goodbye(s)
		})
		p.wait(t, c.Done(), "no BYE")
		p.played(t)
	})
}

func TestRFC3261_11_2_OPTIONS(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		_, addr := newAgent(t, network)
		p := caller(t, network, addr, func(s *scenario) {
			s.request("OPTIONS", "Accept: application/sdp")
			s.expect(200, has("Allow", "INVITE.*UPDATE"), has("Accept", "application/sdp"), has("Supported", "100rel"), has("Contact", "sip:alice@"))
		})
		p.played(t)
		p, c := answer(t, network, func(s *scenario) {
			chats(s)
			s.request("OPTIONS")
			s.expect(200, has("Allow", "INVITE"))
			goodbye(s)
		})
		p.wait(t, c.Done(), "no BYE")
		p.played(t)
	})
}
