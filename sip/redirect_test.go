package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The targets that a 3xx names are called one after the other, the best first, until one answers.
func TestRFC3261_8_1_3_4_RedirectionIsFollowed(t *testing.T) {
	for _, status := range []string{"300 Multiple Choices", "301 Moved Permanently", "302 Moved Temporarily"} {
		t.Run(status, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, b *stage) {
				first, done := b.invite(t.Context())
				dave, erin, frank := b.peer("192.0.2.3"), b.peer("192.0.2.4"), b.peer("192.0.2.5")
				b.Respond(first, status, "Contact: <sip:erin@192.0.2.4>;q=0.5, <sip:dave@192.0.2.3;method=BYE?Subject=x&body=y>;q=0.9\n"+
					"Contact: <sip:frank@192.0.2.5>;q=0.1\n")
				b.Request("ACK")

				second := dave.Request("INVITE")
				assert.Equal(t, "sip:dave@192.0.2.3", second.URI, "without method and header fields")
				assert.Empty(t, second.Value("Subject"))
				assert.Equal(t, first.Body, second.Body)
				for _, name := range []string{"To", "From", "Call-ID"} {
					assert.Equal(t, first.Value(name), second.Value(name), name)
				}
				assert.Equal(t, first.Seq()+1, second.Seq())
				assert.NotEqual(t, first.Param("Via", "branch"), second.Param("Via", "branch"))
				dave.Respond(second, "486 Busy Here", "")

				third := erin.Request("INVITE")
				erin.Respond(third, "200 OK", erin.SDP("passive"))
				erin.Request("ACK")
				call := <-done
				require.NoError(t, call.err)
				assert.Equal(t, "sip:peer@192.0.2.2:5060", call.call.RemoteAddress(), "the address that was called")
				frank.None(time.Minute)
			})
		})
	}
}

// A chain of redirections ends at MaxRedirects, and one that comes round at once.
func TestRFC3261_8_1_3_4_RedirectionsAreBounded(t *testing.T) {
	for redirects, sent := range map[int]int{0: 1 + DefaultMaxRedirects, 2: 3, -1: 1} {
		t.Run(fmt.Sprint(redirects), func(t *testing.T) {
			onStage(t, Options{MaxRedirects: redirects}, func(t *testing.T, b *stage) {
				invite, done := b.invite(t.Context())
				for n := 1; n < sent; n++ {
					b.Respond(invite, "302 Moved Temporarily", fmt.Sprintf("Contact: <sip:%d@192.0.2.2>, <sip:other%d@192.0.2.2>\n", n, n))
					invite = b.Request("INVITE")
				}
				b.Respond(invite, "302 Moved Temporarily", "Contact: <sip:last@192.0.2.2>\n")
				b.Request("ACK")
				var status *StatusError
				require.ErrorAs(t, (<-done).err, &status)
				assert.Equal(t, 302, status.Code)
				b.None(time.Minute)
			})
		})
	}
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		b.Respond(invite, "302 Moved Temporarily", "Contact: <"+b.URI("udp")+">, <sip:x@192.0.2.2>, <sip:x@192.0.2.2>\n")
		invite = b.Request("INVITE")
		assert.Equal(t, "sip:x@192.0.2.2", invite.URI)
		b.Respond(invite, "301 Moved Permanently", "Contact: <"+b.URI("udp")+">\n")
		b.Request("ACK")
		assert.Error(t, (<-done).err)
		b.None(time.Minute)
	})
}

