package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
)

const (
	relayURI  = "msrps://relay.example.com:2855;tcp"
	clientURI = "msrps://alice.example.com:9892/98cjs;tcp"
)

func testGate(t testing.TB, change func(*Options)) *gate {
	o := &Options{
		Realm: "example.com", Authenticator: Users{"alice": "secret", "bob": "other", `a"b\c`: "quoted", "Jäsøn": "umlaut"},
		MinExpires: time.Minute, MaxExpires: time.Hour, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(o)
	}
	g, err := newGate(o)
	require.NoError(t, err)
	return g
}

func home(conn uint64) origin {
	return origin{conn: conn, secure: true, remote: netip.MustParseAddrPort("192.0.2.1:5000")}
}

// authFrame is an AUTH with these headers, names and values in turn.
func authFrame(from string, header ...string) *msrp.Frame {
	f := &msrp.Frame{TransactionID: []byte("49fh"), Method: []byte("AUTH"), ToPath: []byte(relayURI), FromPath: []byte(from)}
	for i := 0; i < len(header); i += 2 {
		f.Add(header[i], header[i+1])
	}
	return f
}

// headers returns the values of a header.
func (v verdict) headers(name string) (values []string) {
	for _, h := range v.header {
		if string(h.Name) == name {
			values = append(values, string(h.Value))
		}
	}
	return values
}

// visitor is a client as the gate sees it.
type visitor struct {
	origin
	from           string
	user, password string
	client         *digest.Client
}

func visit(user, password string) *visitor {
	return &visitor{origin: home(1), from: clientURI, user: user, password: password}
}

// learn takes the challenge of v, the strongest unless another is named.
func (p *visitor) learn(t testing.TB, v verdict) *digest.Challenge {
	require.Equal(t, msrp.StatusUnauthorized, v.code)
	c, err := digest.Strongest(v.headers("WWW-Authenticate")...)
	require.NoError(t, err)
	p.client = digest.NewClient(c, p.user, p.password)
	return c
}

// answer sends an AUTH with credentials.
func (p *visitor) answer(t testing.TB, g *gate, header ...string) verdict {
	return g.check(t.Context(), p.origin, authFrame(p.from, append(header, "Authorization", p.client.Authorization("AUTH", relayURI))...))
}

// enter asks for a challenge and answers it.
func (p *visitor) enter(t testing.TB, g *gate, header ...string) verdict {
	v := g.check(t.Context(), p.origin, authFrame(p.from))
	if v.code != msrp.StatusUnauthorized {
		return v
	}
	p.learn(t, v)
	return p.answer(t, g, header...)
}

func TestRFC4976_5_1_Challenge(t *testing.T) {
	g := testGate(t, nil)
	v := g.check(t.Context(), home(1), authFrame(clientURI))
	assert.Equal(t, msrp.StatusUnauthorized, v.code)
	assert.False(t, v.failed, "the first request has no credentials yet")
	values := v.headers("WWW-Authenticate")
	require.Len(t, values, 2)
	for i, algorithm := range []string{"SHA-256", "MD5"} {
		assert.Regexp(t, `^Digest realm="example.com", qop="auth", nonce="[\w-]{43}", algorithm=`+algorithm+`$`, values[i])
	}
}

func TestGateGrants(t *testing.T) {
	for _, tt := range []struct {
		name, user, password string
		algorithms           []Algorithm
		omitURI              bool
	}{
		{"SHA-256", "alice", "secret", nil, false},
		{"MD5", "alice", "secret", []Algorithm{MD5}, false},
		{"without uri", "alice", "secret", nil, true},
		{"quotes in the name", `a"b\c`, "quoted", nil, false},
		{"name that is not ASCII", "Jäsøn", "umlaut", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := testGate(t, func(o *Options) { o.Algorithms = tt.algorithms })
			p := visit(tt.user, tt.password)
			p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
			p.client.OmitURI = tt.omitURI
			for range 3 { // the second and third with the nextnonce
				v := p.answer(t, g)
				require.Equal(t, msrp.StatusOK, v.code)
				assert.Equal(t, tt.user, v.user)
				assert.Equal(t, time.Hour, v.expires)
				require.NoError(t, p.client.Verify(v.headers("Authentication-Info")[0]))
			}
		})
	}
}

