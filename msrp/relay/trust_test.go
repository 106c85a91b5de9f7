package relay

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// Anybody's client can have the relay dial any host with a good certificate. That makes the host another relay only if Options.Relays says so, too.
func TestDialledHostIsNoRelayByItself(t *testing.T) {
	cert, pool := certtest.New(t, "relay.example.net")
	_, others := certtest.New(t, "other.example.net")
	for name, tt := range map[string]struct {
		relays *x509.CertPool
		want   bool
	}{"known": {pool, true}, "unknown": {others, false}, "none is": {nil, false}} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, &Options{TLS: &tls.Config{RootCAs: pool}, Relays: tt.relays})
			l, err := g.n.Listen("relay.example.net:2855")
			require.NoError(t, err)
			defer l.Close()
			l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
			alice := g.client("alice")
			alice.Remote = join(alice.use, mustPath("msrps://relay.example.net:2855/r;tcp msrps://bob.example.net:2855/b;tcp"))
			alice.send("first1", "hello")
			nc, err := l.Accept()
			require.NoError(t, err)
			defer nc.Close()
			relay := &client{Peer: msrptest.PeerOn(nc), g: g}
			require.Equal(t, "hello", string(relay.next().Body))
			for _, c := range g.r.all() {
				if c.hop.host != "" {
					require.Equal(t, tt.want, c.proves("relay.example.net"))
					require.False(t, c.proves("other.example.net"))
				}
			}
			alice.expect("first1", msrp.StatusOK)
		})
	}
}
