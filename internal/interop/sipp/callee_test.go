package sipp

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/sip"
)

// call places a call to a sipp that plays the steps.
func call(t *testing.T, network string, steps func(s *scenario)) (*sip.Agent, *program, *sip.Call) {
	t.Helper()
	a, _ := newAgent(t, network)
	p, target := callee(t, network, steps)
	c, err := a.Invite(testContext(t), target, media())
	require.NoError(t, err, p)
	return a, p, c
}

// A focus says so in the 180 and in the 200, the latter in a way that is legal and rare, and stands behind a proxy that it is itself.
func TestRFC4579_4_FocusAnswers(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		_, p, c := call(t, network, func(s *scenario) {
			s.invited(lacks("Route"))
			s.reply("180 Ringing", contact(";isfocus"))
			s.reply("200 OK", "Record-Route: <sip:[local_ip]:[local_port];transport=[transport];lr>",
				`m: "Room; A" <sip:room@[local_ip]:[local_port];transport=[transport]> ; IsFocus`, sdp(1, "room", "a=setup:passive"))
			s.recv("ACK", has("Route", "lr"))
			s.recv("BYE", has("Route", "lr"))
			s.reply("200 OK")
		})
		assert.True(t, c.Focus())
		assert.Equal(t, path(network, "room"), c.Remote().Path)
		assert.Equal(t, []string{"message/cpim", "text/plain"}, c.Remote().AcceptTypes)
		assert.Equal(t, []string{"text/plain"}, c.Remote().AcceptWrappedTypes)
		assert.Equal(t, sip.SetupPassive, c.Remote().Setup)
		assert.Equal(t, sip.SetupActive, c.Local().Setup)
		require.NoError(t, c.Bye(testContext(t)), p)
		p.played(t)
	})
}

func TestRFC3261_15_1_2_CalleeHangsUp(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		_, p, c := call(t, network, func(s *scenario) {
			s.invited()
			s.reply("200 OK", contact(""), sdp(1, "bob"))
			s.recv("ACK")
			s.request("INFO")
			s.expect(200)
			s.request("BYE")
			s.expect(200)
		})
		assert.False(t, c.Focus())
		p.wait(t, c.Done(), "no BYE")
		assert.ErrorIs(t, c.Err(), sip.ErrEnded)
		p.played(t)
	})
}

// sipp checks the digest response by itself.
func TestRFC3261_22_ChallengedINVITEAndBYE(t *testing.T) {
	for _, code := range []int{401, 407} {
		networks(t, func(t *testing.T, network string) {
			_, p, c := call(t, network, func(s *scenario) {
				s.invited()
				s.challenged("INVITE", code)
				s.reply("200 OK", contact(""), sdp(1, "bob"))
				s.recv("ACK")
				s.recv("BYE")
				s.challenged("BYE", code)
				s.reply("200 OK")
			})
			require.NoError(t, c.Bye(testContext(t)), p)
			p.played(t)
		})
	}
}

func TestRFC3261_21_Refused(t *testing.T) {
	for status, want := range map[string]error{
		"486 Busy Here": sip.ErrBusy, "600 Busy Everywhere": sip.ErrBusy, "603 Decline": sip.ErrDeclined,
		"480 Temporarily Unavailable": sip.ErrUnavailable, "488 Not Acceptable Here": sip.ErrNotAcceptable,
	} {
		networks(t, func(t *testing.T, network string) {
			a, _ := newAgent(t, network)
			p, target := callee(t, network, func(s *scenario) {
				s.invited()
				s.reply(status)
				s.recv("ACK")
			})
			_, err := a.Invite(testContext(t), target, media())
			assert.ErrorIs(t, err, want)
			p.played(t)
		})
	}
}

func TestRFC3261_8_1_3_4_Moved(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		a, _ := newAgent(t, network)
		port := freePort(t)
		there := calleeAt(t, network, port, func(s *scenario) {
			s.invited()
			s.reply("200 OK", contact(""), sdp(1, "bob"))
			s.recv("ACK")
			s.recv("BYE")
			s.reply("200 OK")
		})
		here, target := callee(t, network, func(s *scenario) {
			s.invited()
			s.reply("302 Moved Temporarily", "Contact: <sip:nobody@127.0.0.1:1;transport=tcp>;q=0.1, <sip:bob@[local_ip]:"+port+";transport=[transport]>;q=0.9")
			s.recv("ACK")
		})
		c, err := a.Invite(testContext(t), target, media())
		require.NoError(t, err, there)
		here.played(t)
		require.NoError(t, c.Bye(testContext(t)), there)
		there.played(t)
	})
}

