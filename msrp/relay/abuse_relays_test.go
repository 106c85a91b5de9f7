package relay

import (
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/internal/hop"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// secured is a scripted client of a relay with TLS, with its own URI at a host.
func (g *rig) secured(roots *tls.Config, relay, own string) *client {
	g.Helper()
	nc, err := hop.Dial(within(g), g.n.DialContext, relay+":2855", roots, relay)
	require.NoError(g, err)
	g.Cleanup(func() { nc.Close() })
	c := &client{Peer: msrptest.PeerOn(nc), g: g}
	c.Path = mustPath("msrps://" + own + ".example.com:2855/own;tcp")
	return c
}

// authTo authenticates with the last relay of a path, through those before it.
func (c *client) authTo(user string, relays msrp.Path) msrp.Path {
	c.g.Helper()
	f, err := c.Auth(within(c.g), relays, user, users[user])
	require.NoError(c.g, err)
	require.Equal(c.g, msrp.StatusOK, f.Status)
	use, err := f.UsePath()
	require.NoError(c.g, err)
	return use
}

// behind is a client of one of two relays.
func (g *rig) behind(roots *tls.Config, relay, user string) *client {
	g.Helper()
	c := g.secured(roots, relay+".example.com", user+"."+relay)
	c.use = c.authTo(user, mustPath("msrps://"+relay+".example.com:2855;tcp"))
	return c
}

// A path that leads back and forth between two relays ends at the first of them that is to send a request to where it cannot have come from.
func TestAbuseRelaysInACircle(t *testing.T) {
	for _, mutual := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n, roots, relays := two(t, mutual)
			g := &rig{TB: t, n: n, r: relays["intra.example.com"]}
			intra, extra := mustPath("msrps://intra.example.com:2855;tcp"), mustPath("msrps://extra.example.com:2855;tcp")
			mallory := g.secured(roots, "intra.example.com", "mallory")
			a := mallory.authTo("carol", intra)
			ab := mallory.authTo("carol", join(a, extra))
			require.Len(t, ab, 2)
			b := ab[1:]
			other := g.secured(roots, "extra.example.com", "other")
			c := other.authTo("carol", extra)

			for name, to := range map[string]msrp.Path{
				"there and back":             join(a, b, a, mallory.Path),
				"there and back and there":   join(a, b, a, b, mallory.Path),
				"16 times":                   join(a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, mallory.Path),
				"through another client":     join(a, c, a, c, a, c, a, c, a, mallory.Path),
				"through the relay, unbound": join(a, extra, intra, extra, intra, extra, mallory.Path),
				"to an expired session":      join(a, mustPath("msrps://extra.example.com:2855/gone;tcp"), a, mallory.Path),
			} {
				before := relays["intra.example.com"].Stats().Forwarded + relays["extra.example.com"].Stats().Forwarded
				for _, method := range []string{msrp.MethodSend, msrp.MethodReport, "WINK", msrp.MethodAuth} {
					mallory.request("circle", method, to.String(), mallory.Path.String())
				}
				time.Sleep(time.Minute)
				after := relays["intra.example.com"].Stats().Forwarded + relays["extra.example.com"].Stats().Forwarded
				require.LessOrEqual(t, after-before, int64(4*4), name+": each request and its report three times at most")
				for _, r := range relays {
					require.LessOrEqual(t, r.Stats().Connections, 4, name)
					require.Zero(t, r.Stats().QueuedBytes)
				}
			}
			mallory.talkTo(other) // all of that has cost nothing
			mallory.request("alive1", msrp.MethodSend, join(a, c, other.Path).String(), mallory.Path.String())
			require.Equal(t, join(c, a, mallory.Path).String(), string(other.next().FromPath))
		})
	}
}

// A relay that is reached under two names does not take itself for another relay, though it has the certificate of one: who goes through it to itself gets neither a
// URI for that nor more guesses at passwords.
func TestAbuseRelayIsNoPartnerOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cert, pool := certtest.New(t, "relay.example.com", "example.com")
		roots := &tls.Config{RootCAs: pool}
		g := &rig{TB: t, n: &msrptest.Network{}}
		var err error
		g.r, err = New(&Options{
			Host: "relay.example.com", Realm: "example.com", Authenticator: users, Dialer: g.n, TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}, Relays: pool,
		})
		require.NoError(t, err)
		t.Cleanup(func() { g.r.Close() })
		for _, name := range []string{"relay.example.com:2855", "example.com:2855"} {
			l, err := g.n.Listen(name)
			require.NoError(t, err)
			require.NoError(t, g.r.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert})))
		}
		mallory := g.secured(roots, "relay.example.com", "mallory")
		use := mallory.authTo("carol", mustPath("msrps://relay.example.com:2855;tcp"))
		for i := range 5 {
			f, err := mallory.Auth(within(t), join(use, mustPath("msrps://example.com:2855;tcp")), []string{"alice", "bob", "carol"}[i%3], "guess")
			require.NoError(t, err)
			require.Equal(t, msrp.StatusForbidden, f.Status)
			require.Nil(t, f.Value("Use-Path"))
			time.Sleep(2 * lingerTimeout) // the third ends the connection
		}
		require.Equal(t, 1, g.r.Stats().Sessions)
		for i := range 3 { // and no way round
			mallory.request("round1", msrp.MethodSend, fmt.Sprintf("%s msrps://example.com:2855/x%d;tcp %s %s", use, i, use, mallory.Path), mallory.Path.String())
			mallory.expect("round1", msrp.StatusOK)
			require.Equal(t, "REPORT", string(mallory.next().Method))
			require.LessOrEqual(t, g.holds().Connections, 3)
		}
	})
}

