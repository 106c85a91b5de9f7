package sip

import (
	"context"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Contact in a request or response that may move the dialog is where we send from then on (RFC 3261 §12.2.1.2, §12.2.2); in any
// other it means nothing.
func TestRFC3261_12_2_TargetRefresh(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		moved := func(n string) string {
			return "Contact: <sip:" + n + "@192.0.2.2;transport=udp;method=INVITE?Subject=x>\n"
		}
		b.Within(dialog, "INFO", moved("info"))
		b.Final("INFO")
		b.Within(dialog, "OPTIONS", moved("options"))
		b.Final("OPTIONS")
		done := reinvite(t.Context(), call, testMedia("bob"))
		again := b.Request("INVITE")
		assert.NotContains(t, again.URI, "info@")
		assert.NotContains(t, again.URI, "options@")
		b.Respond(again, "200 OK", moved("answer")+b.SDP("active"))
		assert.Equal(t, "sip:answer@192.0.2.2;transport=udp", b.Request("ACK").URI)
		require.NoError(t, <-done)
		theirs := b.Within(dialog, "INVITE", moved("offer")+b.SDP("active"))
		b.Ack(theirs, b.Final("INVITE"), "")
		assert.Equal(t, "sip:offer@192.0.2.2;transport=udp", b.bye(call).URI)
	})
}

// The route set is that of the request or response that began the dialog, and stays whatever later ones say (RFC 3261 §12.2).
func TestRFC3261_12_2_RouteSetStays(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("Record-Route: <sip:192.0.2.2;lr;n=1>, <sip:two.example;lr>\n")
		assert.Equal(t, []string{"<sip:192.0.2.2;lr;n=1>", "<sip:two.example;lr>"}, dialog.Values("Record-Route"))
		theirs := b.Within(dialog, "INVITE", "Record-Route: <sip:192.0.2.9;lr>\n"+b.SDP("active"))
		b.Ack(theirs, b.Final("INVITE"), "")
		assert.Equal(t, []string{"<sip:192.0.2.2;lr;n=1>", "<sip:two.example;lr>"}, b.bye(call).Values("Route"))
	})
}

// A dialog that began with a sips URI stays with TLS, whatever Contact and Record-Route say later (RFC 3261 §12.1.1, §12.2.1.1).
func TestRFC3261_12_1_1_SecureDialog(t *testing.T) {
	parse := func(s string) gosip.Uri {
		var u gosip.Uri
		require.NoError(t, gosip.ParseUri(s, &u))
		return u
	}
	d := dialog{target: parse("sips:bob@example.com")}
	res := gosip.NewResponse(200, "OK")
	res.AppendHeader(gosip.NewHeader("To", "<sips:bob@example.com>;tag=1"))
	res.AppendHeader(&gosip.ContactHeader{Address: parse("sip:bob@192.0.2.2;transport=tcp")})
	res.AppendHeader(&gosip.RecordRouteHeader{Address: parse("sip:192.0.2.3;lr")})
	c := d.confirm(res)
	assert.True(t, c.secure)
	assert.Equal(t, "sips:bob@example.com", c.target.String(), "a Contact without TLS is not followed")
	next := c.nextHop()
	assert.Equal(t, "sips:192.0.2.3;lr", next.String())
	c.refresh(parse("sip:plain@192.0.2.4"))
	assert.Equal(t, "sips:bob@example.com", c.target.String())
	c.refresh(parse("sips:new@192.0.2.4"))
	assert.Equal(t, "sips:new@192.0.2.4", c.target.String())

	plain := dialog{target: parse("sip:bob@example.com")}.confirm(res)
	assert.False(t, plain.secure)
	assert.Equal(t, "sip:bob@192.0.2.2;transport=tcp", plain.target.String())
}

// A peer that called a sips URI of ours and gives a Contact without TLS cannot be answered (RFC 3261 §12.1.1).
func TestRFC3261_12_1_1_PlainContactOfASecureCall(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		b.Send("INVITE sips:bob@192.0.2.1 SIP/2.0\n" + b.SDP("active"))
		assert.Equal(t, 400, b.Final("INVITE").Status)
	})
}

