package msrp

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Whatever a relay says to an AUTH, DialRelay ends, and a Relay that comes of it has a path that can stand in an SDP and in our frames.
func FuzzDialRelay(f *testing.F) {
	const good = "Use-Path: " + rawUse + "\r\nExpires: 600\r\n"
	for _, seed := range []string{
		"401 Unauthorized\r\n" + rawAuth + "\r\n|200 OK\r\n" + good,
		"401 x\r\n" + rawAuth + ", algorithm=SHA-256, opaque=\"x\", stale=true\r\n|423 x\r\nMin-Expires: 60\r\n|401 x\r\n" + rawAuth + "\r\n|200 OK\r\n" + good,
		"200 OK\r\nUse-Path: " + rawUse + " " + outerUse + "\r\nAuthentication-Info: rspauth=\"0\", nextnonce=\"x\"\r\n",
		"401 x\r\nWWW-Authenticate: Basic x\r\nWWW-Authenticate: Digest realm=\"\\\"\", nonce=x, qop=\"auth,auth-int\"\r\n|403 No\r\n",
		"200 OK\r\nUse-Path: msrp://[::1]:1/x;tcp;y msrps://a@b:2/c/d;tcp\r\nExpires: 99999999999\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, answers string) {
		synctest.Test(t, func(t *testing.T) { relayAnswers(t, strings.Split(answers, "|")) })
	})
}

func relayAnswers(t *testing.T, answers []string) {
	e, err := New(&Options{Host: "client.example.com", Dialer: pipeDialer(func(nc net.Conn) {
		go func() {
			defer nc.Close()
			d := NewDecoder(nc, nil)
			for _, a := range answers {
				f, _, err := readFrame(d)
				if err != nil {
					return
				}
				status, headers, _ := strings.Cut(a, "\r\n")
				fmt.Fprintf(nc, "MSRP %s %s\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s-------%[1]s$\r\n", f.TransactionID, status, f.FromPath, f.ToPath, headers)
			}
		}()
	})})
	require.NoError(t, err)
	defer e.Close()
	r, err := e.DialRelay(ctx, byAlice())
	if err != nil {
		require.NotContains(t, err.Error(), "secret")
		return
	}
	text := r.Path().String()
	require.LessOrEqual(t, len(text), maxUsePath)
	require.True(t, validValue([]byte(text)))
	again, err := ParsePath(text)
	require.NoError(t, err)
	require.Equal(t, r.Path(), again)
	require.LessOrEqual(t, len(again), maxRelays)
	s, err := e.NewSession(&SessionOptions{Relay: r})
	if err != nil { // it has hung up since
		return
	}
	require.Equal(t, text+" "+s.own, s.LocalPath().String())
}
