package sip

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

func TestRFC3261_8_1_3_3_SeveralVias(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVictim(t)
		bob := siptest.NewPeer(t, v.network.Host("192.0.2.4"))
		done := inviteTo(t.Context(), v.agent, bob.URI("udp"))
		invite := bob.Request("INVITE")
		bob.Respond(invite, "486 Busy Here", "Via: "+invite.Value("Via")+"\nVia: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKother\n")
		bob.Respond(invite, "180 Ringing", "") // the INVITE is not sent again
		bob.None(100 * time.Millisecond)       // sipgo serves messages side by side: the 200 shall not come first
		bob.Respond(invite, "200 OK", bob.SDP("passive"))
		r := <-done
		require.NoError(t, r.err, "the 486 was for another")
		bob.Request("ACK")
	})
}

func TestRFC3261_25_1_BlanksAroundParameters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVictim(t)
		v.caller.Send("OPTIONS sip:bob@192.0.2.1 SIP/2.0\nFrom: <sip:c@x> ; tag = 1\nVia: SIP/2.0/TCP 192.0.2.2 ; branch = z9hG4bKx\n")
		res := v.caller.Final("OPTIONS")
		assert.Equal(t, 200, res.Status)
		assert.Equal(t, "1", res.Param("From", "tag"))

		done := inviteTo(t.Context(), v.agent, v.caller.URI("udp"))
		invite := v.caller.Request("INVITE")
		v.caller.Respond(invite, "200 OK", "To: "+invite.Value("To")+" ; tag = 2\n"+v.caller.SDP("passive"))
		require.NoError(t, (<-done).err)
		assert.Equal(t, "2", v.caller.Request("ACK").Param("To", "tag"))
	})
}

func TestRFC3261_8_1_1_OneOfEach(t *testing.T) {
	for _, twice := range []string{
		"To: <sip:b@x>\nTo: <sip:c@x>", "t: <sip:b@x>\nTo: <sip:b@x>", "From: <sip:c@x>;tag=1\nf: <sip:c@x>;tag=2", "Call-ID: 1\ni: 2", "CSeq: 1 OPTIONS\nCSeq: 2 OPTIONS",
		"Max-Forwards: 1\nMax-Forwards: 2", "Content-Length: 0\nl: 0", "Content-Type: text/plain\nc: text/html",
	} {
		t.Run(twice, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVictim(t)
				v.caller.Send("OPTIONS sip:bob@192.0.2.1 SIP/2.0\n" + twice)
				assert.Equal(t, 400, v.caller.Final("OPTIONS").Status)
				v.goesOn()
			})
		})
	}
}

// A CANCEL that matches no INVITE leaves nothing behind: a stranger could use up all transactions otherwise.
func TestRFC3261_9_2_CancelOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVictim(t)
		for range 2 {
			for request, code := range map[string]int{"CANCEL sip:b@x SIP/2.0": 481, "CANCEL sip:b@x SIP/3.0": 505, "INFO sip:b@x SIP/2.0\nCSeq: 1 CANCEL": 400} {
				v.caller.Send(request)
				assert.Equal(t, code, v.caller.Final("CANCEL").Status)
			}
			v.forgets()
			v.caller.Dial("udp", victimAddress) // after TCP
		}
	})
}
