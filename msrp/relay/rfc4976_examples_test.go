package relay_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
	"github.com/otrchat/otrchat/msrp/relay"
)

// federation is a network of relays that know each other's certificates.
type federation struct {
	testing.TB
	n     *msrptest.Network
	roots *x509.CertPool
	certs map[string]tls.Certificate
}

func newFederation(t testing.TB, hosts ...string) *federation {
	f := &federation{TB: t, n: &msrptest.Network{}, roots: x509.NewCertPool(), certs: map[string]tls.Certificate{}}
	for _, host := range hosts {
		cert, _ := certtest.New(t, host)
		f.certs[host] = cert
		f.roots.AddCert(cert.Leaf)
	}
	return f
}

// relay runs a relay over TLS at host:9000. One that is no relay to the others has no certificate to show them.
func (f *federation) relay(host string, known bool) {
	client := &tls.Config{RootCAs: f.roots}
	if known {
		client.Certificates = []tls.Certificate{f.certs[host]}
	}
	r := start(f, f.n, host+":9000", func(o *relay.Options) { o.AllowTCP, o.TLS, o.Relays = false, client, f.roots })
	l, err := f.n.Listen(host + ":9000")
	require.NoError(f, err)
	require.NoError(f, r.Serve(tls.NewListener(l, f.server(host))))
}

// server is the configuration of a listener.
func (f *federation) server(host string) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{f.certs[host]}, ClientAuth: tls.RequestClientCert, DynamicRecordSizingDisabled: true,
	}
}

// client connects to the relay at host.
func (f *federation) client(host, uri string) *end {
	return f.clientAs("", host, uri)
}

// clientAs shows the relay at host the certificate of a name.
func (f *federation) clientAs(name, host, uri string) *end {
	nc, err := f.n.DialContext(f.Context(), "tcp", host+":9000")
	require.NoError(f, err)
	cfg := &tls.Config{RootCAs: f.roots, ServerName: host}
	if name != "" {
		cfg.Certificates = []tls.Certificate{f.certs[name]}
	}
	return newEnd(f, tls.Client(nc, cfg), uri)
}

// Section 3: Alice and Bob, each with a relay, and the frames as the RFC shows them.
func TestRFC4976_3_Example(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFederation(t, "a.example.org", "b.example.net")
		f.relay("a.example.org", true)
		f.relay("b.example.net", true)
		alice := f.client("a.example.org", "msrps://alice.example.org:7965/bar;tcp")
		alice.auth("alice", "msrps://alice@a.example.org:9000;tcp")
		bob := f.client("b.example.net", "msrps://bob.example.net:8145/foo;tcp")
		bob.auth("bob", "msrps://bob@b.example.net:9000;tcp")
		names := []string{alice.path, "A", bob.path, "B", alice.uri, "ALICE", bob.uri, "BOB"}

		alice.send("6aef", alice.path+" "+bob.path+" "+bob.uri, "Hi Bob, I'm about to send you file.mpeg", msrp.Complete,
			"Success-Report: yes", "Byte-Range: 1-*/*", "Message-ID: 87652")
		got := alice.next()
		require.Equal(t, "6aef", string(got.TransactionID))
		require.Equal(t, "MSRP ID 200 OK\nTo-Path: ALICE\nFrom-Path: A\n-------ID$\n", text(t, got, names...))
		got = bob.next()
		require.Equal(t, "MSRP ID SEND\nTo-Path: BOB\nFrom-Path: B A ALICE\nMessage-ID: 87652\nSuccess-Report: yes\nByte-Range: 1-*/*\nContent-Type: text/plain\n\n"+
			"Hi Bob, I'm about to send you file.mpeg\n-------ID$\n", text(t, got, names...))

		bob.answer(got, "200 OK", "Message-ID: 87652")
		bob.write("yh67", "REPORT", string(got.FromPath), bob.uri, "Message-ID: 87652", "Byte-Range: 1-39/39", "Status: 000 200 OK")
		require.Equal(t, "MSRP ID REPORT\nTo-Path: ALICE\nFrom-Path: A B BOB\nMessage-ID: 87652\nByte-Range: 1-39/39\nStatus: 000 200 OK\n-------ID$\n",
			text(t, alice.next(), names...))
		time.Sleep(time.Minute)
		alice.quiet()
		bob.quiet()
	})
}

