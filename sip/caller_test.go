package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// Whatever the refusal, it is acknowledged and told with its code and phrase; those that a user is told about have errors of their own.
func TestRFC3261_13_2_2_3_Refusals(t *testing.T) {
	for status, want := range map[string]error{
		"400 Bad Request": nil, "403 Forbidden": nil, "404 Not Found": nil, "405 Method Not Allowed": nil, "406 Not Acceptable": nil,
		"408 Request Timeout": nil, "410 Gone": nil, "413 Too Large": nil, "415 Unsupported Media Type": nil, "420 Bad Extension": nil,
		"480 Temporarily Unavailable": ErrUnavailable, "482 Loop Detected": nil, "484 Address Incomplete": nil, "486 Busy Here": ErrBusy,
		"487 Request Terminated": nil, "488 Not Acceptable Here": ErrNotAcceptable, "491 Request Pending": nil, "500 Server Error": nil,
		"503 Unavailable": nil, "504 Timeout": nil, "600 Busy Everywhere": ErrBusy, "603 Decline": ErrDeclined, "604 Nowhere": nil,
		"606 Not Acceptable": ErrNotAcceptable, "699 Unknown": nil, "499 Unknown": nil,
	} {
		t.Run(status, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, s *stage) {
				invite, done := s.invite(t.Context())
				s.Respond(invite, status, "")
				err := (<-done).err
				var got *StatusError
				require.ErrorAs(t, err, &got)
				assert.Equal(t, status, fmt.Sprint(got.Code, " ", got.Reason))
				for _, sentinel := range []error{ErrBusy, ErrDeclined, ErrUnavailable, ErrNotAcceptable} {
					if sentinel == want {
						assert.ErrorIs(t, err, sentinel)
					} else {
						assert.NotErrorIs(t, err, sentinel)
					}
				}
				ack := s.Request("ACK")
				assert.Equal(t, invite.Value("Via"), ack.Value("Via"))
				s.None(time.Minute)
				s.settled()
			})
		})
	}
}

// A phrase of the peer's cannot bring control characters into an error.
func TestReasonPhraseIsCleaned(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		invite, done := s.invite(t.Context())
		s.Respond(invite, "486 \x1b[31mBusy\x00"+strings.Repeat("y", 1000), "")
		err := (<-done).err
		require.ErrorIs(t, err, ErrBusy)
		assert.True(t, isText(err.Error()))
		assert.Less(t, len(err.Error()), 2*maxText)
	})
}

