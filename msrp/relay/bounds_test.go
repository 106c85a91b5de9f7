package relay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// Bounds that a request or its paths meet one by one, each with what is still allowed.

// A path may have 2 KiB, a Message-ID 32 bytes.
func TestLongestPathAndMessageID(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		carol := g.stranger()
		carol.Remote = bob.sdp()
		for _, tt := range []struct{ path, id, want int }{{maxPath, 32, msrp.StatusOK}, {maxPath + 1, 32, msrp.StatusBadRequest}, {maxPath, 33, msrp.StatusBadRequest}} {
			from := longPath(tt.path)
			require.NoError(t, carol.Send(&msrp.Frame{TransactionID: []byte("first1"), MessageID: []byte(strings.Repeat("m", tt.id)), FromPath: []byte(from)}, nil))
			carol.expect("first1", tt.want)
			if tt.want == msrp.StatusOK {
				f := bob.next()
				require.Len(t, f.MessageID, 32)
				require.Equal(t, bob.use.String()+" "+from, string(f.FromPath))
				bob.answer(f, msrp.StatusOK)
			}
		}
		to := bob.sdp().String()
		carol.request("second", msrp.MethodSend, to+" "+longPath(maxPath-len(to)), carol.Path.String())
		carol.expect("second", msrp.StatusBadRequest)
		bob.quiet()
	})
}

// longPath has n bytes, in four URIs.
func longPath(n int) string {
	const uri = "msrp://long.example.com:2855/;tcp "
	hop := uri[:29] + strings.Repeat("x", 500-len(uri)) + uri[29:]
	return strings.Repeat(hop, 3) + "msrp://end.example.com:2855/" + strings.Repeat("x", n-3*500-len("msrp://end.example.com:2855/;tcp")) + ";tcp"
}

// A session remembers where 64 peers without a relay are to be found, and has room again when one has left.
func TestPeersOfASessionAreBounded(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		carol, crowd := g.client("carol"), g.stranger()
		come := func(c *client, peer string, want int) {
			c.request(peer, msrp.MethodSend, carol.sdp().String(), "msrp://peer.example.com:2855/"+peer+";tcp")
			c.expect(peer, want)
			if want == msrp.StatusOK {
				carol.answer(carol.next(), msrp.StatusOK)
			}
		}
		for i := range maxPeers {
			come(crowd, fmt.Sprintf("peer%d", i), msrp.StatusOK)
		}
		come(crowd, "onemore", msrp.StatusForbidden)
		late := g.stranger()
		come(late, "latecomer", msrp.StatusForbidden)
		come(crowd, "peer0", msrp.StatusOK)
		require.NoError(t, crowd.Conn.Close())
		g.holds()
		come(late, "latecomer", msrp.StatusOK)
	})
}

// A connection of another relay is used for 8 of its names at most, and for none any more once it is closed.
func TestNamesOfARelayAreBounded(t *testing.T) {
	g := newRig(t, nil)
	c := newConn(g.r)
	cert, _ := certtest.New(t, "relay.example.net")
	c.cert = cert.Leaf
	for port := range uint16(20) {
		c.serves(msrp.URI{Secure: true, Host: "relay.example.net", Port: 9000 + port})
	}
	require.Len(t, g.r.hops, maxServed)
	c.serves(msrp.URI{Secure: true, Host: "other.example.net", Port: 9000})
	require.Len(t, g.r.hops, maxServed)
	g.r.forget(c)
	require.Empty(t, g.r.hops)
}

// The connections that the relay dials count among MaxConnections.
func TestDialledConnectionsCount(t *testing.T) {
	g := newRig(t, &Options{MaxConnections: 2})
	alice, first, second := g.client("alice"), msrptest.NewPeer(t, g.n), msrptest.NewPeer(t, g.n)
	alice.Remote = join(alice.use, first.Path)
	alice.send("first1", "hello")
	alice.expect("first1", msrp.StatusOK)
	g.accept(first)
	alice.Remote = join(alice.use, second.Path)
	alice.send("second", "hello")
	alice.expect("second", msrp.StatusTimeout)
	require.Equal(t, 2, g.r.Stats().Connections)
}

