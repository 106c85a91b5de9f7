package sip

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// field reads a parameter of an Authorization header field.
func field(value, name string) string {
	m := regexp.MustCompile(`[ ,]` + name + `="?([^",]*)`).FindStringSubmatch(value)
	if m == nil {
		return ""
	}
	return m[1]
}

// verify computes the response of RFC 7616 §3.4.1 by itself.
func verify(t *testing.T, req *gosip.Request, header, realm, nonce, password string, nc int) {
	t.Helper()
	var cred string
	for _, h := range req.GetHeaders(header) {
		if field(h.Value(), "realm") == realm {
			cred = h.Value()
		}
	}
	require.NotEmpty(t, cred, "no %s for %s", header, realm)
	hash := func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) }
	if strings.HasPrefix(field(cred, "algorithm"), "SHA-256") {
		hash = func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	}
	assert.Equal(t, nonce, field(cred, "nonce"))
	uri, cnonce, qop := field(cred, "uri"), field(cred, "cnonce"), field(cred, "qop")
	assert.Equal(t, req.Recipient.String(), uri)
	a1, a2 := hash("bob:"+realm+":"+password), string(req.Method)+":"+uri
	if strings.HasSuffix(field(cred, "algorithm"), "-sess") {
		a1 = hash(a1 + ":" + nonce + ":" + cnonce)
	}
	if qop == "auth-int" {
		a2 += ":" + hash(string(req.Body()))
	}
	want := hash(a1 + ":" + nonce + ":" + hash(a2))
	if qop != "" {
		assert.Equal(t, fmt.Sprintf("%08x", nc), field(cred, "nc"))
		want = hash(fmt.Sprintf("%s:%s:%08x:%s:%s:%s", a1, nonce, nc, cnonce, qop, hash(a2)))
	}
	assert.Equal(t, want, field(cred, "response"))
}

func newAuthAgent(t *testing.T) *Agent { return newTestAgent(t, &Options{Password: "secret"}, "udp") }

// The INVITE is challenged, the BYE uses the same nonce with the next count, is challenged again with a new one, and
// the ACKs are what they must be.
func TestDigestCall(t *testing.T) {
	for name, c := range map[string]struct {
		code              int
		challenge, answer string
	}{
		"MD5":           {401, `WWW-Authenticate: Digest realm="r", nonce="%s", qop="auth-int, auth", algorithm=MD5`, "Authorization"},
		"SHA-256":       {407, `Proxy-Authenticate: Digest realm="r",nonce="%s",qop="auth",algorithm=SHA-256`, "Proxy-Authorization"},
		"no qop":        {401, `WWW-Authenticate: Digest realm="r", nonce="%s"`, "Authorization"},
		"MD5-sess":      {401, `WWW-Authenticate: Digest realm="r", nonce="%s", qop="auth", algorithm=MD5-sess`, "Authorization"},
		"SHA-256-sess":  {407, `Proxy-Authenticate: Digest realm="r", nonce="%s", qop="auth", algorithm=SHA-256-sess`, "Proxy-Authorization"},
		"auth-int":      {401, `WWW-Authenticate: Digest realm="r", nonce="%s", qop="auth-int", algorithm=SHA-256`, "Authorization"},
		"several":       {401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"x\", qop=\"auth\", algorithm=SHA-3\nWWW-Authenticate: Basic realm=\"r\"\nWWW-Authenticate: Digest realm=\"r\", nonce=\"%s\", qop=\"auth\", algorithm=SHA-256\nWWW-Authenticate: Digest realm=\"r\", nonce=\"y\", qop=\"auth\", algorithm=MD5", "Authorization"},
		"compact blank": {401, `www-authenticate:   digest   realm="r",  nonce="%s"`, "Authorization"},
	} {
		t.Run(name, func(t *testing.T) {
			alice, carol := newAuthAgent(t), newPeer(t)
			done := inviteTo(testContext(t), alice, carol.target())
			first := carol.request(gosip.INVITE)
			assert.Nil(t, first.GetHeader(c.answer))
			carol.respond(first, c.code, fmt.Sprintf(c.challenge, "n1")+"\n")
			carol.request(gosip.ACK)
			second := carol.request(gosip.INVITE)
			verify(t, second, c.answer, "r", "n1", "secret", 1)
			assert.Equal(t, first.CSeq().SeqNo+1, second.CSeq().SeqNo)
			assert.Equal(t, callID(first), callID(second))
			assert.Equal(t, fromTag(first), fromTag(second))
			assert.NotEqual(t, branch(first), branch(second))
			carol.respond(second, 200, carol.answer())
			ack := carol.request(gosip.ACK)
			assert.Equal(t, second.GetHeader(c.answer).Value(), ack.GetHeader(c.answer).Value(), "RFC 3261 §22.1")
			call := <-done
			require.NoError(t, call.err)

			bye := make(chan error, 1)
			go func() { bye <- call.call.Bye(testContext(t)) }()
			b := carol.request(gosip.BYE)
			verify(t, b, c.answer, "r", "n1", "secret", 2)
			carol.respond(b, c.code, fmt.Sprintf(c.challenge, "n2")+"\n")
			b = carol.request(gosip.BYE)
			verify(t, b, c.answer, "r", "n2", "secret", 1)
			carol.respond(b, 200, "")
			assert.NoError(t, <-bye)
		})
	}
}

