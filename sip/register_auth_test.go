package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/sip/siptest"
)

// guard asks for digest authentication and believes in one nonce.
type guard struct {
	nonce, extra string // the latter: further header fields of the 200
}

const guardRealm = "example.com"

func (g *guard) answer(n int, req *siptest.Message) (string, string) {
	challenge := "WWW-Authenticate: " + (&digest.Challenge{Realm: guardRealm, Nonce: g.nonce, Algorithm: digest.SHA256}).String()
	c, err := digest.ParseCredentials(req.Value("Authorization"))
	switch {
	case err != nil || !c.Verify("REGISTER", req.URI, digest.HA1(digest.SHA256, "bob", guardRealm, "secret")):
		return "401 Unauthorized", challenge
	case c.Nonce != g.nonce:
		return "401 Unauthorized", challenge + ", stale=true"
	}
	status, rest := granted(n, req)
	return status, rest + g.extra
}

func authorization(t *testing.T, m *siptest.Message) *digest.Credentials {
	t.Helper()
	c, err := digest.ParseCredentials(m.Value("Authorization"))
	require.NoError(t, err)
	return c
}

// The first REGISTER is challenged, later ones count on with the nonce, and a stale one is replaced (RFC 3261 §22.2).
func TestRFC3261_22_2_Register(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := &guard{nonce: "n1"}
		r := newRegistrar(t, g.answer)
		reg, err := r.agent(t, &Options{Password: "secret"}).Register(ctx, &RegisterOptions{Expires: time.Minute})
		require.NoError(t, err)
		require.Equal(t, 2, r.count())
		assert.Equal(t, r.request(0).Seq()+1, r.request(1).Seq())
		assert.Equal(t, r.request(0).Value("Call-ID"), r.request(1).Value("Call-ID"))
		assert.Equal(t, uint32(1), authorization(t, r.request(1)).NC)

		time.Sleep(31 * time.Second) // half of the time, and one
		require.Equal(t, 3, r.count())
		assert.Equal(t, uint32(2), authorization(t, r.request(2)).NC)

		r.then((&guard{nonce: "n2"}).answer)
		time.Sleep(30 * time.Second)
		assert.True(t, reg.State().Registered)
		assert.NoError(t, reg.State().Err)
		assert.Equal(t, uint32(3), authorization(t, r.request(3)).NC)
		assert.Equal(t, "n2", authorization(t, r.request(4)).Nonce)
		require.NoError(t, reg.Shutdown(ctx))
	})
}

func TestRFC3261_22_2_WrongPassword(t *testing.T) {
	for _, tt := range []struct {
		name     string
		o        Options
		requests int
	}{
		{"wrong", Options{Password: "wrong"}, 2},
		{"none", Options{}, 1},
		{"another realm", Options{Password: "secret", Realm: "example.org"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, (&guard{nonce: "n"}).answer)
				_, err := r.agent(t, &tt.o).Register(ctx, nil)
				assert.Equal(t, &StatusError{401, "Unauthorized"}, err)
				assert.Equal(t, tt.requests, r.count())
			})
		})
	}
}

// A registrar that finds every nonce stale is tried again later; it is not said that the password is wrong.
func TestRFC7616_3_3_AlwaysStale(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, func(n int, _ *siptest.Message) (string, string) {
			return "401 Unauthorized", fmt.Sprintf(`WWW-Authenticate: Digest realm="r", nonce="%d", qop="auth", stale=true`, n)
		})
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		_, err := r.agent(t, &Options{Password: "secret"}).Register(ctx, nil)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.LessOrEqual(t, r.count(), 7*maxAttempts)
		assert.Greater(t, r.count(), 2*maxAttempts)
	})
}

func TestRFC7616_3_5_NextNonce(t *testing.T) {
	for _, tt := range []struct {
		name, info string
		next       bool
	}{
		{"taken", `nextnonce="n2"`, true},
		{"a wrong proof", `nextnonce="n2", rspauth="00"`, false},
		{"malformed", `nextnonce="n2"x`, false},
		{"a control character", "nextnonce=\"n\x012\"", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, (&guard{nonce: "n1", extra: "Authentication-Info: " + tt.info}).answer)
				ctx, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				_, err := r.agent(t, &Options{Password: "secret"}).Register(ctx, &RegisterOptions{Expires: time.Minute})
				if strings.Contains(tt.info, "\x01") {
					assert.ErrorIs(t, err, errMalformed)
					return
				}
				require.NoError(t, err)
				time.Sleep(31 * time.Second)
				got := authorization(t, r.request(2))
				assert.Equal(t, tt.next, got.Nonce == "n2")
				assert.Equal(t, tt.next, got.NC == 1)
			})
		})
	}
}

// A registrar may send us to another server of its domain; our credentials go nowhere else.
func TestRFC3261_8_1_3_4_Redirected(t *testing.T) {
	for _, tt := range []struct {
		name, registrar, contact string
		followed                 bool
	}{
		{"within the domain", "sip:example.com", "sip:192.0.2.9.example.com", true},
		{"the same host", "sip:example.com", "sip:example.com:5070", true},
		{"another domain", "sip:example.com", "sip:example.org", false},
		{"a name that only looks like it", "sip:example.com", "sip:badexample.com", false},
		{"the same URI", "sip:example.com", "sip:example.com", false},
		{"another transport", "sip:example.com;transport=udp", "sip:a.example.com", false},
		{"an address in an address", "sip:192.0.2.9", "sip:1.192.0.2.9", false},
		{"no SIP", "sip:example.com", "tel:112", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, func(n int, req *siptest.Message) (string, string) {
					if n == 0 {
						return "302 Moved Temporarily", "Contact: <" + tt.contact + ">"
					}
					return granted(n, req)
				})
				a := r.agent(t, &Options{Address: "sip:bob@example.com", OutboundProxy: "sip:192.0.2.9;transport=udp"})
				_, err := a.Register(ctx, &RegisterOptions{Registrar: tt.registrar})
				if !tt.followed {
					assert.Equal(t, &StatusError{302, "Moved Temporarily"}, err)
					assert.Equal(t, 1, r.count())
					return
				}
				require.NoError(t, err)
				assert.Equal(t, tt.contact, r.request(1).URI)
			})
		})
	}
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, func(n int, req *siptest.Message) (string, string) {
			return "302 Moved Temporarily", fmt.Sprintf("Contact: <sip:%d.example.com>", n%2)
		})
		a := r.agent(t, &Options{Address: "sip:bob@example.com", OutboundProxy: "sip:192.0.2.9"})
		_, err := a.Register(ctx, nil)
		assert.Equal(t, &StatusError{302, "Moved Temporarily"}, err)
		assert.Equal(t, 1+maxConcessions, r.count(), "a loop ends")
	})
}

// A 200 that does not belong to the REGISTER registers nothing.
func TestResponseToAnotherRegister(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, always("", ""))
		r.Dial("udp", "192.0.2.1:5060")
		r.then(func(_ int, req *siptest.Message) (string, string) {
			r.Write([]byte(fmt.Sprintf("SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=x\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\nContact: %s\r\nContent-Length: 0\r\n\r\n",
				req.Value("Via"), req.Value("From"), req.Value("To"), req.Value("Call-ID"), req.Seq()+1, req.Value("Contact"))))
			return "", ""
		})
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		_, err := r.agent(t, &Options{}).Register(ctx, nil)
		assert.ErrorIs(t, err, errMalformed)
	})
}
