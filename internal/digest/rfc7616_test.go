package digest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The examples of the RFCs, as they stand there but for the line ends. For the third the values are those of erratum 4897, which computes it with
// SHA-512/256 as Go does; its hashed user name is left out.
var rfcExamples = []struct {
	name, value, method, password string
}{
	{"RFC 2617 section 3.5", `Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", ` +
		`qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"`, "GET", "Circle Of Life"},
	{"RFC 7616 section 3.9.1, MD5", `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5, ` +
		`nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, ` +
		`response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`, "GET", "Circle of Life"},
	{"RFC 7616 section 3.9.1, SHA-256", `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256, ` +
		`nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, ` +
		`response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`, "GET", "Circle of Life"},
	{"RFC 7616 section 3.9.2, SHA-512-256", `Digest username="Jäsøn Doe", realm="api@example.org", uri="/doe.json", algorithm=SHA-512-256, ` +
		`nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001, cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", qop=auth, ` +
		`response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS"`, "GET", "Secret, or not?"},
}

func TestRFC7616_3_9_Examples(t *testing.T) {
	for _, tt := range rfcExamples {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseCredentials(tt.value)
			require.NoError(t, err)
			ha1 := HA1(c.Algorithm, c.Username, c.Realm, tt.password)
			assert.True(t, c.Verify(tt.method, c.URI, ha1))
			assert.False(t, c.Verify(tt.method, c.URI+"/", ha1), "another URI")
			assert.False(t, c.Verify("POST", c.URI, ha1), "another method")
			assert.False(t, c.Verify(tt.method, c.URI, HA1(c.Algorithm, c.Username, c.Realm, tt.password+" ")), "another password")

			again, err := ParseCredentials(c.String())
			require.NoError(t, err)
			assert.Equal(t, c, again, "what we write says the same")
		})
	}
}

// The response that the client computes is the RFC's when the cnonce is.
func TestRFC7616_3_4_1_Response(t *testing.T) {
	for _, tt := range rfcExamples {
		want, err := ParseCredentials(tt.value)
		require.NoError(t, err)
		client := NewClient(&Challenge{Realm: want.Realm, Nonce: want.Nonce, Opaque: want.Opaque, Algorithm: want.Algorithm}, want.Username, tt.password)
		_ = client.Authorization(tt.method, want.URI)
		got := client.last
		got.Cnonce = want.Cnonce
		got.Response = got.proof(tt.method, want.URI, client.ha1)
		assert.Equal(t, *want, got, tt.name)
	}
}
