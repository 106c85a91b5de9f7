package sip

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// What every request of ours has, and what differs from one to the next.
func TestRFC3261_8_1_1_GeneratingTheRequest(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		used := make(map[string]bool) // what may not come twice
		fresh := func(values ...string) {
			for _, v := range values {
				assert.GreaterOrEqual(t, len(v), 7, "32 bits of chance at least")
				assert.False(t, used[v], v)
				used[v] = true
			}
		}
		for range 3 {
			invite, done := s.invite(t.Context())
			ok := s.Respond(invite, "200 OK", s.SDP("passive"))
			ack := s.Request("ACK")
			call := (<-done).call
			go func() { _ = call.Bye(t.Context()) }()
			bye := s.Request("BYE")
			s.Respond(bye, "200 OK", "")

			fresh(invite.Value("Call-ID"), invite.Param("From", "tag"))
			assert.Empty(t, invite.Param("To", "tag"))
			assert.Len(t, invite.Values("Contact"), 1)
			assert.Equal(t, "sip:bob@192.0.2.1:5060;transport=udp", invite.Address("Contact"))
			for _, m := range []*siptest.Message{invite, ack, bye} {
				for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length"} {
					assert.Len(t, m.Values(name), 1, "%s in %s", name, m.Method)
				}
				assert.Equal(t, "70", m.Value("Max-Forwards"))
				assert.Equal(t, m.Method, m.CSeqMethod())
				assert.Less(t, m.Seq(), 1<<31)
				assert.True(t, strings.HasPrefix(m.Value("Via"), "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"), m.Value("Via"))
				assert.Contains(t, m.Value("Via"), ";rport", "RFC 3581 section 3")
				fresh(m.Param("Via", "branch"))
			}
			for _, m := range []*siptest.Message{ack, bye} { // of the dialog (RFC 3261 §12.2.1.1)
				assert.Equal(t, invite.Value("Call-ID"), m.Value("Call-ID"))
				assert.Equal(t, invite.Value("From"), m.Value("From"))
				assert.Equal(t, ok.Value("To"), m.Value("To"))
				assert.Equal(t, ok.Address("Contact"), m.URI)
			}
			assert.Equal(t, invite.Seq(), ack.Seq())
			assert.Equal(t, invite.Seq()+1, bye.Seq())
			assert.Empty(t, bye.Values("Contact"), "it moves no dialog")
		}
	})
}

// A provisional response that we do not know counts as 183: it may be canceled from then on, and begins an early dialog.
func TestRFC3261_8_1_3_2_UnknownProvisional(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		ctx, cancel := context.WithCancel(t.Context())
		invite, done := s.invite(ctx)
		s.Respond(invite, "142 Pondering", provisionally("a", 7))
		prack := s.Request("PRACK")
		assert.Equal(t, "a", prack.Param("To", "tag"))
		s.Respond(prack, "200 OK", "")
		cancel()
		s.Respond(s.Request("CANCEL"), "200 OK", "")
		s.Respond(invite, "487 Request Terminated", "")
		s.Request("ACK")
		assert.ErrorIs(t, (<-done).err, context.Canceled)
	})
}

// Require in ACK and CANCEL is passed over: neither can be refused.
func TestRFC3261_8_2_2_3_RequireInACKAndCANCEL(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		_, i := s.offer("Call-ID: one\n")
		done := answer(t.Context(), i)
		s.Within(s.Final("INVITE"), "ACK", "Require: foo\n")
		require.NoError(t, (<-done).err)

		invite, i := s.offer("Call-ID: two\n")
		s.Send(fmt.Sprintf("CANCEL %s SIP/2.0\nVia: %s\nFrom: %s\nTo: %s\nCall-ID: two\nCSeq: %d CANCEL\nRequire: foo\n",
			invite.URI, invite.Value("Via"), invite.Value("From"), invite.Value("To"), invite.Seq()))
		assert.Equal(t, 200, s.Final("CANCEL").Status)
		waitInBubble(t, i.Done())
		assert.ErrorIs(t, i.Err(), ErrCanceled)
	})
}

// A body that we cannot read is refused, with the types and encodings that would do.
func TestRFC3261_8_2_3_ContentProcessing(t *testing.T) {
	onStage(t, Options{MessageTypes: []string{"text/plain"}}, func(t *testing.T, s *stage) {
		refused := func(method, accept string) {
			t.Helper()
			res := s.Final(method)
			assert.Equal(t, 415, res.Status)
			assert.Equal(t, []string{accept}, res.Values("Accept"))
			assert.Equal(t, "identity", res.Value("Accept-Encoding"))
		}
		for _, body := range []string{
			"Content-Type: text/html\n\nx", "Content-Type: multipart/mixed;boundary=b\n\n--b--", "Content-Encoding: gzip\n" + s.SDP("active"),
			"e: gzip\n" + s.SDP("active"), "\nx",
		} {
			s.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\n" + body)
			refused("INVITE", "application/sdp")
		}
		for _, body := range []string{"Content-Type: text/html\n\nx", "Content-Type: text/plain\nContent-Encoding: gzip\n\nx", "\nx"} {
			s.Send("MESSAGE sip:bob@192.0.2.1 SIP/2.0\n" + body)
			refused("MESSAGE", "text/plain")
		}
		call, dialog := s.taken("")
		s.Within(dialog, "INFO", "Content-Type: text/plain\n\nx")
		refused("INFO", "")
		s.Within(dialog, "INVITE", "Content-Type: text/html\n\nx")
		refused("INVITE", "application/sdp")
		s.bye(call)
	})
}

