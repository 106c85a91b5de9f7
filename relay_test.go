package otrchat_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/relay"
)

var passwords = relay.Users{"alice": "looking-glass", "bob": "can-we-fix-it"}

// testRelay is a relay on loopback with TLS, whose insides are recorded.
type testRelay struct {
	testing.TB
	*relay.Relay
	address string
	cert    tls.Certificate
	roots   *x509.CertPool
	seen    *tap.Recorder
}

func newRelay(t testing.TB) *testRelay {
	t.Helper()
	r := &testRelay{TB: t, address: "127.0.0.1:0", seen: tap.New(nil)}
	r.cert, r.roots = certtest.New(t, "127.0.0.1")
	r.start()
	return r
}

// start starts the relay, also where it was before.
func (r *testRelay) start() {
	r.Helper()
	l, err := net.Listen("tcp", r.address)
	require.NoError(r, err)
	r.address = l.Addr().String()
	started, err := relay.New(&relay.Options{
		Host: r.address, Authenticator: passwords, Permit: func(a netip.AddrPort) bool { return a.Addr().IsLoopback() },
	})
	require.NoError(r, err)
	r.Cleanup(func() { started.Close() })
	r.Relay = started
	cfg := &tls.Config{Certificates: []tls.Certificate{r.cert}, DynamicRecordSizingDisabled: true}
	require.NoError(r, r.Serve(tap.Listener(tls.NewListener(l, cfg), r.seen)))
}

// options are those of a user who trusts the relay, and goes through it.
func (r *testRelay) options(name string) *otrchat.Options {
	return &otrchat.Options{
		TLS:   &tls.Config{RootCAs: r.roots},
		Relay: &msrp.RelayOptions{URI: "msrps://" + r.address + ";tcp", Username: name, Password: passwords[name]},
	}
}

// direct are those of a user who does not.
func (r *testRelay) direct(name string) *otrchat.Options {
	o := r.options(name)
	o.Relay = nil
	return o
}

// Whoever of the two has a relay, and whoever calls: the chat encrypts itself.
func TestRelay(t *testing.T) {
	r := newRelay(t)
	for _, who := range []struct{ alice, bob bool }{{true, true}, {true, false}, {false, true}} {
		t.Run(fmt.Sprintf("%+v", who), func(t *testing.T) {
			options := map[bool]func(string) *otrchat.Options{true: r.options, false: r.direct}
			alice, bob := newUser(t, "alice", options[who.alice]("alice")), newUser(t, "bob", options[who.bob]("bob"))
			a, b := encrypted(t, alice, bob)
			says(t, a, b, "hello, Bob", true)
			says(t, b, a, "hello, Alice", true)
			require.NoError(t, a.Shutdown(limited(t)))
			_, end := rest(t, b)
			require.ErrorIs(t, end, otrchat.ErrEnded)
		})
	}
}