// What we do not follow: the answer is the caller's to judge.
func TestRFC3261_8_1_3_4_WhatIsNotFollowed(t *testing.T) {
	for name, c := range map[string]struct{ status, contact string }{
		"305":            {"305 Use Proxy", "<sip:x@192.0.2.2>"},
		"380":            {"380 Alternative Service", "<sip:x@192.0.2.2>"},
		"404":            {"404 Not Found", "<sip:x@192.0.2.2>"},
		"no SIP":         {"302 Moved", "<tel:+123>, <http://192.0.2.2/>"},
		"password":       {"302 Moved", "<sip:x:y@192.0.2.2>"},
		"long":           {"302 Moved", "<sip:" + strings.Repeat("x", maxText) + "@192.0.2.2>"},
		"NUL":            {"302 Moved", "<sip:a\x00b@192.0.2.2>"},
		"space":          {"302 Moved", "<sip:a b@192.0.2.2>"},
		"not a URI":      {"302 Moved", "*"},
		"no host":        {"302 Moved", "<sip:x@>"},
		"without any":    {"302 Moved", ""},
		"global refusal": {"603 Decline", "<sip:x@192.0.2.2>"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, b *stage) {
				invite, done := b.invite(t.Context())
				rest := ""
				if c.contact != "" {
					rest = "Contact: " + c.contact + "\n"
				}
				b.Respond(invite, c.status, rest)
				b.Request("ACK")
				var status *StatusError
				require.ErrorAs(t, (<-done).err, &status)
				assert.Equal(t, c.status, fmt.Sprint(status.Code, " ", status.Reason))
				b.None(time.Minute)
			})
		})
	}
}

// Who was called securely is not looked for elsewhere without that.
func TestRFC3261_8_1_3_4_NeverFromSipsToSip(t *testing.T) {
	contacts := "<sip:x@192.0.2.2>, <sips:y@192.0.2.2>, <SIP:z@192.0.2.2>"
	for scheme, want := range map[string]int{"sips": 1, "sip": 3} {
		res := gosip.NewResponse(302, "Moved")
		for c := range strings.SplitSeq(contacts, ", ") {
			h := new(gosip.ContactHeader)
			require.NoError(t, gosip.ParseUri(strings.Trim(c, "<>"), &h.Address))
			res.AppendHeader(h)
		}
		ts := newTargets(gosip.Uri{Scheme: scheme, Host: "x"}, 5)
		_, _ = ts.next()
		ts.add(res)
		assert.Len(t, ts.queue, want, scheme)
	}
}

// A global refusal ends the search (RFC 3261 §21.6).
func TestRFC3261_21_6_GlobalRefusalEndsTheSearch(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		b.Respond(invite, "302 Moved", "Contact: <sip:a@192.0.2.2>, <sip:b@192.0.2.2>\n")
		b.Respond(b.Request("INVITE"), "603 Decline", "")
		assert.ErrorIs(t, (<-done).err, ErrDeclined)
		b.Request("ACK")
		b.None(time.Minute)
	})
}

// What the first server asked for is not told to the one that it sends us to.
func TestRFC3261_22_1_CredentialsStayWithTheirServer(t *testing.T) {
	onStage(t, Options{Password: "secret"}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		b.Respond(invite, "401 Unauthorized", `WWW-Authenticate: Digest realm="r", nonce="n"`+"\n")
		invite = b.Request("INVITE")
		assert.NotEmpty(t, invite.Value("Authorization"))
		dave := b.peer("192.0.2.3")
		b.Respond(invite, "302 Moved", "Contact: <sip:dave@192.0.2.3>\n")
		invite = dave.Request("INVITE")
		assert.Empty(t, invite.Value("Authorization"))
		dave.Respond(invite, "404 Not Found", "")
		assert.Error(t, (<-done).err)
	})
}

// The end of the context ends the search.
func TestRFC3261_8_1_3_4_GivenUpWhileRedirected(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		b.Respond(invite, "302 Moved", "Contact: <sip:a@192.0.2.77>, <sip:b@192.0.2.2>\n")
		b.Request("ACK")
		assert.ErrorIs(t, b.agent.Close(), nil)
		assert.ErrorIs(t, (<-done).err, ErrClosed)
		b.None(time.Minute)
	})
}

func TestQOf(t *testing.T) {
	for q, want := range map[string]int{"": 1000, "1": 1000, "0.5": 500, "0": 0, "2": 0, "-1": 0, "NaN": 0, "x": 0} {
		c := new(gosip.ContactHeader)
		if q != "" {
			c.Params.Add("Q", q)
		}
		assert.Equal(t, want, qOf(c), q)
	}
}