// RFC 4976 section 9.1: the client's own spelling of the URI is what it hashes, if it is the same URI.
func TestRFC4976_9_1_URI(t *testing.T) {
	for _, tt := range []struct {
		name, uri string
		code      int
	}{
		{"as in To-Path", relayURI, 200},
		{"another spelling", "MSRPS://alice@Relay.Example.com:2855;TCP", 200},
		{"another host", "msrps://relay.example.org:2855;tcp", 400},
		{"another port", "msrps://relay.example.com:2856;tcp", 400},
		{"a session-id", "msrps://relay.example.com:2855/x;tcp", 400},
		{"not one", "relay.example.com", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, p := testGate(t, nil), visit("alice", "secret")
			p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
			v := g.check(t.Context(), p.origin, authFrame(p.from, "Authorization", p.client.Authorization("AUTH", tt.uri)))
			assert.Equal(t, tt.code, v.code)
		})
	}
}

func TestRFC4976_9_1_RightmostURI(t *testing.T) {
	g, p := testGate(t, nil), visit("alice", "secret")
	p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
	f := authFrame(p.from, "Authorization", p.client.Authorization("AUTH", relayURI))
	f.ToPath = []byte("msrps://first.example.com:2855/x;tcp " + relayURI)
	assert.Equal(t, 200, g.check(t.Context(), p.origin, f).code)
}

func TestGateRefuses(t *testing.T) {
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	for _, tt := range []struct {
		name string
		edit func(string) string
		code int
	}{
		{"nothing wrong", func(s string) string { return s }, 200},
		{"another realm", replace(`realm="example.com"`, `realm="example.org"`), 401},
		{"realm in another case", replace(`realm="example.com"`, `realm="Example.com"`), 401},
		{"algorithm that was not offered", replace("SHA-256", "SHA-512-256"), 401},
		{"algorithm that is not known", replace("SHA-256", "SHA-3"), 401},
		{"another algorithm than was hashed", replace("SHA-256", "MD5"), 401},
		{"no algorithm, which is MD5", replace("algorithm=SHA-256, ", ""), 401},
		{"session algorithm", replace("SHA-256", "SHA-256-sess"), 401},
		{"no qop", replace("qop=auth, ", ""), 400},
		{"auth-int", replace("qop=auth", "qop=auth-int"), 401},
		{"Basic", func(string) string { return "Basic YWxpY2U6c2VjcmV0" }, 401},
		{"empty", func(string) string { return "" }, 401},
		{"no nc", replace("nc=00000001, ", ""), 400},
		{"nc of zero", replace("nc=00000001", "nc=00000000"), 401},
		{"another count than was hashed", replace("nc=00000001", "nc=00000002"), 401},
		{"another user", replace("alice", "bob"), 401},
		{"unknown user", replace("alice", "mallory"), 401},
		{"empty user", replace("alice", ""), 400},
		{"hashed user", func(s string) string { return s + ", userhash=true" }, 401},
		{"NUL in the user name", replace("alice", "ali\x00ce"), 400},
		{"tab in the user name", replace("alice", "ali\tce"), 400},
		{"C1 control in the user name", replace("alice", "ali\u0085ce"), 400},
		{"user name that is not UTF-8", replace("alice", "ali\xffce"), 400},
		{"user name of 257 bytes", replace("alice", strings.Repeat("a", 257)), 400},
		{"user name of 10 KiB", replace("alice", strings.Repeat("a", 10<<10)), 400},
		{"user name of 256 bytes", replace("alice", strings.Repeat("a", 256)), 401},
		{"a parameter twice", func(s string) string { return s + `, nc=00000001` }, 400},
		{"not parameters", func(string) string { return "Digest x" }, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, p := testGate(t, nil), visit("alice", "secret")
			p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
			v := g.check(t.Context(), p.origin, authFrame(p.from, "Authorization", tt.edit(p.client.Authorization("AUTH", relayURI))))
			assert.Equal(t, tt.code, v.code)
			assert.Equal(t, tt.code != 200, v.failed)
			if tt.code == msrp.StatusUnauthorized {
				assert.False(t, p.learn(t, v).Stale, "a client does not try the same password again")
			}
			if tt.code != 200 {
				assert.Empty(t, v.user)
			}
		})
	}
}

