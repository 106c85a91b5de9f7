package msrp

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func isParseError(err error) bool {
	return errors.Is(err, ErrMalformed) || errors.Is(err, ErrTooLarge)
}

func TestRFC4975_6_URI(t *testing.T) {
	for s, want := range map[string]URI{
		"msrp://atlanta.example.com:7654/jshA7weztas;tcp":    {Host: "atlanta.example.com", Port: 7654, SessionID: "jshA7weztas", Transport: "tcp"},
		"MSRPS://Host/s;TCP":                                 {Secure: true, Host: "Host", SessionID: "s", Transport: "TCP"},
		"msrps://relay.example.com:9000;tcp":                 {Secure: true, Host: "relay.example.com", Port: 9000, Transport: "tcp"},
		"msrp://alice@[2001:db8::1]:2855/a/b+c=;tcp;x=1;y":   {Userinfo: "alice", Host: "2001:db8::1", Port: 2855, SessionID: "a/b+c=", Transport: "tcp", Params: ";x=1;y"},
		"msrps://alice.example.com:9892/98cjs;tcp":           {Secure: true, Host: "alice.example.com", Port: 9892, SessionID: "98cjs", Transport: "tcp"},
		"msrp://127.0.0.1:2855/s.e-s~s_ion;tcp":              {Host: "127.0.0.1", Port: 2855, SessionID: "s.e-s~s_ion", Transport: "tcp"},
		"msrp://user:pw@example.com/s;tcp":                   {Userinfo: "user:pw", Host: "example.com", SessionID: "s", Transport: "tcp"},
		"msrps://u@relay.example.com:2855/kjf/87=+sd;tcp;gr": {Secure: true, Userinfo: "u", Host: "relay.example.com", Port: 2855, SessionID: "kjf/87=+sd", Transport: "tcp", Params: ";gr"},
	} {
		u, err := ParseURI(s)
		require.NoError(t, err, s)
		require.Equal(t, want, u)
		again, err := ParseURI(u.String())
		require.NoError(t, err)
		require.Equal(t, u, again)
	}
}

func TestRFC4975_6_MalformedURI(t *testing.T) {
	for _, s := range []string{
		"", "msrp:", "msrp://", "sip://a/b;tcp", "msrp://a/b", "msrp://a/b;", "msrp://a/;tcp", "msrp:///b;tcp", "msrp://a:0/b;tcp", "msrp://a:65536/b;tcp",
		"msrp://a:x/b;tcp", "msrp://a:/b;tcp", "msrp://[::1/b;tcp", "msrp://[1.2.3.4]/b;tcp", "msrp://::1/b;tcp", "msrp://a b/c;tcp", "msrp://a/b;tcp\r\nX: y", "msrp://a/b\x00;tcp",
		"msrp://a/b;t cp", "msrp://ä/b;tcp", "msrp://a/b\"c;tcp",
	} {
		_, err := ParseURI(s)
		require.ErrorIs(t, err, ErrMalformed, "%q", s)
	}
}

func TestLongestURI(t *testing.T) {
	longest := "msrp://a/" + strings.Repeat("x", 1024-len("msrp://a/;tcp")) + ";tcp"
	_, err := ParseURI(longest)
	require.NoError(t, err)
	_, err = ParseURI(longest + "p")
	require.ErrorIs(t, err, ErrMalformed)
}

func TestRFC4975_6_1_URIComparison(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"msrp://a.example.com:1/s;tcp", "MSRP://A.Example.COM:1/s;TCP", true},
		{"msrp://a:1/s;tcp", "msrps://a:1/s;tcp", false},
		{"msrp://a:1/s;tcp", "msrp://b:1/s;tcp", false},
		{"msrp://a:2855/s;tcp", "msrp://a/s;tcp", false}, // an explicit port never equals none
		{"msrp://a:1/s;tcp", "msrp://a:1/S;tcp", false},
		{"msrp://a:1/s;tcp", "msrp://a:1;tcp", false},
		{"msrp://a:1/s;tcp", "msrp://a:1/s;sctp", false},
		{"msrp://x@a:1/s;tcp", "msrp://a:1/s;tcp;p=1", true},
		{"msrp://[2001:db8::1]:1/s;tcp", "msrp://[2001:DB8:0:0::1]:1/s;tcp", true},
		{"msrp://127.0.0.1:1/s;tcp", "msrp://127.0.0.2:1/s;tcp", false},
	} {
		a, err := ParseURI(c.a)
		require.NoError(t, err)
		b, err := ParseURI(c.b)
		require.NoError(t, err)
		require.Equal(t, c.want, a.Equal(b), "%s %s", c.a, c.b)
		require.Equal(t, c.want, b.Equal(a))
	}
}

func TestPath(t *testing.T) {
	p, err := ParsePath("msrps://relay.example.com:9000/x;tcp msrp://a:1/s;tcp")
	require.NoError(t, err)
	require.Equal(t, "msrps://relay.example.com:9000/x;tcp msrp://a:1/s;tcp", p.String())
	require.Equal(t, []string{"msrps://relay.example.com:9000/x;tcp", "msrp://a:1/s;tcp"}, p.Strings())
	require.True(t, p.Equal(p))
	require.False(t, p.Equal(p[1:]))
	require.False(t, p.Equal(Path{p[0], p[0]}))
	for _, s := range []string{
		"", " ", "msrp://a/s;tcp nonsense", "msrp://a/s;tcp  msrp://b/s;tcp", "msrp://a/s;tcp\tmsrp://b/s;tcp", "msrp://a/s;tcp\u00a0msrp://b/s;tcp", "msrp://a/s;tcp\u2028msrp://b/s;tcp",
	} {
		_, err := ParsePath(s)
		require.ErrorIs(t, err, ErrMalformed, "%q", s)
	}
}

func FuzzParseURI(f *testing.F) {
	f.Add("msrps://alice@[2001:db8::1]:2855/a/b+c=;tcp;x=1;y")
	f.Add("msrp://a:1/s;tcp")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseURI(s)
		if err != nil {
			return
		}
		again, err := ParseURI(u.String())
		require.NoError(t, err)
		require.True(t, u.Equal(again))
		require.Equal(t, u, again)
	})
}
