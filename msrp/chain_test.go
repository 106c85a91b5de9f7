package msrp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
)

const (
	outerURI  = "msrp://outer.example.com;tcp"
	outerUse  = "msrp://outer.example.com:9000/use2;tcp"
	outerAuth = `WWW-Authenticate: Digest realm="outer", qop="auth", nonce="o1"`
)

// chained asks the relay outer.example.com through rawURI, as another user.
func chained() *RelayOptions {
	o := byAlice()
	o.Next = &RelayOptions{URI: outerURI, Username: "bob", Password: "other", AllowTCP: true}
	return o
}

// dialOuter plays rawURI's part for a chain, up to the first AUTH for the outer relay.
func dialOuter(t *testing.T) (r *rawRelay, f *Frame) {
	t.Helper()
	r = dialRaw(t, chained())
	r.answer(r.auth(), "401 Unauthorized", rawAuth)
	f = r.auth()
	r.answer(f, "200 OK", "Use-Path: "+rawUse, r.info(f, ""), "Expires: 900")
	return r, r.auth()
}

// outerInfo is the proof of the outer relay, which knows bob.
func outerInfo(t *testing.T, f *Frame) string {
	t.Helper()
	c, err := digest.ParseCredentials(string(f.Value("Authorization")))
	require.NoError(t, err)
	ha1 := digest.HA1("", "bob", "outer", "other")
	require.Equal(t, "bob", c.Username)
	require.True(t, c.Verify(MethodAuth, outerURI, ha1), "the URI digested is the last one")
	return "Authentication-Info: " + c.Info(outerURI, ha1, "")
}

// The example of RFC 4976 section 5.1: intra.example.com first, then extra.example.com through it. Whether Use-Path has the first relay too (so the example) or not (erratum 1273), the path is the same.
func TestRFC4976_5_1_Chain(t *testing.T) {
	for _, usePath := range []string{rawUse + " " + outerUse, outerUse} {
		r, f := dialOuter(t)
		require.Equal(t, rawUse+" "+outerURI, string(f.ToPath))
		require.Empty(t, f.Header, "the first relay's credentials are not for the second")
		r.answer(f, "401 Unauthorized", outerAuth)
		f = r.auth()
		require.Equal(t, rawUse+" "+outerURI, string(f.ToPath))
		r.answer(f, "200 OK", "Use-Path: "+usePath, outerInfo(t, f), "Expires: 1800")
		d := <-r.dialled
		require.NoError(t, d.err)
		require.Equal(t, outerUse+" "+rawUse, d.Path().String(), "the outermost first")

		s, err := d.e.NewSession(&SessionOptions{Relay: d.Relay})
		require.NoError(t, err)
		require.Equal(t, outerUse+" "+rawUse+" "+s.own, s.LocalPath().String())
		go s.Connect(ctx, mustPath(rawPeerPath), Active, nil)
		f, _ = next(t, r.d)
		require.Equal(t, rawUse+" "+outerUse+" "+rawPeerPath, string(f.ToPath))
	}
}

// A relay before the one that is asked may refuse, and no more: it gets no credentials that are for another, and cannot give a URI in its place.
func TestFirstRelayAnswersForTheSecond(t *testing.T) {
	for status, want := range map[string]error{
		"401 Unauthorized": &StatusError{401, "Unauthorized"},
		"403 Forbidden":    &StatusError{403, "Forbidden"},
		"423 Such":         &StatusError{423, "Such"},
		"481 Such":         &StatusError{481, "Such"},
	} {
		r, f := dialOuter(t)
		r.answerFrom(f, rawUse, status, outerAuth, "Min-Expires: 60")
		require.Equal(t, want, (<-r.dialled).err)
	}
	r, f := dialOuter(t)
	r.answerFrom(f, rawUse, "200 OK", "Use-Path: "+outerUse)
	require.ErrorIs(t, (<-r.dialled).err, ErrMalformed)
}

// rspauth is all that shows who a relay is that is not the first (RFC 4976 section 9.4): it must be there.
func TestRFC4976_9_4_ProofOfFurtherRelays(t *testing.T) {
	r, f := dialOuter(t)
	r.answer(f, "200 OK", "Use-Path: "+outerUse)
	require.ErrorIs(t, (<-r.dialled).err, ErrRspauth, "no credentials, no proof")

	for name, info := range map[string]func(*Frame) string{
		"none":           func(*Frame) string { return "X: y" },
		"of other words": func(f *Frame) string { return strings.Replace(outerInfo(t, f), `rspauth="`, `rspauth="0`, 1) },
		"of its own":     func(f *Frame) string { return strings.Replace(outerInfo(t, f), "rspauth=", "rspauth2=", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			r, f := dialOuter(t)
			r.answer(f, "401 Unauthorized", outerAuth)
			f = r.auth()
			r.answer(f, "200 OK", "Use-Path: "+outerUse, info(f))
			require.ErrorIs(t, (<-r.dialled).err, ErrRspauth)
		})
	}
}

// Whatever Use-Path a further relay gives, our path begins with the relay that we are connected to.
func TestUsePathOfAChain(t *testing.T) {
	const more = "msrp://outer.example.com:9000/use3;tcp"
	for name, tt := range map[string]struct {
		usePath, path string
	}{
		"two of its own":         {rawUse + " " + outerUse + " " + more, more + " " + outerUse + " " + rawUse},
		"nothing of its own":     {rawUse, ""},
		"the first relay's last": {outerUse + " " + rawUse, ""},
		"twice the same":         {rawUse + " " + outerUse + " " + outerUse, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, f := dialOuter(t)
			r.answer(f, "401 Unauthorized", outerAuth)
			f = r.auth()
			r.answer(f, "200 OK", "Use-Path: "+tt.usePath, outerInfo(t, f))
			d := <-r.dialled
			if tt.path == "" {
				require.ErrorIs(t, d.err, ErrMalformed)
				return
			}
			require.NoError(t, d.err)
			require.Equal(t, tt.path, d.Path().String())
		})
	}
}