func TestGateRefusesTwoAuthorizations(t *testing.T) {
	g, p := testGate(t, nil), visit("alice", "secret")
	p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
	assert.Equal(t, 400, p.answer(t, g, "authorization", "Digest x=1").code)
}

func TestRFC4976_9_2_AUTHWithoutTLS(t *testing.T) {
	g, p := testGate(t, nil), visit("alice", "secret")
	p.secure = false
	v := p.enter(t, g)
	assert.Equal(t, msrp.StatusForbidden, v.code)
	assert.Empty(t, v.header, "no challenge either: the client would answer it in the open")

	g.o.AllowTCP = true
	assert.Equal(t, msrp.StatusOK, p.enter(t, g).code)
}

func TestRFC4976_6_3_Expires(t *testing.T) {
	for _, tt := range []struct {
		asked, name, value string // of the header in a 423
		code               int
		want               time.Duration
	}{
		{"60", "", "", 200, time.Minute},
		{"3600", "", "", 200, time.Hour},
		{"900", "", "", 200, 15 * time.Minute},
		{"59", "Min-Expires", "60", 423, 0},
		{"0", "Min-Expires", "60", 423, 0},
		{"3601", "Max-Expires", "3600", 423, 0},
		{"2147483647", "Max-Expires", "3600", 423, 0},
		{"100000000000000000", "", "", 400, 0},
		{"-1", "", "", 400, 0},
		{"", "", "", 400, 0},
	} {
		t.Run(tt.asked, func(t *testing.T) {
			g, p := testGate(t, nil), visit("alice", "secret")
			v := p.enter(t, g, "Expires", tt.asked)
			assert.Equal(t, tt.code, v.code)
			assert.Equal(t, tt.want, v.expires)
			if tt.name != "" {
				assert.Equal(t, []string{tt.value}, v.headers(tt.name))
				assert.Len(t, v.header, 1)
				assert.False(t, v.failed)
				assert.Equal(t, 200, p.answer(t, g, "Expires", tt.value).code, "the same nonce serves for another try")
			}
		})
	}
}

func TestGateExpiresTwice(t *testing.T) {
	g, p := testGate(t, nil), visit("alice", "secret")
	assert.Equal(t, 400, p.enter(t, g, "Expires", "60", "Expires", "61").code)
}

// asked counts what the Authenticator is asked, and answers with an HA1 or an error.
type asked struct {
	names []string
	ha1   string
	err   error
}

func (a *asked) HA1(_ context.Context, username, realm string, alg Algorithm) (string, error) {
	a.names = append(a.names, username+" "+realm+" "+string(alg))
	return a.ha1, a.err
}

func TestGateAuthenticator(t *testing.T) {
	right := HA1(SHA256, "alice", "example.com", "secret")
	for _, tt := range []struct {
		name string
		ha1  string
		err  error
		code int
	}{
		{"right", right, nil, 200},
		{"in upper case", strings.ToUpper(right), nil, 200},
		{"unknown user", "", ErrUnknownUser, 401},
		{"unknown user, wrapped", "", errors.Join(errors.New("no row"), ErrUnknownUser), 401},
		{"unknown user with a right HA1", right, ErrUnknownUser, 401},
		{"another user's", HA1(SHA256, "bob", "example.com", "secret"), nil, 401},
		{"store is down", right, errors.New("connection refused"), 408},
		{"empty HA1", "", nil, 408},
		{"HA1 of another algorithm", HA1(MD5, "alice", "example.com", "secret"), nil, 408},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &asked{ha1: tt.ha1, err: tt.err}
			g, p := testGate(t, func(o *Options) { o.Authenticator = a }), visit("alice", "secret")
			v := p.enter(t, g)
			assert.Equal(t, tt.code, v.code)
			assert.Equal(t, tt.code == 401, v.failed, "only who may have guessed has failed")
			assert.Equal(t, []string{"alice example.com SHA-256"}, a.names)
		})
	}
}

