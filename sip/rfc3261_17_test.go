package sip

import (
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// The transactions are sipgo's. These tests hold it to what we promise.

// A request that is no INVITE is repeated at T1, 3*T1, ... with T2 between two at most, and given up after 64*T1 (timers E and F). After a provisional
// response T2 is between any two.
func TestRFC3261_17_1_2_2_RequestIsRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		trying bool
		at     []time.Duration
	}{
		"silence":     {false, []time.Duration{1, 3, 7, 15, 23, 31, 39, 47, 55, 63}},
		"provisional": {true, []time.Duration{1, 9, 17, 25, 33, 41, 49, 57}},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, s *stage) {
				call, _ := s.taken("")
				start := time.Now()
				done := make(chan error, 1)
				go func() { done <- call.Bye(t.Context()) }()
				bye := s.Request("BYE")
				if c.trying {
					s.Respond(bye, "100 Trying", "")
				}
				for _, at := range c.at {
					again := s.Request("BYE")
					assert.Equal(t, at*gosip.T1, time.Since(start))
					assert.Equal(t, bye.Header, again.Header)
				}
				assert.ErrorIs(t, <-done, ErrTimeout)
				assert.Equal(t, 64*gosip.T1, time.Since(start))
				s.settled()
			})
		})
	}
}

// A response belongs to a request by the branch and by the method.
func TestRFC3261_17_1_3_MatchingResponses(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		invite, done := s.invite(t.Context())
		s.Respond(invite, "486 Busy Here", "CSeq: 1 OPTIONS\n")
		s.Respond(invite, "486 Busy Here", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKanother\n")
		time.Sleep(time.Second)
		s.Respond(invite, "480 Away", "")
		assert.ErrorIs(t, (<-done).err, ErrUnavailable)
	})
}

// An INVITE that waits for the user has a 100 at once. One that comes again gets the last provisional response again.
func TestRFC3261_17_2_1_ProvisionalResponseAgain(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		start := time.Now()
		invite, i := s.offer("")
		s.Response(100)
		assert.LessOrEqual(t, time.Since(start), 200*time.Millisecond)
		s.Repeat(invite)
		assert.Equal(t, 100, s.Next().Status)
		require.NoError(t, i.Ring(t.Context()))
		ringing := s.Response(180)
		s.Repeat(invite)
		assert.Equal(t, ringing.Header, s.Next().Header)
		require.NoError(t, i.Reject(t.Context(), 486, ""))
		s.settled()
	})
}

// A refusal of ours is repeated at T1, 3*T1, ... with T2 between two at most, until its ACK or for 64*T1 (timers G and H), and when the INVITE comes again.
func TestRFC3261_17_2_1_RefusalIsRepeated(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		invite, i := s.offer("Call-ID: one\n")
		start := time.Now()
		require.NoError(t, i.Reject(t.Context(), 603, "No"))
		refusal := s.Response(603)
		for _, at := range []time.Duration{1, 3, 7} {
			assert.Equal(t, refusal.Header, s.Response(603).Header)
			assert.Equal(t, at*gosip.T1, time.Since(start))
		}
		s.Repeat(invite)
		assert.Equal(t, refusal.Header, s.Response(603).Header)
		s.Ack(invite, refusal, "")
		s.None(time.Minute)

		_, i = s.offer("Call-ID: two\n")
		start = time.Now()
		require.NoError(t, i.Reject(t.Context(), 603, "No"))
		s.Response(603)
		for _, at := range []time.Duration{1, 3, 7, 15, 23, 31, 39, 47, 55, 63} {
			s.Response(603)
			assert.Equal(t, at*gosip.T1, time.Since(start))
		}
		s.None(time.Minute)
		s.settled()
	})
}

