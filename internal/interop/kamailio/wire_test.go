package kamailio_test

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/internal/quiet"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

func TestMain(m *testing.M) { leakcheck.Main(m, quiet.Stdout) }

const patience = 20 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// transports runs f with a Kamailio on TCP and with one on TLS.
func transports(t *testing.T, f func(t *testing.T, k *kamailio.Relay)) {
	t.Run("TCP", func(t *testing.T) { f(t, kamailio.Start(t)) })
	t.Run("TLS", func(t *testing.T) { f(t, kamailio.StartTLS(t)) })
}

func path(t *testing.T, uris ...string) msrp.Path {
	t.Helper()
	p, err := msrp.ParsePath(strings.Join(uris, " "))
	require.NoError(t, err)
	return p
}

// dial connects a peer that speaks frames itself.
func dial(t *testing.T, k *kamailio.Relay, name string) *msrptest.Peer {
	t.Helper()
	nc, err := net.Dial("tcp", k.Address)
	require.NoError(t, err)
	scheme, _, _ := strings.Cut(k.URI, ":")
	own := path(t, scheme+"://"+nc.LocalAddr().String()+"/"+name+";tcp")
	if k.Roots != nil {
		nc = tls.Client(nc, &tls.Config{RootCAs: k.Roots, ServerName: "127.0.0.1"})
	}
	p := msrptest.PeerOn(nc)
	t.Cleanup(func() { p.Close() })
	p.Path = own
	return p
}

// use asks for a way through and returns it.
func use(t *testing.T, p *msrptest.Peer, relay msrp.Path) msrp.Path {
	t.Helper()
	f, err := p.Auth(testContext(t), relay, "alice", kamailio.Password)
	require.NoError(t, err)
	require.Equal(t, msrp.StatusOK, f.Status)
	require.Empty(t, f.Value("Authentication-Info"), "Kamailio proves nothing")
	require.Equal(t, "3600", string(f.Value("Expires")))
	way, err := f.UsePath()
	require.NoError(t, err)
	require.Len(t, way, 1)
	return way
}

func next(t *testing.T, p *msrptest.Peer) *msrptest.Frame {
	t.Helper()
	f, err := p.Next(testContext(t))
	require.NoError(t, err)
	return f
}

// What Kamailio makes of frames: where this changes, what we know of it has changed.
func TestFrames(t *testing.T) {
	transports(t, func(t *testing.T, k *kamailio.Relay) {
		alice, bob := dial(t, k, "alice"), dial(t, k, "bob")
		toAlice, toBob := use(t, alice, path(t, k.URI)), use(t, bob, path(t, k.URI))
		alice.Remote = path(t, toAlice.String(), toBob.String(), bob.Path.String())
		bob.Remote = path(t, toBob.String(), toAlice.String(), alice.Path.String())

		send := &msrp.Frame{MessageID: []byte("m1"), ByteRange: msrp.ByteRange{Start: 1, End: 5, Total: 5}, SuccessReport: []byte("yes"), ContentType: []byte("text/plain"), TransactionID: []byte("alices")}
		require.NoError(t, alice.Send(send, []byte("hello")))
		ok := next(t, alice)
		require.Equal(t, msrp.StatusOK, ok.Status)
		require.Equal(t, "alices", string(ok.TransactionID))
		require.Equal(t, alice.Path.String(), string(ok.ToPath))
		require.Equal(t, toAlice.String(), string(ok.FromPath))
		got := next(t, bob)
		require.Equal(t, "hello", string(got.Body))
		require.Equal(t, "alices", string(got.TransactionID), "Kamailio makes no transaction of its own")
		require.Equal(t, bob.Path.String(), string(got.ToPath))
		require.Equal(t, bob.Remote.String(), string(got.FromPath))
		require.NoError(t, bob.Respond(got, msrp.StatusOK)) // which ends at Kamailio

		report := &msrp.Frame{Method: []byte(msrp.MethodReport), MessageID: []byte("m1"), ByteRange: send.ByteRange, StatusHeader: []byte("000 200 OK")}
		require.NoError(t, bob.Send(report, nil))
		got = next(t, alice)
		require.Equal(t, msrp.MethodReport, string(got.Method))
		require.Equal(t, alice.Remote.String(), string(got.FromPath))

		send.TransactionID, send.SuccessReport = []byte("bobs"), nil
		require.NoError(t, bob.Send(send, []byte("hello")))
		require.Equal(t, msrp.StatusOK, next(t, bob).Status)
		require.Equal(t, "hello", string(next(t, alice).Body))
	})
}

// A new way does not close the old one, whatever URI was asked for it.
func TestSecondAuth(t *testing.T) {
	k := kamailio.Start(t)
	alice, bob := dial(t, k, "alice"), dial(t, k, "bob")
	toBob := use(t, bob, path(t, k.URI))
	first := use(t, alice, path(t, k.URI))
	ways := []msrp.Path{first, use(t, alice, path(t, k.URI)), use(t, alice, first), use(t, alice, path(t, "msrp://relay.example.com;tcp"))}
	for i, way := range ways {
		require.NotContains(t, ways[:i], way)
		bob.Remote = path(t, toBob.String(), way.String(), alice.Path.String())
		require.NoError(t, bob.Send(&msrp.Frame{MessageID: []byte("m"), ByteRange: msrp.ByteRange{Start: 1}}, nil))
		require.Equal(t, msrp.StatusOK, next(t, bob).Status)
		require.Equal(t, bob.Remote[1:2].String(), strings.Fields(string(next(t, alice).FromPath))[0])
	}
}

func TestRefusals(t *testing.T) {
	k := kamailio.Start(t)
	p := dial(t, k, "alice")
	for range 5 {
		f, err := p.Auth(testContext(t), path(t, k.URI), "alice", "wrong")
		require.NoError(t, err)
		require.Equal(t, 401, f.Status, "and never 403")
		require.NotContains(t, string(f.Value("WWW-Authenticate")), "stale")
	}
	way := use(t, p, path(t, k.URI))
	p.Remote = path(t, way.String(), way.String(), p.Path.String())
	require.NoError(t, p.Send(&msrp.Frame{Method: []byte(msrp.MethodNickname)}, nil))
	require.Equal(t, msrp.StatusUnknownMethod, next(t, p).Status)
	long := strings.Repeat("x", 11_300)
	require.NoError(t, p.Send(&msrp.Frame{MessageID: []byte("m"), ContentType: []byte("text/plain")}, []byte(long)))
	require.Equal(t, msrp.StatusUnknownMethod, next(t, p).Status)

	// The 423 has what was in Kamailio's memory in the place of Max-Expires, which is hardly ever a header.
	f, err := p.Auth(testContext(t), path(t, k.URI), "alice", kamailio.Password, msrp.Header{Name: []byte("Expires"), Value: []byte("600")})
	if err == nil {
		require.Equal(t, msrp.StatusOutOfBounds, f.Status)
		return
	}
	require.ErrorIs(t, err, msrp.ErrMalformed)
}