// A proxy and the peer ask one after the other.
func TestDigestTwoRealms(t *testing.T) {
	alice, carol := newAuthAgent(t), newPeer(t)
	done := inviteTo(testContext(t), alice, carol.target())
	carol.respond(carol.request(gosip.INVITE), 407, `Proxy-Authenticate: Digest realm="p", nonce="n1"`+"\n")
	second := carol.request(gosip.INVITE)
	verify(t, second, "Proxy-Authorization", "p", "n1", "secret", 1)
	carol.respond(second, 401, `WWW-Authenticate: Digest realm="r", nonce="n2"`+"\n")
	third := carol.request(gosip.INVITE)
	verify(t, third, "Proxy-Authorization", "p", "n1", "secret", 2)
	verify(t, third, "Authorization", "r", "n2", "secret", 1)
	carol.respond(third, 486, "")
	var status *StatusError
	require.ErrorAs(t, (<-done).err, &status)
	assert.Equal(t, 486, status.Code)
}

// How often an INVITE is sent before we give up.
func TestDigestGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		o         Options
		challenge string
		requests  int
	}{
		"wrong password": {Options{Password: "wrong"}, `Digest realm="r", nonce="%d"`, 2},
		"always stale":   {Options{Password: "x"}, `Digest realm="r", nonce="%d", stale=true`, maxAttempts},
		"no password":    {Options{}, `Digest realm="r", nonce="%d"`, 1},
		"other realm":    {Options{Password: "x", Realm: "example.com"}, `Digest realm="r", nonce="%d"`, 1},
		"unknown":        {Options{Password: "x"}, `Digest realm="r", nonce="%d", algorithm=FOO`, 1},
		"unknown qop":    {Options{Password: "x"}, `Digest realm="r", nonce="%d", qop="foo"`, 1},
		"broken":         {Options{Password: "x"}, `Digest realm="%d`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			alice, carol := newTestAgent(t, &c.o, "udp"), newPeer(t)
			done := inviteTo(testContext(t), alice, carol.target())
			for n := range c.requests {
				carol.respond(carol.request(gosip.INVITE), 401, fmt.Sprintf("WWW-Authenticate: "+c.challenge, n)+"\n")
			}
			r := <-done
			var status *StatusError
			require.ErrorAs(t, r.err, &status)
			assert.Equal(t, 401, status.Code)
			assert.NotContains(t, r.err.Error(), "wrong")
		})
	}
}

func TestRFC8760_2_4_ManyRealms(t *testing.T) {
	c := &credentials{username: "u", password: "p"}
	res := gosip.NewResponse(401, "")
	for n := range 3 * maxChallenges {
		res.AppendHeader(header("WWW-Authenticate", fmt.Sprintf(`Digest realm="%d", nonce="n"`, n)))
	}
	assert.True(t, c.learn(res, make(round)))
	req := gosip.NewRequest(gosip.BYE, gosip.Uri{Scheme: "sip", Host: "x"})
	c.sign(req, "udp")
	assert.Len(t, req.GetHeaders("Authorization"), maxChallenges)
}

// What a server writes into a challenge cannot start a line of its own in our answer.
func TestChallengeInjection(t *testing.T) {
	c := &credentials{username: `u"\`, password: "p"}
	for _, value := range []string{"realm=\"a\r\nEvil: 1\", nonce=\"b\"", "realm=\"a\", nonce=\"b\nEvil: 2\"", "realm=\"a\", nonce=\"b\", opaque=\"\r\n\""} {
		res := gosip.NewResponse(401, "")
		res.AppendHeader(header("WWW-Authenticate", "Digest "+value))
		assert.False(t, c.learn(res, make(round)), value)
	}
	res := gosip.NewResponse(401, "")
	res.AppendHeader(header("WWW-Authenticate", `Digest realm="a\", x=\"", nonce="\\"`))
	require.True(t, c.learn(res, make(round)))
	req := gosip.NewRequest(gosip.BYE, gosip.Uri{Scheme: "sip", Host: "x"})
	c.sign(req, "udp")
	assert.Contains(t, req.GetHeader("Authorization").Value(), `Digest username="u\"\\", realm="a\", x=\"", nonce="\\", `)
}