// A connection that breaks before anything was heard sends the call to the next server; one that breaks while it rings ends it, for it may be
// ringing there (RFC 3263 §4.3).
func TestRFC3263_4_3_RingingServerIsNotLeft(t *testing.T) {
	servers := anyResolver{ips: []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")}}
	for _, rings := range []bool{false, true} {
		t.Run(fmt.Sprint(rings), func(t *testing.T) {
			onStage(t, Options{Resolver: servers}, func(t *testing.T, s *stage) {
				second := s.peer("192.0.2.3")
				done := inviteTo(t.Context(), s.agent, "sip:peer@example.com:5060;transport=tcp")
				invite := s.Request("INVITE")
				if rings {
					s.Respond(invite, "180 Ringing", "")
					time.Sleep(time.Second)
				}
				s.net.Host("192.0.2.2").Cut()
				if rings {
					assert.ErrorIs(t, (<-done).err, gosip.ErrTransactionTransport)
					second.None(time.Minute)
					return
				}
				again := second.Request("INVITE")
				assert.Equal(t, invite.Seq(), again.Seq(), "identical but for the branch")
				assert.Equal(t, invite.Value("Call-ID"), again.Value("Call-ID"))
				assert.NotEqual(t, invite.Param("Via", "branch"), again.Param("Via", "branch"))
				second.Respond(again, "486 Busy Here", "")
				assert.ErrorIs(t, (<-done).err, ErrBusy)
			})
		})
	}
}

// A proxy, another one and the peer ask for credentials, each for its own realm, and the first again with a new nonce.
func TestRFC3261_22_3_SeveralChallenges(t *testing.T) {
	onStage(t, Options{Password: "x"}, func(t *testing.T, s *stage) {
		invite, done := s.invite(t.Context())
		for n, challenge := range []string{
			`407 Proxy|Proxy-Authenticate: Digest realm="one", nonce="a"`, `407 Proxy|Proxy-Authenticate: Digest realm="two", nonce="b"`,
			`401 Peer|WWW-Authenticate: Digest realm="three", nonce="c"`,
		} {
			status, header, _ := strings.Cut(challenge, "|")
			s.Respond(invite, status, header+"\n")
			next := s.Request("INVITE")
			assert.Equal(t, invite.Seq()+1, next.Seq())
			assert.Equal(t, invite.Value("Call-ID"), next.Value("Call-ID"))
			assert.Len(t, append(next.Values("Proxy-Authorization"), next.Values("Authorization")...), n+1)
			invite = next
		}
		s.Respond(invite, "200 OK", s.SDP("passive"))
		ack := s.Request("ACK")
		assert.Equal(t, invite.Values("Proxy-Authorization"), ack.Values("Proxy-Authorization"))
		assert.Equal(t, invite.Values("Authorization"), ack.Values("Authorization"))
		require.NoError(t, (<-done).err)
	})
}

// Nothing that the program hands in can start a line, a header field or a parameter of its own.
func TestRFC3261_25_1_NothingIsSmuggledIn(t *testing.T) {
	hostile := []string{"a\r\nEvil: 1", "a\nEvil: 1", "a\rEvil: 1", "a\x00b", "a\x7fb", "\xff", strings.Repeat("x", 10*maxText)}
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		for _, evil := range hostile {
			for _, target := range []string{
				"sip:" + evil + "@192.0.2.2", "sip:bob@192.0.2.2;x=" + evil, "sip:bob@" + evil, evil, "sip:bob@192.0.2.2?Subject=" + evil,
			} {
				_, err := s.agent.Invite(t.Context(), target, testMedia("x"))
				assert.ErrorContains(t, err, "sip: ", "%q", target)
			}
			for _, o := range []Options{{DisplayName: evil}, {UserAgent: evil}, {Username: evil}, {Password: evil}, {Realm: evil}} {
				o.Address = "sip:bob@example.com"
				_, err := New(&o)
				assert.ErrorContains(t, err, "sip: Options.", "%q", evil)
			}
			_, err := New(&Options{Address: "sip:" + evil + "@example.com"})
			assert.Error(t, err)
		}
		for _, target := range []string{
			"sip:bob@192.0.2.2?Replaces=x", "sip:bob@192.0.2.2?body=x", "sip:bob@192.0.2.2>;tag=x", "<sip:bob@192.0.2.2>", `"B" <sip:bob@192.0.2.2>`,
			"sip:bob@192.0.2.2, sip:eve@192.0.2.2", `sip:b"b@192.0.2.2`, "sip:a b@192.0.2.2", "sip:bob@192.0.2.2#x\\", "tel:+123", "http://192.0.2.2",
		} {
			_, err := s.agent.Invite(t.Context(), target, testMedia("x"))
			assert.ErrorContains(t, err, "sip: ", "%q", target)
		}
		s.None(time.Second)
		_, i := s.offer("")
		for _, evil := range hostile {
			assert.Error(t, i.Reject(t.Context(), 486, evil), "%q", evil)
		}
		require.NoError(t, i.Reject(t.Context(), 486, ""))
	})
}

// A parameter that says which method a URI is for has no place in a Request-URI (RFC 3261 §19.1.1).
func TestRFC3261_19_1_1_MethodParameter(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		done := inviteTo(t.Context(), s.agent, "sip:peer@192.0.2.2;method=BYE;x=y")
		invite := s.Request("INVITE")
		assert.Equal(t, "sip:peer@192.0.2.2;x=y", invite.URI)
		s.Respond(invite, "486 Busy Here", "")
		<-done
	})
}