// A URI that was given out over TLS leads nobody to its client without.
func TestAbuseWithoutTLS(t *testing.T) {
	r, n, roots := secure(t, Options{})
	l, err := n.Listen("plain.example.com:2855")
	require.NoError(t, err)
	require.NoError(t, r.Serve(l))
	g := &rig{TB: t, n: n, r: r}
	alice := g.secured(roots, "relay.example.com", "alice")
	use := alice.authTo("alice", mustPath("msrps://relay.example.com:2855;tcp"))
	nc, err := n.DialContext(within(t), "tcp", "plain.example.com:2855")
	require.NoError(t, err)
	defer nc.Close()
	mallory := &client{Peer: msrptest.PeerOn(nc), g: g}
	plain := use[0]
	plain.Secure = false
	for uri, code := range map[msrp.URI]int{use[0]: msrp.StatusForbidden, plain: msrp.StatusNoSession} {
		mallory.request("plain1", msrp.MethodSend, join(msrp.Path{uri}, alice.Path).String(), "msrp://mallory.example.com:2855/x;tcp")
		mallory.expect("plain1", code)
	}
	require.Zero(t, r.Stats().Forwarded)
}

// Two that mean no good, one behind each of two relays, do not take the connection of these for themselves: neither with requests that nobody answers, nor by
// not reading, nor by hanging up.
func TestAbuseSharedConnection(t *testing.T) {
	for name, tt := range map[string]struct {
		method, body string
		reads        bool
	}{
		"no answers":       {msrp.MethodSend, "hello", true},
		"no answer at all": {"WINK", "hello", true},
		"reads nothing":    {msrp.MethodSend, strings.Repeat("x", 2000), false},
		"reads no reports": {msrp.MethodReport, strings.Repeat("x", 2000), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, roots, relays := two(t, true)
				n.Record = -1
				g := &rig{TB: t, n: n, r: relays["intra.example.com"]}
				alice, bob := g.behind(roots, "intra", "alice"), g.behind(roots, "extra", "bob")
				alice.talkTo(bob)
				bob.talkTo(alice)
				mallory, accomplice := g.behind(roots, "intra", "carol"), g.behind(roots, "extra", "carol")
				go io.Copy(io.Discard, mallory.Conn)
				if tt.reads {
					go io.Copy(io.Discard, accomplice.Conn)
				}
				var all strings.Builder
				for i := range 11 {
					from := mallory.Path[0]
					from.SessionID = fmt.Sprint(i)
					all.WriteString(strings.Repeat(wire("flood1", tt.method, join(mallory.use, accomplice.sdp()), msrp.Path{from}, tt.body), 100))
				}
				done := mallory.pour(all.String(), 1)
				time.Sleep(time.Second)
				for range 5 { // the first of them find the connection as mallory wants it
					g.serves(alice, bob)
					time.Sleep(100 * time.Millisecond)
				}
				accomplice.Conn.Close()
				time.Sleep(100 * time.Millisecond)
				g.serves(alice, bob)
				mallory.Conn.Close()
				<-done
				time.Sleep(time.Minute)
				g.serves(alice, bob)
				synctest.Wait()
				for _, r := range relays {
					require.Equal(t, 2, r.Stats().Connections, "the one between them, and a client's")
					require.Zero(t, r.Stats().Unanswered)
					require.Zero(t, r.Stats().QueuedBytes)
				}
			})
		})
	}
}

// Nor do those who ask for URIs where the Authenticator takes its time.
func TestAbuseSharedConnectionAuthFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, roots, relays := two(t, true)
		g := &rig{TB: t, n: n, r: relays["intra.example.com"]}
		s := &lazy{Users: users}
		relays["extra.example.com"].gate.o.Authenticator = s
		alice, bob := g.behind(roots, "intra", "alice"), g.behind(roots, "extra", "bob")
		alice.talkTo(bob)
		bob.talkTo(alice)
		s.takes.Store(int64(time.Hour))
		mallory := g.behind(roots, "intra", "carol")
		go io.Copy(io.Discard, mallory.Conn)
		a := digest.NewClient(&digest.Challenge{Realm: "extra.example.com", Nonce: "x"}, "carol", "guess").Authorization(msrp.MethodAuth, "msrps://extra.example.com:2855;tcp")
		for range 2 * maxLookups {
			mallory.request("flood1", msrp.MethodAuth, mallory.use.String()+" msrps://extra.example.com:2855;tcp", mallory.Path.String(), msrp.Header{Name: []byte("Authorization"), Value: []byte(a)})
		}
		for range 10 {
			g.serves(alice, bob)
			time.Sleep(time.Second)
		}
		require.Len(t, n.Wires(), 4, "and it is not closed for that")
		s.takes.Store(0)
		f, err := alice.Auth(within(t), join(alice.use, mustPath("msrps://extra.example.com:2855;tcp")), "alice", users["alice"])
		require.NoError(t, err)
		require.Equal(t, msrp.StatusOK, f.Status)
	})
}