// Whatever becomes of our BYE, the call is over (RFC 3261 §15.1.1).
func TestRFC3261_15_1_1_BYE(t *testing.T) {
	for status, want := range map[string]string{
		"200 OK": "", "202 Accepted": "", "481 No Such Call": "", "408 Timeout": "",
		"403 Forbidden": "403", "500 Error": "500", "": "no answer",
	} {
		t.Run(status, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, b *stage) {
				call, _ := b.placed("")
				start := time.Now()
				done := make(chan error, 1)
				go func() { done <- call.Bye(t.Context()) }()
				bye := b.Request("BYE")
				if status != "" {
					b.Respond(bye, "100 Trying", "")
					b.Respond(bye, status, "")
				}
				err := <-done
				if want == "" {
					assert.NoError(t, err)
				} else {
					assert.ErrorContains(t, err, want)
				}
				if status == "" {
					assert.Equal(t, 3200*time.Millisecond, time.Since(start).Round(time.Millisecond), "timer F")
				}
				<-call.Done()
				assert.ErrorIs(t, call.Err(), ErrClosed)
			})
		})
	}
}

// A challenge to the BYE is answered, on both sides of the call.
func TestRFC3261_22_BYEIsChallenged(t *testing.T) {
	for name, up := range map[string]func(b *stage) *Call{
		"calling": func(b *stage) *Call { c, _ := b.placed(""); return c },
		"called":  func(b *stage) *Call { c, _ := b.taken(""); return c },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{Password: "secret"}, func(t *testing.T, b *stage) {
				call := up(b)
				done := make(chan error, 1)
				go func() { done <- call.Bye(t.Context()) }()
				first := b.Request("BYE")
				b.Respond(first, "407 Proxy Authentication Required", `Proxy-Authenticate: Digest realm="p", nonce="n", qop="auth"`+"\n")
				again := b.Request("BYE")
				assert.Equal(t, first.Seq()+1, again.Seq())
				b.Respond(again, "401 Unauthorized", `WWW-Authenticate: Digest realm="s", nonce="n", algorithm=SHA-256, qop="auth"`+"\n")
				last := b.Request("BYE")
				assert.Contains(t, last.Value("Proxy-Authorization"), `realm="p"`)
				assert.Contains(t, last.Value("Authorization"), `realm="s"`)
				b.Respond(last, "200 OK", "")
				assert.NoError(t, <-done)
			})
		})
	}
}

// A BYE with a Reason tells it to the application (RFC 3326).
func TestRFC3326_2_ReasonOfTheBYE(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		b.Within(dialog, "BYE", "Reason: SIP;cause=503;text=\"going down\"\n")
		assert.Equal(t, 200, b.Final("BYE").Status)
		<-call.Done()
		require.ErrorIs(t, call.Err(), ErrEnded)
		var why *Reason
		require.ErrorAs(t, call.Err(), &why)
		assert.Equal(t, 503, why.Cause)
	})
}

// The caller hangs up before its ACK (RFC 3261 §15 allows it): Answer ends, the call is over, and nothing is repeated any more.
func TestRFC3261_15_ByeBeforeTheACK(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		_, i := b.offer("")
		done := answer(t.Context(), i)
		ok := b.Final("INVITE")
		b.Within(ok, "BYE", "")
		assert.Equal(t, 200, b.Final("BYE").Status)
		r := <-done
		require.NoError(t, r.err, "there was a call")
		<-r.call.Done()
		assert.ErrorIs(t, r.call.Err(), ErrEnded)
		b.None(time.Minute)
	})
}

// Shutdown hangs up all calls, and waits for silent peers until timer F; Close takes a second.
func TestShutdownOfSilentPeers(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(a *Agent) error
		time time.Duration
	}{
		"Shutdown": {func(a *Agent) error { return a.Shutdown(context.Background()) }, 3200 * time.Millisecond},
		"Close":    {func(a *Agent) error { return a.Close() }, closeGrace},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, b *stage) {
				first, _ := b.taken("")
				second, _ := b.placed("")
				start := time.Now()
				require.NoError(t, c.end(b.agent))
				assert.Equal(t, c.time, time.Since(start).Round(100*time.Millisecond))
				for _, call := range []*Call{first, second} {
					<-call.Done()
					assert.ErrorIs(t, call.Err(), ErrClosed)
				}
			})
		})
	}
}

// What a peer writes into a request of the dialog reaches no request of ours as a line of its own.
func TestDialogInjection(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		b.Within(dialog, "UPDATE", "Contact: <sip:x%0d%0aEvil:%201@192.0.2.2>;a=\"b\\\"c\"\n")
		assert.Equal(t, 200, b.Final("UPDATE").Status)
		bye := b.bye(call)
		for _, h := range bye.Header {
			assert.False(t, strings.HasPrefix(h, "Evil"), h)
		}
	})
}