// A sender that has found its way once loses it when the URI of the client at its other end expires (RFC 4976 section 6.3), however busy it is.
func TestRFC4976_6_3_ExpiredOnTheWay(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		carol := g.stranger()
		f, err := carol.Auth(within(t), bareHost, "carol", users["carol"], msrp.Header{Name: []byte("Expires"), Value: []byte("60")})
		require.NoError(t, err)
		carol.use, err = f.UsePath()
		require.NoError(t, err)
		dave := g.client("alice")
		dave.talkTo(carol)
		time.Sleep(time.Second / 2) // the URI does not expire in the moment of a SEND
		begun, n := time.Now(), 0
		for ; ; n++ {
			id := fmt.Sprintf("dave%d", n)
			dave.send(id, "hello")
			f := dave.next()
			if f.Status == msrp.StatusNoSession {
				break
			}
			require.Equal(t, msrp.StatusOK, f.Status)
			carol.answer(carol.next(), msrp.StatusOK)
			time.Sleep(time.Second)
		}
		require.Equal(t, time.Minute, time.Since(begun))
		require.Equal(t, 60, n)
		carol.quiet()
	})
}

// An AUTH that goes through the relay to the relay itself is refused, and nobody is dialled for it.
func TestAUTHThroughTheRelayToItself(t *testing.T) {
	abused(t, &Options{Realm: "example.com"}, func(t *testing.T, g *rig, alice, bob *client) {
		carol := g.client("carol")
		for to, want := range map[string]int{
			"msrp://relay.example.com;tcp": msrp.StatusNoSession, "msrp://RELAY.example.com:2855;tcp": msrp.StatusNoSession,
			"msrp://example.com;tcp": msrp.StatusForbidden, "msrp://Example.com;tcp": msrp.StatusForbidden,
		} {
			carol.request("itself", msrp.MethodAuth, carol.use.String()+" "+to, carol.Path.String())
			carol.expect("itself", want)
		}
		require.Len(t, g.n.Wires(), 3)
	})
}

// Nor is one that claims to have come through the relay before.
func TestAUTHFromTheRelayItself(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		carol := g.client("carol")
		carol.Path = join(alice.use, carol.Path)
		carol.request("itself", msrp.MethodAuth, bareHost.String(), carol.Path.String())
		carol.expect("itself", msrp.StatusForbidden)
	})
}

// A nonce that another relay finds too old is no wrong password, however often that happens.
func TestForwardedAUTHWithStaleNonces(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		l, err := g.n.Listen("outer.example.com:2855")
		require.NoError(t, err)
		defer l.Close()
		var outer *client
		carol := g.client("carol")
		try := func(challenge string) {
			carol.request("outer1", msrp.MethodAuth, carol.use.String()+" msrp://outer.example.com:2855;tcp", carol.Path.String(),
				msrp.Header{Name: []byte("Authorization"), Value: []byte("Digest")})
			if outer == nil {
				nc, err := l.Accept()
				require.NoError(t, err)
				outer = &client{Peer: msrptest.PeerOn(nc), g: g}
			}
			f := outer.next()
			require.NoError(t, outer.Send(&msrp.Frame{
				TransactionID: f.TransactionID, Status: msrp.StatusUnauthorized, ToPath: f.FromPath, FromPath: f.ToPath,
				Header: []msrp.Header{{Name: []byte("WWW-Authenticate"), Value: []byte(challenge)}},
			}, nil))
			carol.expect("outer1", msrp.StatusUnauthorized)
		}
		const challenge = `Digest realm="outer.example.com", nonce="n", qop="auth"`
		for range 3 * maxFailures {
			try(challenge + ", stale=true")
		}
		for range maxFailures {
			try(challenge)
		}
		carol.gone()
	})
}
