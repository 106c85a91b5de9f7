package digest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const uri = "msrps://relay.example.com:2855;tcp"

// request has the client sign one request and the server read it.
func request(t *testing.T, c *Client) *Credentials {
	t.Helper()
	got, err := ParseCredentials(c.Authorization("AUTH", uri))
	require.NoError(t, err)
	return got
}

func TestClientCounts(t *testing.T) {
	ha1 := HA1(SHA256, "alice", "r", "secret")
	client := NewClient(&Challenge{Realm: "r", Nonce: "n", Opaque: "o", Algorithm: SHA256}, "alice", "secret")
	first, second := request(t, client), request(t, client)
	assert.Equal(t, []uint32{1, 2}, []uint32{first.NC, second.NC})
	assert.Equal(t, "o", second.Opaque)
	assert.NotEqual(t, first.Cnonce, second.Cnonce)
	assert.True(t, first.Verify("AUTH", uri, ha1))
	assert.True(t, second.Verify("AUTH", uri, ha1))

	require.NoError(t, client.Verify(second.Info(uri, ha1, "n2")))
	third := request(t, client)
	assert.Equal(t, "n2", third.Nonce)
	assert.Equal(t, uint32(1), third.NC, "a new nonce is counted from 1")
	assert.True(t, third.Verify("AUTH", uri, ha1))

	require.NoError(t, client.Verify(third.Info(uri, ha1, "")))
	assert.Equal(t, uint32(2), request(t, client).NC, "without a nextnonce the old one goes on")
}

func TestClientOmitsURI(t *testing.T) {
	client := NewClient(&Challenge{Realm: "r", Nonce: "n"}, "alice", "secret")
	assert.Equal(t, uri, request(t, client).URI)
	client.OmitURI = true
	got := request(t, client)
	assert.Empty(t, got.URI)
	assert.True(t, got.Verify("AUTH", uri, HA1(MD5, "alice", "r", "secret")), "it is hashed all the same")
	assert.NotContains(t, client.Authorization("AUTH", uri), "uri=")
}

func TestClientWritesAsTheRelaysReadIt(t *testing.T) {
	client := NewClient(&Challenge{Realm: `r"x`, Nonce: "n", Algorithm: MD5}, `a\b`, "secret")
	client.OmitURI = true
	assert.Regexp(t, `^Digest username="a\\\\b", realm="r\\"x", nonce="n", algorithm=MD5, qop=auth, nc=00000001, cnonce="\w{26}", response="[0-9a-f]{32}"$`,
		client.Authorization("AUTH", uri))
}

func TestClientVerifies(t *testing.T) {
	ha1 := HA1(MD5, "alice", "r", "secret")
	for _, tt := range []struct {
		name string
		info func(c *Credentials) string
		err  error
	}{
		{"right", func(c *Credentials) string { return c.Info(uri, ha1, "n2") }, nil},
		{"only rspauth", func(c *Credentials) string { return `rspauth="` + c.proof("", uri, ha1) + `"` }, nil},
		{"another password", func(c *Credentials) string { return c.Info(uri, HA1(MD5, "alice", "r", "x"), "n2") }, ErrRspauth},
		{"another URI", func(c *Credentials) string { return c.Info(uri+"x", ha1, "n2") }, ErrRspauth},
		{"our own response", func(c *Credentials) string { return `rspauth="` + c.Response + `"` }, ErrRspauth},
		{"another cnonce", func(c *Credentials) string { return `rspauth="` + c.proof("", uri, ha1) + `", cnonce="x"` }, ErrRspauth},
		{"another count", func(c *Credentials) string { return `rspauth="` + c.proof("", uri, ha1) + `", nc=00000002` }, ErrRspauth},
		{"another qop", func(c *Credentials) string { return `rspauth="` + c.proof("", uri, ha1) + `", qop=auth-int` }, ErrRspauth},
		{"empty rspauth", func(*Credentials) string { return `rspauth="", nextnonce="n2"` }, ErrRspauth},
		{"no rspauth", func(*Credentials) string { return `nextnonce="n2"` }, ErrRspauth},
		{"malformed", func(*Credentials) string { return `nextnonce` }, ErrMalformed},
		{"empty", func(*Credentials) string { return `` }, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := NewClient(&Challenge{Realm: "r", Nonce: "n"}, "alice", "secret")
			assert.ErrorIs(t, client.Verify(`rspauth="00"`), ErrRspauth, "no request yet")
			assert.ErrorIs(t, client.Verify(tt.info(request(t, client))), tt.err)
			if tt.err != nil {
				assert.Equal(t, "n", request(t, client).Nonce, "its nextnonce is not taken")
			}
		})
	}
}

func TestEmptyHA1VerifiesNothing(t *testing.T) {
	c := &Credentials{Nonce: "n", Cnonce: "c", NC: 1}
	for _, a := range []Algorithm{"", MD5, SHA256, SHA512256, "SHA-3"} {
		c.Algorithm = a
		for _, ha1 := range []string{"", "x", HA1(SHA256, "", "", "")[:40]} {
			c.Response = c.proof("AUTH", uri, ha1)
			assert.False(t, c.Verify("AUTH", uri, ha1), "%s %q", a, ha1)
		}
	}
	assert.Empty(t, HA1("SHA-3", "alice", "r", "secret"))
}
