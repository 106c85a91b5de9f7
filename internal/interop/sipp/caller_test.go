package sipp

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip"
)

// answer takes a call of a sipp that plays the steps.
func answer(t *testing.T, network string, steps func(s *scenario)) (*program, *sip.Call) {
	t.Helper()
	a, addr := newAgent(t, network)
	p := caller(t, network, addr, steps)
	i, err := a.Accept(testContext(t))
	require.NoError(t, err, p)
	assert.Equal(t, "sipp", i.RemoteDisplayName())
	require.NoError(t, i.Ring(testContext(t)))
	c, err := i.Answer(testContext(t), media())
	require.NoError(t, err, p)
	return p, c
}

// goodbye are the last.
func goodbye(s *scenario) {
	s.request("BYE")
	s.expect(200)
}

func TestRFC3261_9_2_CallerGivesUp(t *testing.T) {
	for reason, want := range map[string]error{
		"": sip.ErrCanceled,
		`Reason: SIP ;cause=200 ;text="Call completed elsewhere"`: sip.ErrAnsweredElsewhere,
	} {
		networks(t, func(t *testing.T, network string) {
			a, addr := newAgent(t, network)
			p := caller(t, network, addr, func(s *scenario) {
				s.request("INVITE", contact(";isfocus"))
				s.expect(180)
				s.cancel(reason)
				s.expect(200)
				s.expect(487)
				s.refused()
			})
			i, err := a.Accept(testContext(t))
			require.NoError(t, err)
			assert.Nil(t, i.Offer())
			assert.True(t, i.Focus())
			require.NoError(t, i.Ring(testContext(t)))
			p.wait(t, i.Done(), "no CANCEL")
			assert.ErrorIs(t, i.Err(), sip.ErrCanceled)
			assert.ErrorIs(t, i.Err(), want)
			p.played(t)
		})
	}
}

// The caller takes its time with the ACK: the 200 comes again, on TCP too.
func TestRFC3261_13_3_1_4_AnswersUntilTheACK(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p, c := answer(t, network, func(s *scenario) {
			s.request("INVITE", contact(""), sdp(1, "c[call_number]", "a=setup:active"))
			s.expect(180)
			s.answered(200)
			if transport(network) == "tcp" {
				s.expect(200)
			} else {
				s.pause(700) // sipp takes it for the first one
			}
			s.ack()
			goodbye(s)
		})
		p.wait(t, c.Done(), "no BYE")
		p.played(t)
	})
}

// A caller that demands reliable provisional responses gets them.
func TestRFC3262_3_ReliableRinging(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		a, addr := newAgent(t, network)
		p := caller(t, network, addr, func(s *scenario) {
			s.request("INVITE", contact(""), "Require: 100rel", sdp(1, "c[call_number]", "a=setup:active"))
			s.reliable(180)
			s.answered(200)
			s.ack()
			goodbye(s)
		})
		i, err := a.Accept(testContext(t))
		require.NoError(t, err, p)
		require.NoError(t, i.Ring(testContext(t)))
		p.saw(t, "PRACK\r\n", 2) // CSeq of the request and of our 200
		c, err := i.Answer(testContext(t), media())
		require.NoError(t, err, p)
		p.wait(t, c.Done(), "no BYE")
		p.played(t)
	})
}

func TestRFC3261_8_2_2_3_UnknownExtension(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		_, addr := newAgent(t, network)
		p := caller(t, network, addr, func(s *scenario) {
			s.request("INVITE", contact(""), "Require: 100rel, x-unknown", sdp(1, "c[call_number]", "a=setup:active"))
			s.expect(420, has("Unsupported", "x-unknown"))
			s.refused()
		})
		p.played(t)
	})
}

func TestRFC3326_2_WhyTheCallEnds(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p, c := answer(t, network, func(s *scenario) {
			established(s)
			s.request("BYE", `Reason: Q.850 ;cause=16 ; text="Terminated"`)
			s.expect(200)
		})
		p.wait(t, c.Done(), "no BYE")
		var reason *sip.Reason
		require.ErrorAs(t, c.Err(), &reason)
		assert.Equal(t, &sip.Reason{Protocol: "Q.850", Cause: 16, Text: "Terminated"}, reason)
		p.played(t)
	})
}
