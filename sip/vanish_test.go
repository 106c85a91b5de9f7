package sip

import (
	"context"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// settled checks that nothing is left of what happened, once the timers of RFC 3261 have run out.
func (b *stage) settled() {
	b.t.Helper()
	time.Sleep(4 * 64 * gosip.T1)
	time.Sleep(2 * gosip.Timer_D)
	a := b.agent
	a.mu.Lock()
	defer a.mu.Unlock()
	assert.Empty(b.t, a.calls)
	assert.Empty(b.t, a.outgoing)
	assert.Empty(b.t, a.invitations)
	assert.Empty(b.t, a.queue)
	assert.Zero(b.t, a.serving.Load())
	a.refusals.Range(func(branch, _ any) bool {
		assert.Fail(b.t, "an ACK is left", branch)
		return true
	})
}

// An INVITE that nobody answers is repeated at T1, 3*T1, 7*T1, ... and over after 64*T1 (RFC 3261 §17.1.1.2).
func TestRFC3261_17_1_1_2_NobodyAnswers(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		start := time.Now()
		invite, done := s.invite(t.Context())
		for _, at := range []time.Duration{1, 3, 7, 15, 31, 63} {
			again := s.Request("INVITE")
			assert.Equal(t, at*gosip.T1, time.Since(start))
			assert.Equal(t, invite.Header, again.Header)
		}
		assert.ErrorIs(t, (<-done).err, ErrTimeout)
		assert.Equal(t, 64*gosip.T1, time.Since(start))
		s.None(time.Minute)
		s.settled()
	})
}

// How a call ends that we place: peers that vanish at any moment, and what becomes of Invite and its call. The context ends after 30 seconds.
func TestRFC3261_9_1_PeersThatVanish(t *testing.T) {
	const ringing = 30 * time.Second
	for name, c := range map[string]struct {
		peer  func(s *stage, invite *siptest.Message)
		err   error         // of Invite
		after time.Duration // when that returns
	}{
		"after 100": {func(s *stage, invite *siptest.Message) {
			s.Respond(invite, "100 Trying", "")
		}, context.DeadlineExceeded, ringing},
		"while ringing": {func(s *stage, invite *siptest.Message) {
			s.Respond(invite, "180 Ringing", "")
		}, context.DeadlineExceeded, ringing},
		"after the CANCEL": {func(s *stage, invite *siptest.Message) {
			s.Respond(invite, "180 Ringing", "")
			s.Respond(s.Request("CANCEL"), "200 OK", "")
		}, context.DeadlineExceeded, ringing},
		"after an answer that crosses the CANCEL": {func(s *stage, invite *siptest.Message) {
			s.Respond(invite, "180 Ringing", "")
			s.Respond(s.Request("CANCEL"), "200 OK", "")
			s.Respond(invite, "200 OK", s.SDP("passive"))
			s.Request("ACK")
			s.Request("BYE")
		}, context.DeadlineExceeded, ringing},
		"after an answer to the CANCEL that is none": {func(s *stage, invite *siptest.Message) {
			s.Respond(invite, "180 Ringing", "")
			s.Respond(s.Request("CANCEL"), "481 Unknown", "")
		}, context.DeadlineExceeded, ringing},
		"after the challenge": {func(s *stage, invite *siptest.Message) {
			s.Respond(invite, "401 Unauthorized", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\n")
		}, ErrTimeout, 64 * gosip.T1},
		"after the redirection": {func(s *stage, invite *siptest.Message) {
			s.Respond(invite, "302 Moved", "Contact: <sip:x@192.0.2.99>\n")
		}, ErrTimeout, 64 * gosip.T1},
		"after a reliable response": {func(s *stage, invite *siptest.Message) {
			s.Respond(invite, "183 Progress", provisionally("a", 1))
		}, context.DeadlineExceeded, ringing},
		"after an answer that does not fit": {func(s *stage, invite *siptest.Message) {
			s.Respond(invite, "200 OK", "")
			s.Request("ACK")
			s.Request("BYE")
		}, ErrMedia, 0},
		"after a BYE that comes with the answer": {func(s *stage, invite *siptest.Message) {
			s.Respond(invite, "200 OK", s.SDP("passive"))
			s.Within(invite, "BYE", "")
		}, nil, 0},
		"after a BYE that comes before the answer": {func(s *stage, invite *siptest.Message) {
			s.Within(invite, "BYE", "")
			s.Respond(invite, "200 OK", s.SDP("passive"))
		}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{Password: "x"}, func(t *testing.T, s *stage) {
				ctx, cancel := context.WithTimeout(t.Context(), ringing)
				defer cancel()
				start := time.Now()
				invite, done := s.invite(ctx)
				go c.peer(s, invite)
				call := <-done
				assert.ErrorIs(t, call.err, c.err)
				assert.Equal(t, c.after, time.Since(start))
				if c.err == nil {
					waitDone(t, call.call.Done())
					assert.ErrorIs(t, call.call.Err(), ErrEnded)
				}
				s.settled()
			})
		})
	}
}

