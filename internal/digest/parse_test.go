package digest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseChallenge(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        *Challenge // nil: refused
		err         error
	}{
		{"as in RFC 4976", `Digest realm="intra.example.com", qop="auth", nonce="dcd98b71"`, &Challenge{Realm: "intra.example.com", Nonce: "dcd98b71"}, nil},
		{"everything", `digest REALM="r" , nonce = "n",opaque="o", Algorithm=sha-256, stale=TRUE, qop="auth-int, auth", domain="/x", charset=UTF-8`,
			&Challenge{Realm: "r", Nonce: "n", Opaque: "o", Algorithm: SHA256, Stale: true}, nil},
		{"quotes, backslashes, commas", `Digest realm="a \"b\" \\c, d=e", nonce="n", qop="auth"`, &Challenge{Realm: `a "b" \c, d=e`, Nonce: "n"}, nil},
		{"not ASCII", "Digest realm=\"Bücher\", nonce=\"\xff\", qop=\"auth\"", &Challenge{Realm: "Bücher", Nonce: "\xff"}, nil},
		{"empty realm", `Digest realm="", nonce="n", qop="auth"`, &Challenge{Nonce: "n"}, nil},
		{"qop as a token", `Digest realm="r", nonce="n", qop=auth`, &Challenge{Realm: "r", Nonce: "n"}, nil},
		{"stale is not true", `Digest realm="r", nonce="n", qop="auth", stale=false`, &Challenge{Realm: "r", Nonce: "n"}, nil},
		{"no realm", `Digest nonce="n", qop="auth"`, nil, ErrMalformed},
		{"no nonce", `Digest realm="r", qop="auth"`, nil, ErrMalformed},
		{"no qop", `Digest realm="r", nonce="n"`, nil, ErrUnsupported},
		{"auth-int alone", `Digest realm="r", nonce="n", qop="auth-int"`, nil, ErrUnsupported},
		{"unknown algorithm", `Digest realm="r", nonce="n", qop="auth", algorithm=MD5-sess`, nil, ErrUnsupported},
		{"Basic", `Basic realm="r"`, nil, ErrUnsupported},
		{"empty", ``, nil, ErrUnsupported},
		{"no parameters", `Digest`, nil, ErrMalformed},
		{"two challenges in one value", `Digest realm="r", nonce="n", qop="auth", Digest realm="r2", nonce="n"`, nil, ErrMalformed},
		{"a parameter twice", `Digest realm="r", nonce="n", qop="auth", Nonce="m"`, nil, ErrMalformed},
		{"no comma", `Digest realm="r" nonce="n", qop="auth"`, nil, ErrMalformed},
		{"comma at the end", `Digest realm="r", nonce="n", qop="auth",`, nil, ErrMalformed},
		{"no value", `Digest realm=, nonce="n", qop="auth"`, nil, ErrMalformed},
		{"no name", `Digest ="r", nonce="n", qop="auth"`, nil, ErrMalformed},
		{"open quotes", `Digest realm="r, nonce=n, qop=auth`, nil, ErrMalformed},
		{"ends in a backslash", `Digest realm="r", nonce="n\`, nil, ErrMalformed},
		{"line end", "Digest realm=\"r\r\n\", nonce=\"n\", qop=\"auth\"", nil, ErrMalformed},
		{"NUL", "Digest realm=\"r\x00\", nonce=\"n\", qop=\"auth\"", nil, ErrMalformed},
		{"tab", "Digest realm=\"r\ts\",\tnonce=\"n\", qop=\"auth\"", &Challenge{Realm: "r\ts", Nonce: "n"}, nil},
		{"DEL", "Digest realm=\"r\x7f\", nonce=\"n\", qop=\"auth\"", nil, ErrMalformed},
		{"NUL behind a backslash", "Digest realm=\"r\\\x00\", nonce=\"n\", qop=\"auth\"", nil, ErrMalformed},
		{"32 parameters", `Digest realm="r", nonce="n", qop="auth"` + many(29), &Challenge{Realm: "r", Nonce: "n"}, nil},
		{"33 parameters", `Digest realm="r", nonce="n", qop="auth"` + many(30), nil, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseChallenge(tt.value)
			assert.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.want, got)
			if tt.want != nil {
				again, err := ParseChallenge(got.String())
				require.NoError(t, err)
				assert.Equal(t, got, again, "what we write says the same")
			}
		})
	}
}

// many writes n parameters of no meaning.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(", x" + strings.Repeat("y", i) + "=1")
	}
	return b.String()
}

func TestStrongest(t *testing.T) {
	const md5, sha256, unknown = `Digest realm="m", nonce="n", qop="auth"`, `Digest realm="s", nonce="n", qop="auth", algorithm=SHA-256`,
		`Digest realm="u", nonce="n", qop="auth", algorithm=SHA-3`
	for _, tt := range []struct {
		name   string
		values []string
		want   string // its realm; empty: an error
		err    error
	}{
		{"the only one", []string{md5}, "m", nil},
		{"the stronger last", []string{md5, sha256}, "s", nil},
		{"the stronger first", []string{sha256, md5}, "s", nil},
		{"an unknown one is passed over", []string{unknown, md5}, "m", nil},
		{"a malformed one is passed over", []string{sha256 + ",", md5}, "m", nil},
		{"the first of two alike", []string{sha256, strings.Replace(sha256, `"s"`, `"s2"`, 1)}, "s", nil},
		{"unknown ones alone", []string{unknown}, "", ErrUnsupported},
		{"a malformed one alone", []string{"Digest x"}, "", ErrMalformed},
		{"none", nil, "", ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Strongest(tt.values...)
			assert.ErrorIs(t, err, tt.err)
			if tt.want == "" {
				assert.Nil(t, got)
			} else if assert.NotNil(t, got) {
				assert.Equal(t, tt.want, got.Realm)
			}
		})
	}
}

const goodCredentials = `Digest username="alice", realm="r", nonce="n", qop=auth, nc=0000000a, cnonce="c", response="00"`

func TestParseCredentials(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(goodCredentials, old, new, 1) }
	good := Credentials{Username: "alice", Realm: "r", Nonce: "n", Cnonce: "c", NC: 10, Response: "00"}
	with := func(change func(*Credentials)) *Credentials { c := good; change(&c); return &c }
	for _, tt := range []struct {
		name, value string
		want        *Credentials
		err         error
	}{
		{"as in RFC 4976", goodCredentials, &good, nil},
		{"qop in quotes", edit("qop=auth", `qop="auth"`), &good, nil},
		{"uri, opaque, algorithm", goodCredentials + `, uri="u", opaque="o", algorithm=sha-256`,
			with(func(c *Credentials) { c.URI, c.Opaque, c.Algorithm = "u", "o", SHA256 }), nil},
		{"user name with quotes", edit(`"alice"`, `"\"al\\ice\""`), with(func(c *Credentials) { c.Username = `"al\ice"` }), nil},
		{"user name that is not ASCII", edit(`alice`, `Jäsøn Doe`), with(func(c *Credentials) { c.Username = `Jäsøn Doe` }), nil},
		{"user name of 10 KiB", edit(`alice`, strings.Repeat("a", 10<<10)), with(func(c *Credentials) { c.Username = strings.Repeat("a", 10<<10) }), nil},
		{"greatest nc", edit("0000000a", "ffffffff"), with(func(c *Credentials) { c.NC = 1<<32 - 1 }), nil},
		{"NUL in the user name", edit(`alice`, "ali\x00ce"), nil, ErrMalformed},
		{"no user name", edit(`username="alice", `, ""), nil, ErrMalformed},
		{"username* instead", edit(`username="alice"`, "username*=UTF-8''alice"), nil, ErrMalformed},
		{"hashed user name", goodCredentials + ", userhash=true", nil, ErrUnsupported},
		{"no realm", edit(`realm="r", `, ""), nil, ErrMalformed},
		{"no nonce", edit(`nonce="n", `, ""), nil, ErrMalformed},
		{"no qop", edit(`qop=auth, `, ""), nil, ErrMalformed},
		{"auth-int", edit(`qop=auth`, "qop=auth-int"), nil, ErrUnsupported},
		{"list of qop", edit(`qop=auth`, `qop="auth,auth-int"`), nil, ErrUnsupported},
		{"no cnonce", edit(`cnonce="c", `, ""), nil, ErrMalformed},
		{"empty cnonce", edit(`"c"`, `""`), nil, ErrMalformed},
		{"no nc", edit(`nc=0000000a, `, ""), nil, ErrMalformed},
		{"short nc", edit("0000000a", "a"), nil, ErrMalformed},
		{"nc in upper case", edit("0000000a", "0000000A"), nil, ErrMalformed},
		{"nc with a sign", edit("0000000a", "+000000a"), nil, ErrMalformed},
		{"nc over 32 bits", edit("0000000a", "100000000"), nil, ErrMalformed},
		{"no response", edit(`, response="00"`, ""), nil, ErrMalformed},
		{"unknown algorithm", goodCredentials + ", algorithm=MD5-sess", nil, ErrUnsupported},
		{"a parameter twice", goodCredentials + `, response="11"`, nil, ErrMalformed},
		{"Basic", "Basic YWxpY2U6c2VjcmV0", nil, ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseCredentials(tt.value)
			assert.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestErrorsHoldNoValue(t *testing.T) {
	for _, value := range []string{"hunter2", `Digest hunter2`, `Digest hunter2="hunter2`, `Digest a="hunter2" hunter2`, `Digest realm="r", nonce="n", qop="hunter2"`,
		`Digest realm="r", nonce="n", qop="auth", algorithm=hunter2`, `Digest hunter2=1, hunter2=2`} {
		_, err := ParseChallenge(value)
		require.Error(t, err, value)
		assert.NotContains(t, err.Error(), "hunter2")
		_, err = ParseCredentials(value)
		require.Error(t, err, value)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range rfcExamples {
		f.Add(tt.value)
	}
	f.Add(goodCredentials)
	f.Add(`Digest realm="a \"b\" \\c", qop="auth,auth-int", nonce="n", opaque="o", algorithm=SHA-256, stale=true`)
	f.Add(`Digest realm="r", nonce="n", qop=auth-int, algorithm=MD5-sess`)
	f.Add("Digest =,=\"\\")
	f.Fuzz(func(t *testing.T, value string) {
		if c, err := ParseAny(value); err == nil {
			again, err := ParseAny(c.String())
			require.NoError(t, err)
			require.Equal(t, c, again)
		}
		if c, err := ParseCredentials(value); err == nil {
			again, err := ParseCredentials(c.String())
			require.NoError(t, err)
			require.Equal(t, c, again)
			require.False(t, c.Verify("AUTH", "u", ""), "verified without an HA1")
		}
	})
}
