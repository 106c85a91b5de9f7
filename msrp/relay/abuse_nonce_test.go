package relay

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
)

// Credentials that were overheard let nobody in: neither on their own connection nor on another one, neither as they are nor with another nonce or count.
func TestAbuseReplayedCredentials(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, _, _ *client) {
		carol := g.stranger()
		overheard := carol.challenge()
		fresh := digest.NewClient(overheard, "carol", users["carol"])
		first := fresh.Authorization(msrp.MethodAuth, bareHost.String())
		granted := carol.try(first)
		require.Equal(t, msrp.StatusOK, granted.Status)
		second := fresh.Authorization(msrp.MethodAuth, bareHost.String())
		require.Equal(t, msrp.StatusOK, carol.try(second).Status)
		before := g.r.Stats()
		for _, tt := range []struct {
			name, authorization string
			wait                time.Duration
		}{
			{name: "as it was", authorization: second},
			{name: "the one before", authorization: first},
			{name: "another count", authorization: strings.Replace(second, "nc=00000002", "nc=00000003", 1)},
			{name: "another nonce", authorization: strings.Replace(second, overheard.Nonce, nextNonce(t, granted.Value("Authentication-Info")), 1)},
			{name: "no nonce", authorization: strings.Replace(second, overheard.Nonce, "", 1)},
			{name: "too late", authorization: fresh.Authorization(msrp.MethodAuth, bareHost.String()), wait: nonceTimeout + time.Second},
		} {
			time.Sleep(tt.wait)
			for _, where := range []*client{carol, g.stranger()} {
				where.Path = carol.Path
				f := where.try(tt.authorization)
				require.Equal(t, msrp.StatusUnauthorized, f.Status, tt.name)
				require.Nil(t, f.Value("Use-Path"), tt.name)
				if where != carol {
					require.NoError(t, where.Conn.Close())
				}
			}
			carol.auth("carol") // then what failed does not count any more
		}
		require.Equal(t, before.Sessions, g.r.Stats().Sessions)
	})
}

func nextNonce(t testing.TB, info []byte) string {
	_, rest, ok := strings.Cut(string(info), `nextnonce="`)
	require.True(t, ok)
	nonce, _, ok := strings.Cut(rest, `"`)
	require.True(t, ok)
	return nonce
}

// Nonces that the relay has not made let nobody in, though user name and password be right.
func TestAbuseForgedNonces(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, _, _ *client) {
		other := testGate(t, nil) // of another relay
		before := g.r.Stats().Sessions
		for name, nonce := range map[string]func(own string) string{
			"empty":            func(string) string { return "" },
			"made up":          func(string) string { return "dcd98b7102dd2f0e8b11d0f600bfb0c0" },
			"one bit of it":    func(own string) string { return flip(own, 30) },
			"its time":         func(own string) string { return flip(own, 3) },
			"cut":              func(own string) string { return own[:len(own)-1] },
			"longer":           func(own string) string { return own + "A" },
			"of another relay": func(string) string { return other.nonces.issue("connection 1") },
			"of nobody":        func(string) string { return g.r.gate.nonces.issue("") },
			"of a neighbour":   func(string) string { return g.stranger().challenge().Nonce },
			"very long":        func(string) string { return strings.Repeat("A", 8000) },
			"not base64":       func(string) string { return "ä" },
		} {
			mallory := g.stranger()
			c := mallory.challenge()
			c.Nonce = nonce(c.Nonce)
			f := mallory.try(digest.NewClient(c, "carol", users["carol"]).Authorization(msrp.MethodAuth, bareHost.String()))
			require.Contains(t, []int{msrp.StatusUnauthorized, msrp.StatusBadRequest}, f.Status, name)
			require.Nil(t, f.Value("Use-Path"), name)
			require.NoError(t, mallory.Conn.Close())
		}
		require.Equal(t, before, g.r.Stats().Sessions)
	})
}