// A call that is up with a peer that vanished ends when we say so: at once with Close, after 64*T1 with Bye.
func TestRFC3261_15_1_1_PeerVanishesInTheCall(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, c *Call) time.Duration{
		"Bye": func(t *testing.T, c *Call) time.Duration {
			assert.ErrorIs(t, c.Bye(t.Context()), ErrTimeout)
			return 64 * gosip.T1
		},
		"Close": func(t *testing.T, c *Call) time.Duration {
			assert.NoError(t, c.Close())
			return 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, s *stage) {
				invite, done := s.invite(t.Context())
				s.Respond(invite, "200 OK", s.SDP("passive"))
				s.Request("ACK")
				call := (<-done).call
				start := time.Now()
				took := end(t, call)
				waitDone(t, call.Done())
				assert.ErrorIs(t, call.Err(), ErrClosed)
				assert.Equal(t, took, time.Since(start))
				s.settled()
			})
		})
	}
}

// How an invitation ends whose caller vanishes at any moment.
func TestRFC3261_13_3_1_CallersThatVanish(t *testing.T) {
	ended := func(err error) func(t *testing.T, s *stage, invite *siptest.Message, i *Invitation) {
		return func(t *testing.T, s *stage, _ *siptest.Message, i *Invitation) {
			waitInBubble(t, i.Done())
			assert.ErrorIs(t, i.Err(), err)
		}
	}
	for name, c := range map[string]struct {
		headers string
		then    func(t *testing.T, s *stage, invite *siptest.Message, i *Invitation)
		after   time.Duration
		status  int
	}{
		"while it waits": {"", ended(ErrTimeout), ringTime, 480},
		"it expires":     {"Expires: 10\n", ended(ErrTimeout), 10 * time.Second, 487},
		"expires late":   {"Expires: 3600\n", ended(ErrTimeout), ringTime, 480},
		"canceled": {"", func(t *testing.T, s *stage, invite *siptest.Message, i *Invitation) {
			s.Cancel(invite)
			ended(ErrCanceled)(t, s, invite, i)
		}, 0, 487},
		"BYE before the answer": {"", func(t *testing.T, s *stage, invite *siptest.Message, i *Invitation) {
			require.NoError(t, i.Ring(t.Context()))
			s.Within(s.Response(180), "BYE", "Reason: SIP;cause=200\n")
			ended(ErrCanceled)(t, s, invite, i)
			assert.ErrorIs(t, i.Err(), ErrAnsweredElsewhere)
		}, 0, 487},
		"rejected": {"", func(t *testing.T, s *stage, invite *siptest.Message, i *Invitation) {
			require.NoError(t, i.Reject(t.Context(), 603, "No"))
			ended(nil)(t, s, invite, i)
		}, 0, 603},
		"answered": {"", func(t *testing.T, s *stage, _ *siptest.Message, i *Invitation) {
			assert.ErrorIs(t, (<-answer(t.Context(), i)).err, ErrTimeout)
		}, 64 * gosip.T1, 200},
		"BYE for the ACK": {"", func(t *testing.T, s *stage, _ *siptest.Message, i *Invitation) {
			done := answer(t.Context(), i)
			s.Within(s.Response(200), "BYE", "")
			call := <-done
			require.NoError(t, call.err)
			assert.ErrorIs(t, call.call.Err(), ErrEnded)
		}, 0, 0},
		"CANCEL after the answer": {"", func(t *testing.T, s *stage, invite *siptest.Message, i *Invitation) {
			done := answer(t.Context(), i)
			res := s.Response(200)
			s.Cancel(invite)
			s.Ack(invite, res, "")
			call := <-done
			require.NoError(t, call.err)
			require.NoError(t, call.call.Close())
		}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, s *stage) {
				invite, i := s.offer(c.headers)
				start := time.Now()
				c.then(t, s, invite, i)
				assert.Equal(t, c.after, time.Since(start))
				if c.status != 0 {
					assert.Equal(t, c.status, s.Final("INVITE").Status)
				}
				s.settled()
			})
		})
	}
}

// The 200 is repeated at T1, 3*T1, ... with T2 between two at most, and after 64*T1 without an ACK the call is over and its BYE says why.
func TestRFC3261_13_3_1_4_AnswerIsRepeated(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		_, i := s.offer("")
		start := time.Now()
		done := answer(t.Context(), i)
		first := s.Response(200)
		for _, at := range []time.Duration{1, 3, 7, 15, 23, 31, 39, 47, 55, 63} {
			assert.Equal(t, first.Header, s.Response(200).Header)
			assert.Equal(t, at*gosip.T1, time.Since(start))
		}
		assert.ErrorIs(t, (<-done).err, ErrTimeout)
		assert.Equal(t, 64*gosip.T1, time.Since(start))
		bye := s.Request("BYE")
		assert.Equal(t, `SIP;cause=408;text="Request Timeout"`, bye.Value("Reason"))
		s.Respond(bye, "481 Unknown", "")
		s.settled()
	})
}

// An ACK without the answer that it must have ends the call, and the BYE says why.
func TestRFC3261_13_2_1_NoAnswerInTheACK(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		invite := s.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\n")
		i, err := s.agent.Accept(t.Context())
		require.NoError(t, err)
		done := answer(t.Context(), i)
		s.Ack(invite, s.Final("INVITE"), "")
		assert.ErrorIs(t, (<-done).err, ErrMedia)
		bye := s.Request("BYE")
		assert.Equal(t, `SIP;cause=488;text="Not Acceptable Here"`, bye.Value("Reason"))
		s.Respond(bye, "200 OK", "")
		s.settled()
	})
}

func waitInBubble(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(time.Hour):
		require.Fail(t, "not done in time")
	}
}