// Section 5.1: Alice authenticates with the relay intra, and through it with extra, which lists both in its Use-Path.
func TestRFC4976_5_1_ChainExample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFederation(t, "intra.example.com", "extra.example.com")
		f.relay("intra.example.com", true)
		f.relay("extra.example.com", true)
		alice := f.client("intra.example.com", "msrps://alice.example.com:9892/98cjs;tcp")
		alice.auth("alice", "msrps://alice@intra.example.com:9000;tcp")
		intra := alice.path

		to := intra + " msrps://extra.example.com:9000;tcp"
		alice.write("mnbvw", "AUTH", to, alice.uri)
		challenge := alice.next()
		require.Equal(t, "mnbvw", string(challenge.TransactionID))
		require.Equal(t, 401, challenge.Status)
		require.Equal(t, alice.uri, string(challenge.ToPath))
		require.Equal(t, to, string(challenge.FromPath))
		require.Contains(t, string(challenge.Value("WWW-Authenticate")), `realm="extra.example.com"`)

		granted := alice.respond(challenge, "alice", to)
		require.Equal(t, msrp.StatusOK, granted.Status)
		require.Equal(t, alice.uri, string(granted.ToPath))
		require.Equal(t, to, string(granted.FromPath))
		path, err := granted.UsePath()
		require.NoError(t, err)
		require.Len(t, path, 2)
		require.Equal(t, intra, path[0].String())
		require.Equal(t, "extra.example.com:9000", path[1].Host+":9000")
		extra := path[1].String()

		// what comes for the outer URI goes through both to Alice, and what she sends goes out through both
		peer := f.client("extra.example.com", "msrps://bob.example.net:8145/foo;tcp")
		names := []string{intra, "INTRA", extra, "EXTRA", alice.uri, "ALICE", peer.uri, "BOB"}
		peer.send("abcd", extra+" "+intra+" "+alice.uri, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
		require.Equal(t, "MSRP ID 200 OK\nTo-Path: BOB\nFrom-Path: EXTRA\n-------ID$\n", text(t, peer.next(), names...))
		got := alice.next()
		require.Equal(t, "MSRP ID SEND\nTo-Path: ALICE\nFrom-Path: INTRA EXTRA BOB\nMessage-ID: msg1\nByte-Range: 1-1/1\nContent-Type: text/plain\n\nx\n-------ID$\n",
			text(t, got, names...))
		alice.answer(got, "200 OK")
		alice.send("abce", intra+" "+extra+" "+peer.uri, "y", msrp.Complete, "Message-ID: msg2", "Byte-Range: 1-1/1")
		require.Equal(t, "MSRP ID 200 OK\nTo-Path: ALICE\nFrom-Path: INTRA\n-------ID$\n", text(t, alice.next(), names...))
		require.Equal(t, "MSRP ID SEND\nTo-Path: BOB\nFrom-Path: EXTRA INTRA ALICE\nMessage-ID: msg2\nByte-Range: 1-1/1\nContent-Type: text/plain\n\ny\n-------ID$\n",
			text(t, peer.next(), names...))
	})
}

// Section 5.1: client A behind the relays B and C, client F behind E and D, and a session between them. Both are endpoints of package msrp.
func TestRFC4976_5_1_FourRelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFederation(t, "b.example.com", "c.example.com", "d.example.net", "e.example.net")
		for host := range f.certs {
			f.relay(host, true)
		}
		open := func(host, username, inner, outer string) *msrp.Session {
			e, err := msrp.New(&msrp.Options{Host: host, Dialer: f.n, TLS: &tls.Config{RootCAs: f.roots}})
			require.NoError(t, err)
			t.Cleanup(func() { e.Close() })
			way, err := e.DialRelay(t.Context(), &msrp.RelayOptions{
				URI: "msrps://" + inner + ":9000;tcp", Username: username, Password: "secret", Expires: time.Minute,
				Next: &msrp.RelayOptions{URI: "msrps://" + outer + ":9000;tcp", Username: username, Password: "secret", Expires: time.Minute},
			})
			require.NoError(t, err)
			s, err := e.NewSession(&msrp.SessionOptions{Relay: way, Secure: true})
			require.NoError(t, err)
			for i, want := range []string{outer, inner, host} {
				require.Equal(t, want, s.LocalPath()[i].Host)
			}
			require.Len(t, s.LocalPath(), 3)
			return s
		}
		alice, bob := open("a.example.com", "alice", "b.example.com", "c.example.com"), open("f.example.net", "bob", "e.example.net", "d.example.net")
		connected := make(chan error, 1)
		go func() { connected <- bob.Connect(t.Context(), alice.LocalPath(), msrp.Passive, nil) }()
		require.NoError(t, alice.Connect(t.Context(), bob.LocalPath(), msrp.Active, nil))
		require.NoError(t, <-connected)
		for _, way := range [][2]*msrp.Session{{alice, bob}, {bob, alice}} {
			time.Sleep(20 * time.Minute) // each URI has been renewed some 30 times
			for _, size := range []int{5, 100_000} {
				body := strings.Repeat("x", size)
				d, err := way[0].Send(t.Context(), &msrp.Message{ContentType: "text/plain", Body: []byte(body), SuccessReport: true})
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				m, err := way[1].Receive(ctx)
				require.NoError(t, err)
				require.True(t, string(m.Body) == body)
				require.NoError(t, d.Wait(ctx), "the success report has come all the way back")
			}
		}
		require.Len(t, f.n.Wires(), 5, "A B, B C, C D, D E, E F")
	})
}
