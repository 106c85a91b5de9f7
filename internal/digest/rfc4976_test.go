package digest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The headers of the examples in RFC 4976 section 5.1, unfolded. Their passwords are not told, so that their digests cannot be computed again.
func TestRFC4976_5_1_Examples(t *testing.T) {
	for _, value := range []string{
		`Digest realm="intra.example.com", qop="auth", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"`,
		`Digest realm="extra.example.com", qop="auth", nonce="Uumu8cAV38FGsEF31VLevIbNXj9HWO"`,
	} {
		c, err := ParseChallenge(value)
		require.NoError(t, err)
		require.Equal(t, value, c.String())
	}
	for _, value := range []string{
		`Digest username="Alice", realm="intra.example.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1"`,
		`Digest username="Alice", realm="extra.example.com", nonce="Uumu8cAV38FGsEF31VLevIbNXj9HWO", qop=auth, nc=00000001, cnonce="85a0dca8", response="cb06c4a77cd90918cd7914432032e0e6"`,
	} {
		c, err := ParseCredentials(value)
		require.NoError(t, err)
		require.Equal(t, value, c.String())
		info := c.Info("msrps://extra.example.com;tcp", HA1(MD5, "Alice", c.Realm, "secret"), "40f2e879449675f288476d772627370a")
		require.Regexp(t, `^nextnonce="40f2e879449675f288476d772627370a", rspauth="[0-9a-f]{32}", cnonce="`+c.Cnonce+`", nc=00000001, qop=auth$`, info)
	}
}

// Parameters of Authentication-Info may have no blank behind their commas, as the first of the examples.
func TestRFC4976_7_CommasWithoutBlanks(t *testing.T) {
	client := NewClient(&Challenge{Realm: "r", Nonce: "n"}, "alice", "secret")
	info := request(t, client).Info(uri, HA1(MD5, "alice", "r", "secret"), "n2")
	require.NoError(t, client.Verify(strings.ReplaceAll(info, ", ", ",")))
	require.Equal(t, "n2", request(t, client).Nonce)
}

// A challenge of ours has what RFC 4976 section 9.1 demands, and nothing that it forbids; so have credentials.
func TestRFC4976_9_1_Parameters(t *testing.T) {
	for _, a := range []Algorithm{"", MD5, SHA256, SHA512256} {
		c := &Challenge{Realm: "r", Nonce: "n", Algorithm: a, Stale: true}
		require.Contains(t, c.String(), `, qop="auth", `)
		require.NotRegexp(t, `(?i)auth-int|-sess|domain|basic`, c.String())
		answer := NewClient(c, "alice", "secret").Authorization("AUTH", uri)
		require.Regexp(t, `, uri="`+uri+`", .*qop=auth, nc=00000001, cnonce="\w+", response="[0-9a-f]+"$`, answer)
	}
}

// The domain of a challenge changes nothing.
func TestRFC4976_9_1_DomainIsIgnored(t *testing.T) {
	with, err := ParseChallenge(`Digest realm="r", nonce="n", qop="auth", domain="msrps://other.example.com;tcp"`)
	require.NoError(t, err)
	without, err := ParseChallenge(`Digest realm="r", nonce="n", qop="auth"`)
	require.NoError(t, err)
	require.Equal(t, without, with)
}
