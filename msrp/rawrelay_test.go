package msrp

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
)

const (
	rawURI  = "msrp://relay.example.com:2855;tcp"
	rawUse  = "msrp://relay.example.com:2855/use1;tcp"
	rawAuth = `WWW-Authenticate: Digest realm="relay", qop="auth", nonce="n1"`
)

// byAlice asks a rawRelay over TCP.
func byAlice() *RelayOptions {
	return &RelayOptions{URI: rawURI, Username: "alice", Password: "secret", AllowTCP: true}
}

// rawRelay is a relay in the hands of a test: it says what the test tells it to.
type rawRelay struct {
	testing.TB
	nc net.Conn
	d  *Decoder
	// What became of the DialRelay that dialled it.
	dialled <-chan registration
}

type registration struct {
	*Relay
	err error
}

// dialRaw has a new endpoint dial a rawRelay.
func dialRaw(t testing.TB, o *RelayOptions) *rawRelay {
	t.Helper()
	conns := make(chan net.Conn, 1)
	e, err := New(&Options{Host: "client.example.com:2855", Dialer: pipeDialer(func(nc net.Conn) { conns <- nc })})
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	result := make(chan registration, 1)
	go func() {
		r, err := e.DialRelay(ctx, o)
		result <- registration{r, err}
	}()
	r := &rawRelay{TB: t, dialled: result}
	select {
	case r.nc = <-conns:
		t.Cleanup(func() { r.nc.Close() })
		r.d = NewDecoder(r.nc, nil)
	case d := <-result:
		require.NoError(t, d.err)
	}
	return r
}

// auth reads an AUTH.
func (r *rawRelay) auth() *Frame {
	r.Helper()
	f, _ := next(r, r.d)
	require.Equal(r, MethodAuth, string(f.Method))
	return f
}

// answer answers a request with a status line's end and further headers.
func (r *rawRelay) answer(f *Frame, status string, headers ...string) {
	r.Helper()
	r.answerFrom(f, string(f.ToPath), status, headers...)
}

func (r *rawRelay) answerFrom(f *Frame, from, status string, headers ...string) {
	r.Helper()
	rest := ""
	for _, h := range headers {
		rest += h + "\r\n"
	}
	write(r, r.nc, fmt.Sprintf("MSRP %s %s\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s-------%[1]s$\r\n", f.TransactionID, status, f.FromPath, from, rest))
}

// credentials reads those of an AUTH, which must be alice's.
func (r *rawRelay) credentials(f *Frame) *digest.Credentials {
	r.Helper()
	require.NotNil(r, f.Value("Authorization"))
	c, err := digest.ParseCredentials(string(f.Value("Authorization")))
	require.NoError(r, err)
	to := strings.Fields(string(f.ToPath))
	require.True(r, c.Verify(MethodAuth, to[len(to)-1], ha1(c)))
	return c
}

func ha1(c *digest.Credentials) string { return digest.HA1(c.Algorithm, "alice", c.Realm, "secret") }

// info is the header that proves that the relay knows alice's password, with a nonce for the next AUTH if there is to be one.
func (r *rawRelay) info(f *Frame, nextnonce string) string {
	to := strings.Fields(string(f.ToPath))
	c := r.credentials(f)
	return "Authentication-Info: " + c.Info(to[len(to)-1], ha1(c), nextnonce)
}

// login plays the relay's part of DialRelay.
func (r *rawRelay) login(headers ...string) *Relay {
	r.Helper()
	r.answer(r.auth(), "401 Unauthorized", rawAuth)
	f := r.auth()
	r.answer(f, "200 OK", append([]string{"Use-Path: " + rawUse, r.info(f, "")}, headers...)...)
	d := <-r.dialled
	require.NoError(r, d.err)
	return d.Relay
}

// connect connects an active session to a peer behind the relay, which answers the request that it returns.
func (r *rawRelay) connect(s *Session, peer string) *Frame {
	r.Helper()
	connected := make(chan error, 1)
	go func() { connected <- s.Connect(ctx, mustPath(peer), Active, nil) }()
	f, _ := next(r, r.d)
	r.answerFrom(f, rawUse, "200 OK")
	require.NoError(r, <-connected)
	return f
}