// The HA1 that stands in for a user that does not exist lets nobody in, not even who knows it.
func TestGateNobody(t *testing.T) {
	standIn, exists, err := checkHA1(SHA256, "", ErrUnknownUser)
	require.NoError(t, err)
	assert.False(t, exists)
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	for code, a := range map[int]*asked{401: {err: ErrUnknownUser}, 200: {ha1: standIn}} {
		g, p := testGate(t, func(o *Options) { o.Authenticator = a }), visit("mallory", "")
		p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
		c, err := digest.ParseCredentials(p.client.Authorization("AUTH", relayURI))
		require.NoError(t, err)
		c.Response = sum(standIn + ":" + c.Nonce + ":00000001:" + c.Cnonce + ":auth:" + sum("AUTH:"+relayURI))
		assert.Equal(t, code, g.check(t.Context(), p.origin, authFrame(p.from, "Authorization", c.String())).code)
	}
}

// A user that does not exist gets the same as a wrong password, after the same work.
func TestGateUnknownUsersLookLikeAny(t *testing.T) {
	type outcome struct {
		codes []int
		asked int
		sizes []int
	}
	try := func(user string) (o outcome) {
		var log bytes.Buffer
		a := &asked{err: ErrUnknownUser}
		if user == "alice" {
			a = &asked{ha1: HA1(SHA256, "alice", "example.com", "secret")}
		}
		g := testGate(t, func(o *Options) { o.Authenticator, o.Logger = a, slog.New(slog.NewTextHandler(&log, nil)) })
		for range guessesFromAddress.burst + 2 {
			v := visit(user, "wrong").enter(t, g)
			o.codes = append(o.codes, v.code)
			for _, h := range v.header {
				o.sizes = append(o.sizes, len(h.Value))
			}
		}
		o.asked = len(a.names)
		assert.NotContains(t, log.String(), "unknown")
		return o
	}
	assert.Equal(t, try("alice"), try("carol"))
}

func TestGateLogsNoSecret(t *testing.T) {
	var log bytes.Buffer
	g := testGate(t, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	right, wrong := visit("alice", "secret"), visit("bob", "guess")
	var secrets []string
	for range 20 {
		for _, p := range []*visitor{right, wrong} {
			if v := g.check(t.Context(), p.origin, authFrame(p.from)); v.code == msrp.StatusUnauthorized {
				secrets = append(secrets, p.learn(t, v).Nonce)
				p.answer(t, g)
			}
		}
	}
	assert.Contains(t, log.String(), `msg="relay: wrong user name or password" user=bob remote=192.0.2.1:5000`)
	assert.Contains(t, log.String(), `msg="relay: too many wrong passwords" user=bob`)
	for _, s := range append(secrets, "secret", "guess", clientURI, "98cjs", HA1(SHA256, "alice", "example.com", "secret")) {
		assert.NotContains(t, log.String(), s)
	}
}

func TestGateOptions(t *testing.T) {
	users := Users{"alice": "secret"}
	for _, tt := range []struct {
		name string
		o    Options
		want string
	}{
		{"no Authenticator", Options{Realm: "r"}, "Options.Authenticator"},
		{"line end in the realm", Options{Realm: "r\r\nX: y", Authenticator: users}, "Options.Realm"},
		{"realm that is not UTF-8", Options{Realm: "r\xff", Authenticator: users}, "Options.Realm"},
		{"unknown algorithm", Options{Realm: "r", Authenticator: users, Algorithms: []Algorithm{SHA256, "MD5-sess"}}, "Options.Algorithms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newGate(&tt.o)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}
