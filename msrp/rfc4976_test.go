package msrp

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
)

// Rules of RFC 4976 for clients that no other file's tests prove; docs/rfc4976.md lists them all.

// wireOf is the frame's text, as it came.
func wireOf(t testing.TB, f *Frame) string {
	t.Helper()
	b, err := AppendFrame(nil, f, nil)
	require.NoError(t, err)
	return string(b)
}

// proveTo is what a relay says to who has answered its challenge; it knows Alice, too.
func proveTo(t testing.TB, f *Frame, uri string) string {
	t.Helper()
	c, err := digest.ParseCredentials(string(f.Value("Authorization")))
	require.NoError(t, err)
	ha1 := digest.HA1("", "Alice", c.Realm, "secret")
	require.True(t, c.Verify(MethodAuth, uri, ha1), "the rightmost URI of To-Path is digested, with its user name")
	return "Authentication-Info: " + c.Info(uri, ha1, "40f2e879449675f288476d772627370a")
}

// The frames of the example in section 5.1, but for TLS and the ports that it has then: AUTH with intra, and through it with extra.
func TestRFC4976_5_1_Example(t *testing.T) {
	const intra, extra = "msrp://alice@intra.example.com:2855;tcp", "msrp://extra.example.com;tcp"
	const intraUse, extraUse = "msrp://intra.example.com:9000/jui787s2f;tcp", "msrp://extra.example.com:9000/mywdEe1233;tcp"
	o := &RelayOptions{URI: intra, Username: "Alice", Password: "secret", AllowTCP: true}
	outer := *o
	outer.URI, o.Next = extra, &outer
	r := dialRaw(t, o)

	first := r.auth()
	auth := func(f *Frame, to, rest string) string {
		return fmt.Sprintf("MSRP %s AUTH\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s-------%[1]s$\r\n", f.TransactionID, to, first.FromPath, rest)
	}
	credentials := func(realm, nonce string) string {
		return `^Digest username="Alice", realm="` + realm + `", nonce="` + nonce + `", uri="[^"]+", qop=auth, nc=00000001, cnonce="[^"]+", response="[0-9a-f]{32}"$`
	}
	require.Regexp(t, `^msrp://client\.example\.com:2855/\w+;tcp$`, string(first.FromPath))
	require.Equal(t, auth(first, intra, ""), wireOf(t, first))
	r.answer(first, "401 Unauthorized", `WWW-Authenticate: Digest realm="intra.example.com", qop="auth", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"`)
	f := r.auth()
	require.NotEqual(t, first.TransactionID, f.TransactionID)
	require.Regexp(t, credentials("intra.example.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093"), string(f.Value("Authorization")))
	require.Equal(t, auth(f, intra, "Authorization: "+string(f.Value("Authorization"))+"\r\n"), wireOf(t, f))
	r.answer(f, "200 OK", "Use-Path: "+intraUse, proveTo(t, f, intra), "Expires: 900")

	f = r.auth()
	require.Equal(t, auth(f, intraUse+" "+extra, ""), wireOf(t, f), "credentials for intra are not for extra")
	r.answer(f, "401 Unauthorized", `WWW-Authenticate: Digest realm="extra.example.com", qop="auth", nonce="Uumu8cAV38FGsEF31VLevIbNXj9HWO"`)
	f = r.auth()
	require.Regexp(t, credentials("extra.example.com", "Uumu8cAV38FGsEF31VLevIbNXj9HWO"), string(f.Value("Authorization")))
	require.Equal(t, auth(f, intraUse+" "+extra, "Authorization: "+string(f.Value("Authorization"))+"\r\n"), wireOf(t, f))
	r.answer(f, "200 OK", "Use-Path: "+intraUse+" "+extraUse, proveTo(t, f, extra), "Expires: 1800")
	d := <-r.dialled
	require.NoError(t, d.err)
	require.Equal(t, extraUse+" "+intraUse, d.Path().String(), "turned round")
}

// Section 5.1: A behind the relays B and C meets F behind D and E. Its requests go to "B C D E F" and come from A alone; its SDP has "C B A".
func TestRFC4976_5_1_PathsOfFiveRelays(t *testing.T) {
	const c, peer = "msrp://c.example.com:1/c;tcp", "msrp://d.example.com:1/d;tcp msrps://e.example.com:1/e;tcp " + rawPeerPath
	o := byAlice()
	o.Next = byAlice()
	o.Next.URI = "msrp://c.example.com;tcp"
	r := dialRaw(t, o)
	for _, use := range []string{rawUse, rawUse + " " + c} {
		r.answer(r.auth(), "401 Unauthorized", rawAuth)
		f := r.auth()
		r.answer(f, "200 OK", "Use-Path: "+use, r.info(f, ""))
	}
	d := <-r.dialled
	require.NoError(t, d.err)
	s, err := d.e.NewSession(&SessionOptions{Relay: d.Relay})
	require.NoError(t, err)
	require.Equal(t, c+" "+rawUse+" "+s.own, s.LocalPath().String())
	f := r.connect(s, peer)
	require.Equal(t, rawUse+" "+c+" "+peer, string(f.ToPath))
	require.Equal(t, s.own, string(f.FromPath))
}

// The connection to a relay that is shared stays without a session for an hour at least.
func TestRFC4976_5_4_ConnectionStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := byAlice()
		o.Shared = true
		r := dialRaw(t, o)
		relay := r.login()
		for range 2 {
			s, err := relay.e.NewSession(&SessionOptions{Relay: relay})
			require.NoError(t, err)
			r.connect(s, rawPeerPath)
			require.NoError(t, s.Close())
			time.Sleep(time.Hour)
			require.NoError(t, relay.Err())
		}
		require.NoError(t, relay.Close())
	})
}

// RFC 6135 section 4.5: a passive side has its connection to the relay, and sends nothing until the peer's SEND comes over it.
func TestRFC6135_4_5_PassiveSideSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := dialRaw(t, byAlice())
		relay := r.login()
		s, err := relay.e.NewSession(&SessionOptions{Relay: relay})
		require.NoError(t, err)
		connected := make(chan error, 1)
		go func() { connected <- s.Connect(ctx, mustPath(rawPeerPath), Passive, nil) }()
		time.Sleep(time.Hour)
		write(t, r.nc, "MSRP bind1234 SEND\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+rawUse+" "+rawPeerPath+"\r\nMessage-ID: bind\r\nByte-Range: 1-0/0\r\n-------bind1234$\r\n")
		f, _ := next(t, r.d)
		require.Equal(t, "bind1234", string(f.TransactionID), "the first frame since the AUTH")
		require.Equal(t, StatusOK, f.Status)
		require.NoError(t, <-connected)
		require.NoError(t, relay.Close())
	})
}
