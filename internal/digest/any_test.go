package digest

import (
	"crypto/md5"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseAny(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        *Challenge // nil: refused
		err         error
	}{
		{"auth", `Digest realm="r", nonce="n", qop="auth"`, &Challenge{Realm: "r", Nonce: "n"}, nil},
		{"auth behind auth-int", `Digest realm="r", nonce="n", qop="auth-int,auth"`, &Challenge{Realm: "r", Nonce: "n"}, nil},
		{"auth-int alone", `Digest realm="r", nonce="n", qop="x, AUTH-INT"`, &Challenge{Realm: "r", Nonce: "n", Protection: AuthInt}, nil},
		{"no qop", `Digest realm="r", nonce="n"`, &Challenge{Realm: "r", Nonce: "n", Protection: NoQOP}, nil},
		{"MD5-sess", `Digest realm="r", nonce="n", qop="auth", algorithm=md5-SESS`, &Challenge{Realm: "r", Nonce: "n", Algorithm: MD5, Session: true}, nil},
		{"SHA-512-256-sess", `Digest realm="r", nonce="n", qop=auth-int, algorithm=SHA-512-256-sess`,
			&Challenge{Realm: "r", Nonce: "n", Algorithm: SHA512256, Session: true, Protection: AuthInt}, nil},
		{"a session without a cnonce", `Digest realm="r", nonce="n", algorithm=MD5-sess`, nil, ErrUnsupported},
		{"nothing but -sess", `Digest realm="r", nonce="n", qop="auth", algorithm=-sess`, nil, ErrUnsupported},
		{"an unknown session", `Digest realm="r", nonce="n", qop="auth", algorithm=SHA-3-sess`, nil, ErrUnsupported},
		{"an unknown qop", `Digest realm="r", nonce="n", qop="x"`, nil, ErrUnsupported},
		{"an empty qop", `Digest realm="r", nonce="n", qop=""`, nil, ErrUnsupported},
		{"no nonce", `Digest realm="r"`, nil, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseAny(tt.value)
			assert.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.want, got)
			if tt.want != nil {
				again, err := ParseAny(got.String())
				require.NoError(t, err)
				assert.Equal(t, got, again, "what we write says the same")
			}
		})
	}
}

func hashed(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) }

func answer(t *testing.T, c *Client, body string) params {
	t.Helper()
	p, err := parseScheme(c.AuthorizationFor("GET", "/dir/index.html", []byte(body)))
	require.NoError(t, err)
	return p
}

// The example of RFC 2069 section 2.4, whose response erratum 749 corrects.
func TestRFC2069_2_4_WithoutQOP(t *testing.T) {
	c, err := ParseAny(`Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`)
	require.NoError(t, err)
	got := answer(t, NewClient(c, "Mufasa", "CircleOfLife"), "a body")
	assert.Equal(t, "1949323746fe6a43ef61f9606e7febea", got.get("response"))
	for _, name := range []string{"qop", "nc", "cnonce"} {
		assert.False(t, got.has(name), name)
	}
}

func TestRFC7616_3_4_2_Session(t *testing.T) {
	client := NewClient(&Challenge{Realm: "r", Nonce: "n", Session: true}, "u", "p")
	first, second := answer(t, client, ""), answer(t, client, "")
	assert.Equal(t, "MD5-sess", first.get("algorithm"))
	assert.Equal(t, first.get("cnonce"), second.get("cnonce"), "the key is made with the first")
	a1 := hashed(hashed("u:r:p") + ":n:" + first.get("cnonce"))
	assert.Equal(t, hashed(a1+":n:00000002:"+first.get("cnonce")+":auth:"+hashed("GET:/dir/index.html")), second.get("response"))
}

func TestRFC7616_3_4_3_AuthInt(t *testing.T) {
	for _, body := range []string{"", "a body"} {
		got := answer(t, NewClient(&Challenge{Realm: "r", Nonce: "n", Protection: AuthInt}, "u", "p"), body)
		assert.Equal(t, "auth-int", got.get("qop"))
		a2 := hashed("GET:/dir/index.html:" + hashed(body))
		assert.Equal(t, hashed(hashed("u:r:p")+":n:00000001:"+got.get("cnonce")+":auth-int:"+a2), got.get("response"))
	}
}

func TestRFC7616_3_5_Follow(t *testing.T) {
	ha1 := HA1(MD5, "alice", "r", "secret")
	for _, tt := range []struct {
		name string
		info func(*Credentials) string
		next bool
		err  error
	}{
		{"proved", func(c *Credentials) string { return c.Info(uri, ha1, "n2") }, true, nil},
		{"without a proof", func(*Credentials) string { return `nextnonce="n2"` }, true, nil},
		{"a wrong proof", func(*Credentials) string { return `nextnonce="n2", rspauth="00"` }, false, ErrRspauth},
		{"an empty proof", func(*Credentials) string { return `nextnonce="n2", rspauth=""` }, false, ErrRspauth},
		{"malformed", func(*Credentials) string { return `nextnonce="n2",` }, false, ErrMalformed},
		{"nothing new", func(*Credentials) string { return `qop=auth` }, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := NewClient(&Challenge{Realm: "r", Nonce: "n"}, "alice", "secret")
			assert.ErrorIs(t, client.Follow(tt.info(request(t, client))), tt.err)
			got := request(t, client)
			if tt.next {
				assert.Equal(t, "n2", got.Nonce)
				assert.Equal(t, uint32(1), got.NC)
			} else {
				assert.Equal(t, "n", got.Nonce)
				assert.Equal(t, uint32(2), got.NC)
			}
		})
	}
	for _, p := range []Protection{AuthInt, NoQOP} {
		client := NewClient(&Challenge{Realm: "r", Nonce: "n", Protection: p}, "u", "p")
		_ = client.Authorization("GET", "/")
		assert.ErrorIs(t, client.Follow(`rspauth="00", nextnonce="n2"`), ErrUnsupported, "rspauth is checked for auth alone")
		assert.NoError(t, client.Follow(`nextnonce="n2"`))
	}
}
