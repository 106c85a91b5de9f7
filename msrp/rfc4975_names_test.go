package msrp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Session URIs: tcp, an own one for each session, 128 random bits, no userinfo (sections 6, 8.2 and 14.1).
func TestRFC4975_14_1_SessionURIs(t *testing.T) {
	e, err := New(&Options{Host: "host.example.com:2855"})
	require.NoError(t, err)
	defer e.Close()
	seen := map[string]bool{}
	for range 100 {
		s, err := e.NewSession(nil)
		require.NoError(t, err)
		u := s.LocalPath()[0]
		require.Len(t, s.LocalPath(), 1)
		require.Equal(t, "tcp", u.Transport)
		require.Empty(t, u.Userinfo)
		require.Len(t, u.SessionID, 26, "128 bits in base 32")
		require.False(t, seen[u.SessionID])
		seen[u.SessionID] = true
		require.NoError(t, s.Close())
	}
}

// Percent-encoding of what need not be encoded is no difference, where it stands before the session-id.
func TestRFC4975_6_1_PercentEncoding(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"msrp://%65xample.com:1/x;tcp", "msrp://example.com:1/x;tcp", true},
		{"msrp://ex%2Dample%2ecom:1/x;tcp", "msrp://EX-AMPLE.com:1/x;tcp", true},
		{"msrp://%31%39%32.0.2.1:1/x;tcp", "msrp://192.0.2.1:1/x;tcp", true},
		{"msrp://a%2bb:1/x;tcp", "msrp://a%2Bb:1/x;tcp", true},
		{"msrp://a%2bb:1/x;tcp", "msrp://a+b:1/x;tcp", false}, // reserved
		{"msrp://a%:1/x;tcp", "msrp://a%:1/x;tcp", true},
		{"msrp://a%6:1/x;tcp", "msrp://a6:1/x;tcp", false},
		{"msrp://a%zz:1/x;tcp", "msrp://a:1/x;tcp", false},
		{"msrp://a:1/%78;tcp", "msrp://a:1/x;tcp", false},
	} {
		a, err := ParseURI(c.a)
		require.NoError(t, err)
		b, err := ParseURI(c.b)
		require.NoError(t, err)
		require.Equal(t, c.same, a.Equal(b), "%s %s", c.a, c.b)
		require.Equal(t, c.same, b.Equal(a), "%s %s", c.a, c.b)
	}
}

// Identifiers of our own keep to the grammar, also where the reading of others' is tolerant.
func TestRFC4975_9_OwnIdentifiers(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	for _, id := range []string{"abc", "-abc", ".abc", "%abc", "ab/c", "äbcd", strings.Repeat("a", 33)} {
		m := text("hello")
		m.ID = id
		_, err := s.Send(ctx, m)
		require.ErrorIs(t, err, ErrMalformed, id)
	}
	for _, id := range []string{"abcd", "0.-+%=", strings.Repeat("a", 32)} {
		m := text("hello")
		m.ID = id
		sent := sendLater(t, s, m)
		f, _ := next(t, d)
		require.Equal(t, id, string(f.MessageID))
		write(t, nc, ok(s, f))
		require.NoError(t, (<-sent).Wait(ctx))
	}
}

// Transaction identifiers have 64 random bits, so no two requests share one; Message-IDs have 128 (section 7.1.1).
func TestRFC4975_7_1_Identifiers(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	seen := map[string]bool{}
	for range 100 {
		sent := sendLater(t, s, text("hello"))
		f, _ := next(t, d)
		require.Len(t, f.TransactionID, 16)
		require.Len(t, f.MessageID, 32)
		for _, id := range [][]byte{f.TransactionID, f.MessageID} {
			require.False(t, seen[string(id)])
			seen[string(id)] = true
		}
		write(t, nc, ok(s, f))
		require.NoError(t, (<-sent).Wait(ctx))
	}
}