func TestRFC3262_4_RingsReliably(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		_, p, c := call(t, network, func(s *scenario) {
			s.invited(has("Supported", "100rel"))
			s.reply("180 Ringing", contact(""), "Require: 100rel", "RSeq: 988789")
			s.recv("PRACK", has("RAck", "988789 +[0-9]+ +INVITE"))
			s.reply("200 OK")
			s.answer("200 OK", contact(""), sdp(1, "bob"))
			s.recv("ACK")
			s.recv("BYE")
			s.reply("200 OK")
		})
		require.NoError(t, c.Bye(testContext(t)), p)
		p.played(t)
	})
}

// The answer came in a reliable response, so that the 200 has none.
func TestRFC3262_5_AnswerWhileItRings(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		_, p, c := call(t, network, func(s *scenario) {
			s.invited()
			s.reply("183 Session Progress", contact(";isfocus"), "Require: 100rel", "RSeq: 1", sdp(1, "bob"))
			s.recv("PRACK")
			s.reply("200 OK")
			s.answer("200 OK", contact(""))
			s.recv("ACK")
			s.recv("BYE")
			s.reply("200 OK")
		})
		assert.Equal(t, path(network, "bob"), c.Remote().Path)
		assert.False(t, c.Focus(), "the 200 says so")
		require.NoError(t, c.Bye(testContext(t)), p)
		p.played(t)
	})
}

// Two callees ring, a conference and a person, and the person answers.
func TestRFC3261_13_2_2_1_SeveralEarlyDialogs(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		_, p, c := call(t, network, func(s *scenario) {
			s.invited()
			s.reply("180 Ringing", contact(";isfocus"))
			s.forks("other")
			s.reply("180 Ringing", "Contact: <sip:person@[local_ip]:[local_port];transport=[transport]>")
			s.reply("200 OK", "Contact: <sip:person@[local_ip]:[local_port];transport=[transport]>", sdp(1, "bob"))
			s.recv("ACK", has("To", "other$"))
			s.recv("BYE", has("To", "other$"))
			s.reply("200 OK")
		})
		assert.False(t, c.Focus())
		require.NoError(t, c.Bye(testContext(t)), p)
		p.played(t)
	})
}

// gives calls a sipp that rings, gives up, and returns when sipp has played the rest.
func gives(t *testing.T, network string, rest func(s *scenario)) {
	t.Helper()
	a, _ := newAgent(t, network)
	ctx, giveUp := context.WithCancel(testContext(t))
	p, target := callee(t, network, func(s *scenario) {
		s.invited()
		s.reply("180 Ringing", contact(""))
		s.recv("CANCEL", lacks("Contact"))
		s.reply("200 OK")
		rest(s)
	})
	over := make(chan error, 1)
	go func() {
		_, err := a.Invite(ctx, target, media())
		over <- err
	}()
	p.saw(t, "SIP/2.0 180", 1)
	giveUp()
	require.ErrorIs(t, <-over, context.Canceled)
	p.played(t)
}

func TestRFC3261_9_1_Cancel(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		gives(t, network, func(s *scenario) {
			s.answer("487 Request Terminated")
			s.recv("ACK")
		})
	})
}

// The CANCEL came too late: sipp answers the call all the same.
func TestRFC3261_9_1_CancelCrossesAnAnswer(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		gives(t, network, func(s *scenario) {
			s.answer("200 OK", contact(""), sdp(1, "bob"))
			s.recv("ACK")
			s.recv("BYE")
			s.reply("200 OK")
		})
	})
}

// Over UDP sipp takes the second ACK for the first one; see TestLossyNetwork for that.
func TestRFC3261_13_2_2_4_TheAnswerComesAgain(t *testing.T) {
	foreign.Need(t, "sipp")
	_, p, c := call(t, "tcp", func(s *scenario) {
		s.invited()
		s.reply("200 OK", contact(""), sdp(1, "bob"))
		s.recv("ACK") // which is lost
		s.pause(50)
		s.answer("200 OK", contact(""), sdp(1, "bob"))
		s.recv("ACK")
		s.request("BYE")
		s.expect(200)
		s.answer("200 OK", contact(""), sdp(1, "bob")) // which was under way for long
		s.recv("ACK")
	})
	p.wait(t, c.Done(), "no BYE")
	p.played(t)
}

// A proxy has forked the INVITE, and both callees answer.
func TestRFC3261_13_2_2_4_TwoAnswers(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		_, p, c := call(t, network, func(s *scenario) {
			s.invited()
			s.reply("200 OK", contact(""), sdp(1, "bob"))
			s.recv("ACK")
			s.forks("other")
			s.answer("200 OK", contact(""), sdp(1, "other"))
			s.recv("ACK", has("To", "other$"))
			s.recv("BYE", has("To", "other$"))
			s.reply("200 OK")
			s.request("INFO")
			s.expect(481)
		})
		p.played(t)
		assert.NoError(t, c.Err())
		require.NoError(t, c.Close())
	})
}
