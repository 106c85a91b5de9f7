package sip

import (
	"context"
	"strconv"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two phones ring, each in an early dialog of its own. The call goes on with what the one that answers has said.
func TestRFC3261_13_2_2_1_EarlyDialogs(t *testing.T) {
	for winner, c := range map[string]struct {
		target string
		focus  bool
	}{"a": {"sip:a@192.0.2.2", true}, "b": {"sip:b@192.0.2.2", false}} {
		t.Run(winner, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, s *stage) {
				invite, done := s.invite(t.Context())
				s.Respond(invite, "180 Ringing", "To: <sip:x>;tag=a\nContact: <sip:first@192.0.2.2>\nRecord-Route: <sip:192.0.2.2;lr>\n")
				s.None(time.Second) // sipgo serves messages side by side
				s.Respond(invite, "180 Ringing", "To: <sip:x>;tag=b\nContact: <sip:b@192.0.2.2>\n")
				s.Respond(invite, "183 Progress", "To: <sip:x>;tag=a\nContact: <sip:a@192.0.2.2>;isfocus\n")
				s.None(time.Second)
				s.Respond(invite, "200 OK", "To: <sip:x>;tag="+winner+"\nContact: *\n"+s.SDP("passive"))
				ack := s.Request("ACK")
				assert.Equal(t, c.target, ack.URI, "no Contact in the 2xx")
				assert.Empty(t, ack.Values("Route"), "the route set is that of the 2xx (RFC 3261 §13.2.2.4)")
				assert.Equal(t, winner, ack.Param("To", "tag"))
				call := <-done
				require.NoError(t, call.err)
				assert.Equal(t, c.focus, call.call.Focus())
			})
		})
	}
}

// The first phone that answers has the call. Each further one is acknowledged and told so, once however often its 2xx comes, and no more than
// maxForks of them.
func TestRFC3261_13_2_2_4_SeveralAnswers(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		invite, done := s.invite(t.Context())
		s.Respond(invite, "200 OK", "To: <sip:x>;tag=first\n"+s.SDP("passive"))
		ack := s.Request("ACK")
		call := <-done
		require.NoError(t, call.err)
		s.Respond(invite, "200 OK", "To: <sip:x>;tag=strange\nCSeq: 77 INVITE\n"+s.SDP("passive"))
		s.None(time.Second)
		for n := range maxForks {
			tag := strconv.Itoa(n)
			s.Respond(invite, "200 OK", "To: <sip:x>;tag="+tag+"\n"+s.SDP("passive"))
			assert.Equal(t, tag, s.Request("ACK").Param("To", "tag"))
			bye := s.Request("BYE")
			assert.Equal(t, tag, bye.Param("To", "tag"))
			assert.Equal(t, answeredElsewhere.String(), bye.Value("Reason"))
			s.Respond(bye, "200 OK", "")
		}
		s.None(time.Second)
		s.Respond(invite, "200 OK", "To: <sip:x>;tag=more\n"+s.SDP("passive"))
		s.Respond(invite, "200 OK", "To: <sip:x>\n"+s.SDP("passive"))
		s.Respond(invite, "180 Ringing", "To: <sip:x>;tag=more\n")
		s.Respond(invite, "486 Busy Here", "To: <sip:x>;tag=more\n")
		s.None(time.Second)
		s.Respond(invite, "200 OK", "To: <sip:x>;tag=first\n"+s.SDP("passive"))
		assert.Equal(t, ack.Header, s.Request("ACK").Header)
		assert.NoError(t, call.call.Err())
	})
}

// A 2xx that comes after we gave up, or after the call was over, is acknowledged and hung up on, for 64*T1 (RFC 3261 §13.2.2.4).
func TestRFC3261_13_2_2_4_LateAnswer(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		invite, done := s.invite(t.Context())
		require.ErrorIs(t, (<-done).err, ErrTimeout)
		time.Sleep(63 * gosip.T1)
		s.Respond(invite, "200 OK", s.SDP("passive"))
		assert.Equal(t, invite.Seq(), s.Request("ACK").Seq())
		bye := s.Request("BYE")
		assert.Empty(t, bye.Value("Reason"), "nobody else has the call")
		s.Respond(bye, "200 OK", "")
		time.Sleep(2 * gosip.T1)
		s.Respond(invite, "200 OK", "To: <sip:x>;tag=late\n"+s.SDP("passive"))
		s.None(time.Minute)
	})
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		invite, done := s.invite(t.Context())
		s.Respond(invite, "200 OK", s.SDP("passive"))
		s.Request("ACK")
		require.NoError(t, (<-done).call.Close())
		s.Respond(s.Request("BYE"), "200 OK", "")
		s.None(time.Second)
		s.Respond(invite, "200 OK", s.SDP("passive"))
		s.Request("ACK")
	})
}