// Display names are escaped on their way out, and what a peer writes is harmless to show.
func TestRFC3261_20_20_DisplayNames(t *testing.T) {
	onStage(t, Options{DisplayName: `Bob "B" <sip:eve@x>;tag=1 \`}, func(t *testing.T, s *stage) {
		invite, done := s.invite(t.Context())
		assert.True(t, strings.HasPrefix(invite.Value("From"), `"Bob \"B\" <sip:eve@x>;tag=1 \\" <sip:bob@example.com>;tag=`), invite.Value("From"))
		s.Respond(invite, "486 Busy Here", "")
		<-done
		for from, want := range map[string]string{
			`"a \"b\" \\" <sip:c@x>`: `a "b" \`, `Plain <sip:c@x>`: "Plain", `<sip:c@x>`: "", `"` + strings.Repeat("z", 1000) + `" <sip:c@x>`: strings.Repeat("z", maxText),
		} {
			_, i := s.offer("From: " + from + ";tag=t\nCall-ID: " + newID() + "\n")
			assert.Equal(t, want, i.RemoteDisplayName())
			assert.Equal(t, "sip:c@x", i.RemoteAddress())
			require.NoError(t, i.Reject(t.Context(), 486, ""))
		}
	})
}

// Proxies rewrite the Request-URI and users forward calls: whatever reaches us is for us (RFC 3261 §8.2.2.1 leaves it to us).
func TestRFC3261_8_2_2_1_AnyUserIsTaken(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		for _, uri := range []string{"sip:somebody@192.0.2.1", "sip:192.0.2.1", "sip:bob@elsewhere.example"} {
			invite := s.Send("INVITE " + uri + " SIP/2.0\nTo: <sip:whoever@example.net>\nCall-ID: " + newID() + "\n" + s.SDP("active"))
			i, err := s.agent.Accept(t.Context())
			require.NoError(t, err)
			done := answer(t.Context(), i)
			s.Ack(invite, s.Response(200), "")
			require.NoError(t, (<-done).err)
		}
	})
}

// Replaces is not supported: refused where it is required, otherwise an ordinary call (RFC 3891 §3, RFC 3261 §8.2.2.3).
func TestRFC3891_3_Replaces(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, s *stage) {
		invite := s.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\nRequire: replaces\nReplaces: x;from-tag=a;to-tag=b\nCall-ID: one\n" + s.SDP("active"))
		res := s.Final("INVITE")
		assert.Equal(t, 420, res.Status)
		assert.Equal(t, "replaces", res.Value("Unsupported"))
		s.Ack(invite, res, "")
		_, i := s.offer("Supported: replaces\nReplaces: x;from-tag=a;to-tag=b\nCall-ID: two\n")
		require.NoError(t, i.Reject(t.Context(), 486, ""))
	})
}

// An INVITE whose Accept leaves no room for SDP cannot be answered.
func TestRFC3261_20_1_AcceptOfAnINVITE(t *testing.T) {
	for accept, taken := range map[string]bool{
		"application/sdp": true, "text/plain, Application/SDP;level=1": true, "*/*": true, "application/*;q=0.5": true,
		"text/plain": false, "application/sdpx": false,
	} {
		t.Run(accept, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, s *stage) {
				if taken {
					_, i := s.offer("Accept: " + accept + "\n")
					require.NoError(t, i.Reject(t.Context(), 486, ""))
					return
				}
				s.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\nAccept: " + accept + "\n" + s.SDP("active"))
				assert.Equal(t, 406, s.Final("INVITE").Status)
			})
		})
	}
}

// A call that is being answered counts once, so as many as are allowed can be answered at once.
func TestMaxCallsWhileAnswering(t *testing.T) {
	onStage(t, Options{MaxCalls: 4}, func(t *testing.T, s *stage) {
		var invites, answers []*siptest.Message
		for n := range 4 {
			invite, i := s.offer(fmt.Sprintf("Call-ID: %d\n", n))
			answer(t.Context(), i)
			invites, answers = append(invites, invite), append(answers, s.Response(200))
		}
		s.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\nCall-ID: more\n" + s.SDP("active"))
		assert.Equal(t, 486, s.Response(486).Status)
		for n := range invites {
			s.Ack(invites[n], answers[n], "")
		}
	})
}
