package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const text = "Content-Type: text/plain;charset=utf-8\n\n"

// MESSAGE outside and within a dialog reaches the application, in the order of the wire, and gets a 200 without a body and without a
// Contact (RFC 3428 §7).
func TestRFC3428_7_UASProcessing(t *testing.T) {
	onStage(t, Options{MessageTypes: []string{"text/plain"}}, func(t *testing.T, b *stage) {
		b.Send("MESSAGE sip:bob@192.0.2.1 SIP/2.0\nFrom: \"Carol \\\"C\\\"\" <sip:carol@Example.org>;tag=1\n" + text + "hello\n")
		ok := b.Final("MESSAGE")
		assert.Equal(t, 200, ok.Status)
		assert.Empty(t, ok.Body)
		assert.Empty(t, ok.Value("Contact"))
		m, err := b.agent.ReceiveMessage(t.Context())
		require.NoError(t, err)
		assert.Equal(t, &Message{
			RemoteAddress: "sip:carol@example.org", RemoteDisplayName: `Carol "C"`,
			ContentType: "text/plain;charset=utf-8", Body: []byte("hello\r\n"),
		}, m)

		call, dialog := b.taken("")
		for n := range 10 {
			b.Within(dialog, "MESSAGE", text+fmt.Sprint(n))
		}
		for n := range 10 {
			assert.Equal(t, 200, b.Final("MESSAGE").Status)
			m, err := b.agent.ReceiveMessage(t.Context())
			require.NoError(t, err)
			assert.Same(t, call, m.Call)
			assert.Equal(t, fmt.Sprint(n), string(m.Body))
			assert.Equal(t, call.RemoteAddress(), m.RemoteAddress)
		}
		b.bye(call)
		b.Within(dialog, "MESSAGE", text+"late")
		assert.Equal(t, 481, b.Final("MESSAGE").Status)
	})
}

