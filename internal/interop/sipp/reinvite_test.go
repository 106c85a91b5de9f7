package sipp

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip"
)

// held is our side of a session that hears nothing.
func held() *sip.Media {
	m := media()
	m.Direction = sip.SendOnly
	return m
}

// takes lets sipp take our re-INVITE with an answer.
func takes(s *scenario, offer, answer string) {
	s.recv("INVITE", body(offer))
	s.reply("200 OK", contact(""), sdp(2, "c[call_number]", answer))
	s.recv("ACK")
}

// established are the first steps of a caller: a call with an audio line beside the chat.
func established(s *scenario) {
	s.request("INVITE", contact(""), beside(sdp(1, "c[call_number]", "a=setup:active"), "m=audio 4000 RTP/AVP 0"))
	s.expect(180)
	s.answered(200, body("m=audio 0 RTP/AVP 0.*m=message [1-9]"))
	s.ack()
}

// chats is established without the audio line.
func chats(s *scenario) {
	s.request("INVITE", contact(""), sdp(1, "c[call_number]", "a=setup:active"))
	s.expect(180)
	s.answered(200)
	s.ack()
}

func TestRFC3261_14_2_SameSessionAgain(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p, c := answer(t, network, func(s *scenario) {
			established(s)
			s.request("INVITE", contact(""), beside(sdp(2, "c[call_number]", "a=setup:active"), "m=audio 0 RTP/AVP 0"))
			s.answered(200, body("m=message [1-9]"))
			s.ack()
			s.request("UPDATE", contact(""))
			s.expect(200, has("Contact", "sip:alice@"))
			goodbye(s)
		})
		assert.False(t, c.Focus())
		assert.Equal(t, sip.SetupPassive, c.Local().Setup)
		p.wait(t, c.Done(), "no BYE")
		assert.ErrorIs(t, c.Err(), sip.ErrEnded)
		p.played(t)
	})
}

// A hold by the peer, and its end.
func TestRFC3264_8_4_PeerHolds(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p, c := answer(t, network, func(s *scenario) {
			chats(s)
			s.request("INVITE", contact(""), sdp(2, "c[call_number]", "a=setup:active", "a=sendonly"))
			s.answered(200, body("a=recvonly"))
			s.ack()
			s.request("INVITE", contact(""), sdp(3, "c[call_number]", "a=setup:active"))
			s.answered(200)
			s.ack()
			goodbye(s)
		})
		for _, direction := range []sip.Direction{sip.SendOnly, sip.SendRecv} {
			changed := c.Changed()
			if c.Remote().Direction != direction {
				p.wait(t, changed, "no change")
			}
			assert.Equal(t, direction, c.Remote().Direction)
		}
		p.wait(t, c.Done(), "no BYE")
		p.played(t)
	})
}

// Nobody has asked for re-INVITEs, so one that moves the session is refused, and the call goes on.
func TestRFC3261_14_2_MovedSessionIsRefused(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p, c := answer(t, network, func(s *scenario) {
			chats(s)
			s.request("INVITE", contact(""), sdp(2, "elsewhere", "a=setup:active"))
			s.expect(488)
			s.refused()
			s.request("INFO")
			s.expect(200)
			goodbye(s)
		})
		path := c.Remote().Path
		p.wait(t, c.Done(), "no BYE")
		assert.Equal(t, path, c.Remote().Path)
		p.played(t)
	})
}

func TestRFC3261_14_2_MovedSession(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p, c := answer(t, network, func(s *scenario) {
			chats(s)
			takes(s, "a=sendonly", "a=setup:active\na=recvonly") // by then our side follows
			s.request("INVITE", contact(""), sdp(2, "elsewhere", "a=setup:active"))
			s.answered(200, body("alice2"))
			s.ack()
			goodbye(s)
		})
		now, cancel := context.WithCancel(testContext(t))
		cancel()
		_, err := c.AcceptReinvite(now)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, c.Reinvite(testContext(t), held()), p)
		r, err := c.AcceptReinvite(testContext(t))
		require.NoError(t, err, p)
		assert.Contains(t, r.Offer().Path[0], "elsewhere")
		there := &sip.Media{Path: []string{"msrp://127.0.0.1:2855/alice2;tcp"}, AcceptTypes: []string{"message/cpim"}}
		require.NoError(t, r.Answer(testContext(t), there), p)
		assert.Equal(t, there.Path, c.Local().Path)
		assert.Equal(t, r.Offer().Path, c.Remote().Path)
		p.wait(t, c.Done(), "no BYE")
		p.played(t)
	})
}

func TestRFC3261_14_1_OurReinvite(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p, c := answer(t, network, func(s *scenario) {
			chats(s)
			s.recv("INVITE", body("a=sendonly"))
			s.reply("488 Not Acceptable Here")
			s.recv("ACK")
			takes(s, "a=sendonly", "a=setup:active\na=recvonly")
			goodbye(s)
		})
		assert.ErrorIs(t, c.Reinvite(testContext(t), held()), sip.ErrNotAcceptable, p)
		assert.Equal(t, sip.SendRecv, c.Local().Direction)
		require.NoError(t, c.Reinvite(testContext(t), held()), p)
		assert.Equal(t, sip.SendOnly, c.Local().Direction)
		assert.Equal(t, sip.RecvOnly, c.Remote().Direction)
		p.wait(t, c.Done(), "no BYE")
		p.played(t)
	})
}

// Both sides send a re-INVITE at the same time and refuse the other's; sipp, which began the call, gives way.
func TestRFC3261_14_1_Glare(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p, c := answer(t, network, func(s *scenario) {
			chats(s)
			s.recv("INVITE", keep("via", "Via", ".*"), keep("seq", "CSeq", "[0-9]+"))
			s.request("INVITE", contact(""), sdp(2, "c[call_number]", "a=setup:active"))
			s.expect(491)
			s.refused()
			s.answer("491 Request Pending")
			s.recv("ACK")
			takes(s, "a=sendonly", "a=setup:active\na=recvonly")
			goodbye(s)
		})
		require.NoError(t, c.Reinvite(testContext(t), held()), p)
		assert.Equal(t, sip.SendOnly, c.Local().Direction)
		p.wait(t, c.Done(), "no BYE")
		p.played(t)
	})
}

// The peer becomes a conference in its re-INVITE, and a person again in its answer to ours.
func TestRFC4579_4_FocusAppears(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p, c := answer(t, network, func(s *scenario) {
			chats(s)
			s.request("INVITE", contact(" ; ISFOCUS"), sdp(2, "c[call_number]", "a=setup:active"))
			s.answered(200)
			s.ack()
			takes(s, "a=sendonly", "a=setup:active\na=recvonly")
			goodbye(s)
		})
		changed := c.Changed()
		if !c.Focus() {
			p.wait(t, changed, "no change")
		}
		assert.True(t, c.Focus())
		require.NoError(t, c.Reinvite(testContext(t), held()), p)
		assert.False(t, c.Focus())
		p.wait(t, c.Done(), "no BYE")
		p.played(t)
	})
}