// What a 2xx may lack, and what not.
func TestRFC3261_13_2_2_4_OddAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		rest string
		err  error
		ack  bool
	}{
		"no Contact": {"Contact: *\n", nil, true},
		"no To tag":  {"To: <sip:x>\n", errMalformed, true},
		"CSeq":       {"CSeq: 2 INVITE\n", errMalformed, false},
		"NUL":        {"X: a\x00b\n", errMalformed, false},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, s *stage) {
				invite, done := s.invite(t.Context())
				s.Respond(invite, "200 OK", c.rest+s.SDP("passive"))
				call := <-done
				require.ErrorIs(t, call.err, c.err)
				if !c.ack {
					s.None(time.Minute)
					return
				}
				assert.Equal(t, s.URI("udp"), s.Request("ACK").URI)
				if c.err == nil {
					require.NoError(t, call.call.Close())
				}
				s.Respond(s.Request("BYE"), "200 OK", "")
			})
		})
	}
}

// A refusal that comes again is acknowledged at once, to the same place, for as long as it may come.
func TestRFC3261_17_1_1_2_RepeatedRefusal(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		invite, done := s.invite(t.Context())
		refusal := s.Respond(invite, "486 Busy Here", "")
		assert.ErrorIs(t, (<-done).err, ErrBusy)
		first := s.Request("ACK")
		start := time.Now()
		for range 100 {
			s.Repeat(refusal)
			ack := s.Request("ACK")
			for _, name := range []string{"Via", "To", "From", "Call-ID", "CSeq", "Route"} {
				assert.Equal(t, first.Values(name), ack.Values(name), name)
			}
			assert.Equal(t, first.URI, ack.URI)
		}
		assert.Zero(t, time.Since(start))
		time.Sleep(gosip.Timer_D + time.Second)
		s.Repeat(refusal)
		s.None(time.Minute)
	})
}

// The deadline of Invite is told to the peer, rounded up.
func TestRFC3261_13_2_1_ExpiresOfADeadline(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		invite, done := s.invite(ctx)
		assert.Equal(t, "2", invite.Value("Expires"))
		assert.ErrorIs(t, (<-done).err, context.DeadlineExceeded)
	})
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		invite, done := s.invite(t.Context())
		assert.Empty(t, invite.Values("Expires"))
		s.Respond(invite, "486 Busy Here", "")
		<-done
	})
}

// The same over a stream, where nothing is repeated but what RFC 3261 repeats everywhere: a call that rings reliably, a second phone that answers, the
// 2xx again, and a refusal.
func TestRFC3261_13_2_2_OverTCP(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		done := inviteTo(t.Context(), s.agent, s.URI("tcp"))
		invite := s.Request("INVITE")
		assert.Contains(t, invite.Value("Via"), "SIP/2.0/TCP")
		s.None(64 * gosip.T1 / 2) // timer A is for datagrams
		s.Respond(invite, "183 Progress", provisionally("a", 1)+s.SDP("passive"))
		s.Respond(s.Request("PRACK"), "200 OK", "")
		first := s.Respond(invite, "200 OK", "To: <sip:x>;tag=a\n")
		ack := s.Request("ACK")
		call := <-done
		require.NoError(t, call.err)
		s.Respond(invite, "200 OK", "To: <sip:x>;tag=b\n"+s.SDP("passive"))
		assert.Equal(t, "b", s.Request("ACK").Param("To", "tag"))
		s.Respond(s.Request("BYE"), "200 OK", "")
		s.Repeat(first)
		assert.Equal(t, ack.Header, s.Request("ACK").Header)
		require.NoError(t, call.call.Close())
		s.Respond(s.Request("BYE"), "200 OK", "")

		done = inviteTo(t.Context(), s.agent, s.URI("tcp"))
		s.Respond(s.Request("INVITE"), "480 Away", "")
		s.Request("ACK")
		assert.ErrorIs(t, (<-done).err, ErrUnavailable)
		assert.Equal(t, 1, s.net.Host("192.0.2.2").Streams())
		s.settled()
	})
}

// A connection that breaks ends a call that rings, and leaves one that is up: the next request opens another.
func TestRFC3261_8_1_3_1_ConnectionBreaks(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		done := inviteTo(t.Context(), s.agent, s.URI("tcp"))
		s.Respond(s.Request("INVITE"), "180 Ringing", "")
		time.Sleep(time.Second)
		s.net.Host("192.0.2.2").Cut()
		assert.ErrorIs(t, (<-done).err, gosip.ErrTransactionTransport)

		done = inviteTo(t.Context(), s.agent, s.URI("tcp"))
		invite := s.Request("INVITE")
		s.Respond(invite, "200 OK", s.SDP("passive"))
		s.Request("ACK")
		call := (<-done).call
		s.net.Host("192.0.2.2").Cut()
		time.Sleep(time.Second)
		assert.NoError(t, call.Err())
		bye := make(chan error, 1)
		go func() { bye <- call.Bye(t.Context()) }()
		s.Respond(s.Request("BYE"), "200 OK", "")
		assert.NoError(t, <-bye)
		s.settled()
	})
}