// What the caller does not support is not used towards it.
func TestRFC3261_8_2_4_ApplyingExtensions(t *testing.T) {
	onStage(t, Options{InstanceID: "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}, func(t *testing.T, s *stage) {
		invite, i := s.offer("")
		require.NoError(t, i.Ring(t.Context()))
		assert.Empty(t, s.Response(180).Values("Require"))
		done := answer(t.Context(), i)
		ok := s.Response(200)
		assert.Empty(t, ok.Values("Require"))
		s.Ack(invite, ok, "")
		require.NoError(t, (<-done).err)
	})
}

// A response repeats the header fields of its request, with our tag in To; one that makes a dialog repeats the route as well, as it was written.
func TestRFC3261_8_2_6_2_HeadersOfAResponse(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		invite, i := s.offer("Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK1;x\nVia: SIP/2.0/TCP p.example.com;branch=z9hG4bK2, SIP/2.0/WS q.invalid;branch=z9hG4bK3\n" +
			"Record-Route: <sip:p1.example.com;lr;x=1>\nRecord-Route: <sip:192.0.2.2;lr>, <sips:p3.example.com:99;lr>\n" +
			"From: \"C, \\\"c\\\"\" <sip:c@example.org;user=phone>;tag=9;z\nTo: \"Bob\" <sip:bob@example.com>\nTimestamp: 54\n")
		trying := s.Response(100)
		assert.Equal(t, "54", trying.Value("Timestamp"), "RFC 3261 section 8.2.6.1")
		require.NoError(t, i.Ring(t.Context()))
		ringing := s.Response(180)
		done := answer(t.Context(), i)
		ok := s.Response(200)
		s.Ack(invite, ok, "")
		require.NoError(t, (<-done).err)
		joined := func(m *siptest.Message, name string) string {
			return strings.ReplaceAll(strings.Join(m.Values(name), ","), ", ", ",")
		}
		for _, res := range []*siptest.Message{trying, ringing, ok} {
			assert.Equal(t, joined(invite, "Via"), joined(res, "Via"))
			for _, name := range []string{"From", "Call-ID", "CSeq"} {
				assert.Equal(t, invite.Value(name), res.Value(name), name)
			}
		}
		for _, res := range []*siptest.Message{ringing, ok} {
			assert.Equal(t, invite.Value("To")+";tag="+res.Param("To", "tag"), res.Value("To"))
			assert.Equal(t, joined(invite, "Record-Route"), joined(res, "Record-Route"), "RFC 3261 section 12.1.1")
			assert.Len(t, res.Values("Contact"), 1)
		}
		assert.NotEmpty(t, ok.Param("To", "tag"))
		assert.NotEqual(t, invite.Param("From", "tag"), ok.Param("To", "tag"))
	})
}

// A redirection within a dialog is told to the caller, and changes nothing.
func TestRFC3261_12_2_1_2_RedirectedWithinTheDialog(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		call, _ := s.taken("")
		done := reinvite(t.Context(), call, testMedia("bob"))
		s.Respond(s.Request("INVITE"), "302 Moved Temporarily", "Contact: <sip:eve@192.0.2.66>\n")
		var refused *StatusError
		require.ErrorAs(t, <-done, &refused)
		assert.Equal(t, 302, refused.Code)
		s.Request("ACK")
		s.bye(call)
	})
}

// Who is asked to wait waits for a time between 0 and 10 seconds that is drawn each time.
func TestRFC3261_14_2_RetryAfterIsDrawn(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		call, dialog := s.taken("")
		s.move(call, dialog)
		drawn := make(map[int]bool)
		for range 30 {
			s.Within(dialog, "INVITE", s.SDP("active"))
			res := s.Final("INVITE")
			require.Equal(t, 500, res.Status)
			seconds, err := strconv.Atoi(res.Value("Retry-After"))
			require.NoError(t, err)
			assert.True(t, seconds >= 0 && seconds <= 10, seconds)
			drawn[seconds] = true
			s.Ack(s.Send("OPTIONS sip:bob@192.0.2.1 SIP/2.0"), res, "")
		}
		assert.Greater(t, len(drawn), 2)
		s.bye(call)
	})
}

// Basic would tell the password, so it is no challenge to us.
func TestRFC3261_22_BasicIsNotAnswered(t *testing.T) {
	for _, status := range []string{"401 Unauthorized", "407 Proxy Authentication Required"} {
		onStage(t, Options{Password: "secret"}, func(t *testing.T, s *stage) {
			invite, done := s.invite(t.Context())
			s.Respond(invite, status, "WWW-Authenticate: Basic realm=\"r\"\nProxy-Authenticate: Basic realm=\"r\"\n")
			var refused *StatusError
			require.ErrorAs(t, (<-done).err, &refused)
			s.Request("ACK")
			s.None(time.Minute)
		})
	}
}

// A realm without credentials of ours is asked nothing more: no "anonymous", no answer for another realm.
func TestRFC3261_22_1_OnlyTheRealmOfTheOptions(t *testing.T) {
	onStage(t, Options{Password: "secret", Realm: "home"}, func(t *testing.T, s *stage) {
		invite, done := s.invite(t.Context())
		s.Respond(invite, "407 Proxy Authentication Required", "Proxy-Authenticate: Digest realm=\"elsewhere\", nonce=\"n\"\n")
		var refused *StatusError
		require.ErrorAs(t, (<-done).err, &refused)
		assert.Equal(t, 407, refused.Code)
		s.Request("ACK")
		s.None(time.Minute)
	})
}