// One that comes again is answered again and delivered once.
func TestRFC3428_8_RepeatedMessage(t *testing.T) {
	onStage(t, Options{MessageTypes: []string{"text/*"}}, func(t *testing.T, b *stage) {
		m := b.Send("MESSAGE sip:bob@192.0.2.1 SIP/2.0\n" + text + "once")
		for range 3 {
			assert.Equal(t, 200, b.Final("MESSAGE").Status)
			b.Repeat(m)
		}
		assert.Equal(t, 200, b.Final("MESSAGE").Status)
		_, err := b.agent.ReceiveMessage(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = b.agent.ReceiveMessage(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestRFC3428_7_Refusals(t *testing.T) {
	for name, c := range map[string]struct {
		types []string
		rest  string
		code  int
	}{
		"no types":            {nil, text + "x", 405},
		"another type":        {[]string{"text/plain"}, "Content-Type: text/html\n\nx", 415},
		"a pattern":           {[]string{"text/plain"}, "Content-Type: text/*\n\nx", 415},
		"everything":          {[]string{"text/plain"}, "Content-Type: *\n\nx", 415},
		"no type":             {[]string{"text/plain"}, "\nx", 415},
		"encoded":             {[]string{"text/plain"}, "Content-Encoding: gzip\n" + text + "x", 415},
		"of a kind":           {[]string{"text/*"}, "Content-Type: TEXT/html ; charset=x\n\nx", 200},
		"empty":               {[]string{"text/plain"}, "", 200},
		"with Require":        {[]string{"text/plain"}, "Require: foo\n" + text + "x", 420},
		"text and CPIM taken": {[]string{"text/plain", "message/cpim"}, "c: message/cpim\n\nx", 200},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{MessageTypes: c.types}, func(t *testing.T, b *stage) {
				b.Send("MESSAGE sip:bob@192.0.2.1 SIP/2.0\n" + c.rest)
				res := b.Final("MESSAGE")
				assert.Equal(t, c.code, res.Status)
				switch c.code {
				case 405:
					assert.NotContains(t, res.Value("Allow"), "MESSAGE")
				case 415:
					assert.Equal(t, strings.Join(c.types, ", "), res.Value("Accept"))
				}
			})
		})
	}
}

// 64 messages wait for the application; further ones are refused, and taken again once there is room.
func TestRFC3428_7_FullQueue(t *testing.T) {
	onStage(t, Options{MessageTypes: []string{"text/plain"}}, func(t *testing.T, b *stage) {
		for n := range maxMessages + 1 {
			b.Send("MESSAGE sip:bob@192.0.2.1 SIP/2.0\n" + text + fmt.Sprint(n))
			res := b.Final("MESSAGE")
			if n < maxMessages {
				assert.Equal(t, 200, res.Status)
				continue
			}
			assert.Equal(t, 480, res.Status)
			assert.NotEmpty(t, res.Value("Retry-After"))
		}
		_, err := b.agent.ReceiveMessage(t.Context())
		require.NoError(t, err)
		b.Send("MESSAGE sip:bob@192.0.2.1 SIP/2.0\n" + text + "again")
		assert.Equal(t, 200, b.Final("MESSAGE").Status)
		require.NoError(t, b.agent.Close())
		_, err = b.agent.ReceiveMessage(t.Context())
		assert.ErrorIs(t, err, ErrClosed)
	})
}

// What we say that we can do is what we do, and the same everywhere: Allow and Supported of INVITE, 200, OPTIONS and 405.
func TestRFC3261_11_2_OPTIONS(t *testing.T) {
	for name, c := range map[string]struct {
		o                        Options
		allow, supported, accept string
	}{
		"default":  {Options{}, "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE", "100rel, timer", "application/sdp"},
		"no timer": {Options{SessionExpires: -1}, "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE", "100rel", "application/sdp"},
		"MESSAGE and focus": {Options{MessageTypes: []string{"text/plain"}, Focus: true},
			"INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, MESSAGE", "100rel, timer", "application/sdp, text/plain"},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, c.o, func(t *testing.T, b *stage) {
				call, ok := b.taken("")
				b.Send("OPTIONS sip:bob@192.0.2.1 SIP/2.0")
				outside := b.Final("OPTIONS")
				b.Within(ok, "OPTIONS", "")
				within := b.Final("OPTIONS")
				for _, m := range []string{outside.Value("Accept"), within.Value("Accept")} {
					assert.Equal(t, c.accept, m)
				}
				invite, done := b.invite(t.Context())
				b.Respond(invite, "486 Busy Here", "")
				assert.ErrorIs(t, (<-done).err, ErrBusy)
				for _, m := range []string{"Allow", "Supported"} {
					want := map[string]string{"Allow": c.allow, "Supported": c.supported}[m]
					assert.Equal(t, want, outside.Value(m), m)
					assert.Equal(t, want, within.Value(m), m)
					assert.Equal(t, want, ok.Value(m), m)
					assert.Equal(t, want, invite.Value(m), m)
				}
				assert.Equal(t, c.o.Focus, strings.Contains(outside.Value("Contact"), ";isfocus"), "RFC 4579 section 4")
				b.Within(ok, "REFER", "Refer-To: <sip:x@example.org>\n")
				refer := b.Final("REFER")
				assert.Equal(t, 405, refer.Status)
				assert.Equal(t, c.allow, refer.Value("Allow"))
				b.bye(call)
			})
		})
	}
}

// What we do not take, outside of a dialog and within one.
func TestRFC3261_8_2_1_OtherMethods(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		for method, code := range map[string]int{"REFER": 405, "SUBSCRIBE": 405, "PUBLISH": 405, "REGISTER": 405, "NOTIFY": 481, "PRACK": 481, "JUMP": 501} {
			b.Send(method + " sip:bob@192.0.2.1 SIP/2.0")
			assert.Equal(t, code, b.Final(method).Status, method)
			b.Within(dialog, method, "")
			assert.Equal(t, code, b.Final(method).Status, method)
		}
		assert.NoError(t, call.Err())
		b.bye(call)
	})
}
