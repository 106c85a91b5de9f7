package kamailio_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
	"github.com/otrchat/otrchat/msrp/relay"
)

const ourPassword = "secret"

// beside is a relay of ours next to a Kamailio, on the same transport. Its users are alice and bob.
type beside struct {
	address, uri string
	roots        *x509.CertPool // trusted for both relays
}

func ourRelay(t *testing.T, k *kamailio.Relay) beside {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o := &relay.Options{
		Host: l.Addr().String(), Realm: "example.com", Authenticator: relay.Users{"alice": ourPassword, "bob": ourPassword},
		Permit: func(a netip.AddrPort) bool { return a.String() == k.Address }, AllowTCP: k.Roots == nil,
	}
	b := beside{address: o.Host, uri: "msrp://" + l.Addr().String() + ";tcp"}
	if k.Roots != nil {
		cert, _ := certtest.New(t, "127.0.0.1")
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true})
		b.uri, b.roots = "msrps"+b.uri[len("msrp"):], k.Roots.Clone()
		b.roots.AddCert(cert.Leaf)
		o.TLS = &tls.Config{RootCAs: b.roots}
	}
	r, err := relay.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	require.NoError(t, r.Serve(l))
	return b
}

func (b beside) options(user string) *msrp.RelayOptions {
	return &msrp.RelayOptions{URI: b.uri, Username: user, Password: ourPassword, AllowTCP: b.roots == nil}
}

// through is a session of an endpoint whose URI has its address on the connection to the relay: Kamailio takes a response back to where a URI says.
func (b beside) through(t *testing.T, o *msrp.RelayOptions) *msrp.Session {
	t.Helper()
	e, err := msrp.New(&msrp.Options{TLS: &tls.Config{RootCAs: b.roots}})
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return newSession(t, e, dialRelay(t, e, o))
}

// dial connects a peer that speaks frames itself.
func (b beside) dial(t *testing.T, name string) *msrptest.Peer {
	t.Helper()
	return dial(t, &kamailio.Relay{Address: b.address, URI: b.uri, Roots: b.roots}, name)
}

// chat is lines in turn, and then a long message both ways at once.
func chat(t *testing.T, a, b *msrp.Session) {
	t.Helper()
	for range 5 {
		says(t, a, b, []byte("hello, grüße, 世界"))
		says(t, b, a, []byte("and to you"))
	}
	long := bytes.Repeat([]byte("0123456789"), 30_000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		says(t, a, b, long)
	}()
	says(t, b, a, bytes.Clone(long))
	<-done
}

// Alice has our relay and bob has Kamailio: each relay dials the other. Each of them calls once.
func TestOurRelayToKamailio(t *testing.T) {
	transports(t, func(t *testing.T, k *kamailio.Relay) {
		ours := ourRelay(t, k)
		for _, aliceCalls := range []bool{true, false} {
			alice, bob := ours.through(t, ours.options("alice")), ours.through(t, options(k, "bob", kamailio.Password))
			if aliceCalls {
				connect(t, alice, bob)
			} else {
				connect(t, bob, alice)
			}
			chat(t, alice, bob)
		}
	})
}

// Alice gets through our relay and, behind it, Kamailio; bob has Kamailio alone. Kamailio does not prove that it knows the password, so our own client does not
// take it for a relay behind another one, and alice is one that does.
func TestKamailioBehindOurRelay(t *testing.T) {
	transports(t, func(t *testing.T, k *kamailio.Relay) {
		ours := ourRelay(t, k)
		chain := ours.options("alice")
		chain.Next = options(k, "alice", kamailio.Password)
		e, err := msrp.New(&msrp.Options{TLS: &tls.Config{RootCAs: ours.roots}})
		require.NoError(t, err)
		defer e.Close()
		_, err = e.DialRelay(testContext(t), chain)
		require.ErrorIs(t, err, msrp.ErrRspauth)

		alice, bob := ours.dial(t, "alice"), dial(t, k, "bob")
		f, err := alice.Auth(testContext(t), path(t, ours.uri), "alice", ourPassword)
		require.NoError(t, err)
		near, err := f.UsePath()
		require.NoError(t, err)
		far := use(t, alice, path(t, near.String(), k.URI))
		toBob := use(t, bob, path(t, k.URI))
		alice.Remote = path(t, near.String(), far.String(), toBob.String(), bob.Path.String())
		bob.Remote = path(t, toBob.String(), far.String(), near.String(), alice.Path.String())
		for _, way := range []struct{ from, to *msrptest.Peer }{{alice, bob}, {bob, alice}} {
			require.NoError(t, way.from.Send(&msrp.Frame{MessageID: []byte("m1"), ByteRange: msrp.ByteRange{Start: 1, End: 5, Total: 5}, ContentType: []byte("text/plain")}, []byte("hello")))
			require.Equal(t, msrp.StatusOK, next(t, way.from).Status)
			got := next(t, way.to)
			require.Equal(t, "hello", string(got.Body))
			require.Equal(t, way.to.Path.String(), string(got.ToPath))
			require.Equal(t, way.to.Remote.String(), string(got.FromPath))
			require.NoError(t, way.to.Respond(got, msrp.StatusOK))
		}
	})
}

// Alice gets through Kamailio and, behind it, our relay; bob has our relay alone.
func TestOurRelayBehindKamailio(t *testing.T) {
	transports(t, func(t *testing.T, k *kamailio.Relay) {
		ours := ourRelay(t, k)
		chain := options(k, "alice", kamailio.Password)
		chain.Next = ours.options("alice")
		alice, bob := ours.through(t, chain), ours.through(t, ours.options("bob"))
		require.Len(t, alice.LocalPath(), 3)
		connect(t, alice, bob)
		chat(t, alice, bob)
	})
}