// A request that comes again within 64*T1 (timer J) gets the same response, and is not served again.
func TestRFC3261_17_2_2_RepeatedRequest(t *testing.T) {
	onStage(t, Options{MessageTypes: []string{"text/plain"}}, func(t *testing.T, s *stage) {
		request := s.Send("MESSAGE sip:bob@192.0.2.1 SIP/2.0\nContent-Type: text/plain\n\nonce")
		response := s.Next()
		assert.Equal(t, 200, response.Status, "without a provisional one before (section 8.2.6.1)")
		for range 3 {
			time.Sleep(20 * gosip.T1)
			s.Repeat(request)
			assert.Equal(t, response.Header, s.Final("MESSAGE").Header)
		}
		_, err := s.agent.ReceiveMessage(t.Context())
		require.NoError(t, err)
		assert.Empty(t, s.agent.messages)

		call, dialog := s.taken("")
		bye := s.Within(dialog, "BYE", "")
		response = s.Final("BYE")
		s.Repeat(bye)
		assert.Equal(t, response.Header, s.Final("BYE").Header, "and not 481")
		waitInBubble(t, call.Done())
	})
}

// Requests with the same branch are the same only with the same sent-by and method.
func TestRFC3261_17_2_3_MatchingRequests(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		send := func(method, sentBy, callID string) *siptest.Message {
			s.Send(method + " sip:bob@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP " + sentBy + ";rport;branch=z9hG4bKsame\nCall-ID: " + callID + "\n")
			return s.Final(method)
		}
		assert.Equal(t, "a", send("OPTIONS", "192.0.2.2:5060", "a").Value("Call-ID"))
		assert.Equal(t, "a", send("OPTIONS", "192.0.2.2:5060", "b").Value("Call-ID"), "the response to the first, again")
		for _, other := range []string{"192.0.2.3:5060", "192.0.2.2:5061", "a.example.com"} {
			assert.Equal(t, other, send("OPTIONS", other, other).Value("Call-ID"))
		}
		assert.Equal(t, 481, send("INFO", "192.0.2.2:5060", "c").Status)
	})
}

// The end of the body is where Content-Length says, or where the datagram ends.
func TestRFC3261_18_3_Framing(t *testing.T) {
	onStage(t, Options{MessageTypes: []string{"text/plain"}}, func(t *testing.T, s *stage) {
		head := func(callID string) string {
			return "MESSAGE sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK" + callID +
				"\r\nFrom: <sip:c@x>;tag=1\r\nTo: <sip:b@x>\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Type: text/plain\r\nCall-ID: " + callID + "\r\n"
		}
		for name, c := range map[string]struct{ rest, body string }{
			"more":      {"Content-Length: 5\r\n\r\nhello world", "hello"},
			"no length": {"\r\nhello world", "hello world"},
			"exact":     {"Content-Length: 11\r\n\r\nhello world", "hello world"},
		} {
			s.Write([]byte(head(name) + c.rest))
			assert.Equal(t, 200, s.Final("MESSAGE").Status, name)
			m, err := s.agent.ReceiveMessage(t.Context())
			require.NoError(t, err)
			assert.Equal(t, c.body, string(m.Body), name)
		}
		s.Write([]byte(head("less") + "Content-Length: 99\r\n\r\nhello"))
		s.None(time.Minute) // 400 would do (SHOULD); sipgo drops it
		assert.Empty(t, s.agent.messages)

		s.Dial("tcp", s.listening(t))
		s.Write([]byte(head("one") + "Content-Length: 2\r\n\r\nhi" + head("two") + "Content-Length: 3\r\n\r\nyou"))
		var bodies []string
		for range 2 { // in any order: they belong to no dialog
			m, err := s.agent.ReceiveMessage(t.Context())
			require.NoError(t, err)
			bodies = append(bodies, string(m.Body))
		}
		assert.ElementsMatch(t, []string{"hi", "you"}, bodies)
	})
}

// A response belongs to its request whatever connection it comes over: the peer may have lost the first one.
func TestRFC3261_18_1_1_ResponseOverAnotherConnection(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		done := inviteTo(t.Context(), s.agent, s.URI("tcp"))
		ringing := s.Respond(s.Request("INVITE"), "180 Ringing", "")
		s.Dial("tcp", s.listening(t))
		s.Write([]byte(strings.Replace(ringing.Text(), "180 Ringing", "486 Busy Here", 1)))
		assert.ErrorIs(t, (<-done).err, ErrBusy)
		s.Request("ACK")
	})
}

// listening lets the agent take streams too.
func (b *stage) listening(t *testing.T) string {
	l, err := b.net.Host("192.0.2.1").Listen(5060)
	require.NoError(t, err)
	require.NoError(t, b.agent.ListenOn("tcp", l))
	return l.Addr().String()
}
