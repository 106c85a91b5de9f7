package relay

import (
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// accept makes a listening peer a scripted client of g's.
func (g *rig) accept(p *msrptest.Peer) *client {
	require.NoError(g, p.Accept(within(g)))
	return &client{Peer: p, g: g}
}

// The relay dials an endpoint that has no relay, and brings its requests back on the same connection.
func TestForwardsToAnEndpoint(t *testing.T) {
	g := newRig(t, nil)
	alice, peer := g.client("alice"), msrptest.NewPeer(t, g.n)
	alice.Remote = join(alice.use, peer.Path)
	for _, id := range []string{"first1", "second"} { // before the connection is there, too
		alice.send(id, "hello")
		alice.expect(id, msrp.StatusOK)
	}
	bob := g.accept(peer)
	require.Equal(t, join(alice.use, alice.Path), bob.Remote)
	f := bob.next()
	require.Equal(t, "msecond", string(f.MessageID))
	bob.send("third1", "hello, Alice")
	bob.expect("third1", msrp.StatusOK)
	f = alice.next()
	require.Equal(t, join(alice.use, bob.Path).String(), string(f.FromPath))
	require.Len(t, g.n.Wires(), 2)
}

// An endpoint without a relay connects to that of its peer, and is answered on this connection and no other.
func TestEndpointConnects(t *testing.T) {
	g := newRig(t, nil)
	alice, bob := g.client("alice"), g.stranger()
	bob.talkTo(alice)
	alice.talkTo(bob)
	bob.send("first1", "hello")
	bob.expect("first1", msrp.StatusOK)
	f := alice.next()
	require.Equal(t, "hello", string(f.Body))
	alice.answer(f, msrp.StatusOK)
	alice.send("second", "hello, Bob")
	alice.expect("second", msrp.StatusOK)
	f = bob.next()
	require.Equal(t, "hello, Bob", string(f.Body))
	bob.answer(f, msrp.StatusOK)

	impostor := g.stranger()
	impostor.Path = bob.Path
	impostor.talkTo(alice)
	impostor.send("third1", "me too")
	impostor.expect("third1", msrp.StatusSessionInUse)
	require.NoError(t, bob.Conn.Close())
	require.Eventually(t, func() bool { return g.r.Stats().Connections == 2 }, time.Minute, time.Millisecond)
	impostor.send("fourth", "I am back")
	impostor.expect("fourth", msrp.StatusOK)
	require.Equal(t, "I am back", string(alice.next().Body))
}

// What cannot be delivered is reported.
func TestNextHopIsNotThere(t *testing.T) {
	g := newRig(t, nil)
	alice := g.client("alice")
	alice.Remote = join(alice.use, mustPath("msrp://nowhere.example.com:2855/x;tcp"))
	alice.send("first1", "hello")
	f := alice.next()
	if f.Status != msrp.StatusTimeout { // it was accepted before the connection was refused: a 200 and a REPORT, in any order
		g := alice.next()
		if f.Status == 0 {
			f, g = g, f
		}
		require.Equal(t, msrp.StatusOK, f.Status)
		require.Equal(t, "000 408 Timeout", string(g.StatusHeader))
		require.Equal(t, "mfirst1", string(g.MessageID))
	}
	alice.Remote = join(alice.use, mustPath("msrps://nowhere.example.com:2855/x;tcp"))
	alice.send("second", "hello")
	alice.expect("second", msrp.StatusForbidden) // without Options.TLS
	alice.Remote = join(alice.use, mustPath("msrp://nowhere.example.com/x;tcp"))
	alice.send("third1", "hello")
	alice.expect("third1", msrp.StatusBadRequest)
}

// A next hop that does not answer in 30 s is reported, counted from the last byte written.
func TestRFC4976_6_4_1_Timer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		alice, bob := g.pair()
		for _, way := range []struct {
			report string
			want   bool
		}{{"", true}, {"yes", true}, {"partial", false}, {"no", false}} {
			start := time.Now()
			require.NoError(t, alice.Send(&msrp.Frame{
				TransactionID: []byte("first1"), MessageID: []byte("m1"), FailureReport: []byte(way.report), ContentType: []byte("text/plain"), ByteRange: msrp.ByteRange{Start: 4, End: 8, Total: 10},
			}, []byte("hello")))
			bob.next()
			if !way.want {
				time.Sleep(time.Minute)
				synctest.Wait()
				require.Zero(t, g.r.Stats().Unanswered)
				continue
			}
			alice.expect("first1", msrp.StatusOK)
			require.Zero(t, time.Since(start))
			f := alice.next()
			require.Equal(t, "000 408 Timeout", string(f.StatusHeader))
			require.Equal(t, msrp.ByteRange{Start: 4, End: 8, Total: 10}, f.ByteRange)
			require.Equal(t, 30*time.Second, time.Since(start))
		}
		g.r.Close()
	})
}

// A connection that is lost is reported at once.
func TestNextHopIsLost(t *testing.T) {
	g := newRig(t, nil)
	alice, bob := g.pair()
	alice.send("first1", "hello")
	alice.expect("first1", msrp.StatusOK)
	bob.next()
	require.NoError(t, bob.Conn.Close())
	require.Equal(t, "000 408 Timeout", string(alice.next().StatusHeader))
	alice.send("second", "hello")
	alice.expect("second", msrp.StatusNoSession) // the URI was good for that connection only (RFC 4976 section 6.3)
}

// two are two relays with TLS on one network, which know each other by their certificates if mutual.
func two(t testing.TB, mutual bool) (n *msrptest.Network, roots *tls.Config, relays map[string]*Relay) {
	t.Helper()
	cert1, pool := certtest.New(t, "intra.example.com")
	cert2, _ := certtest.New(t, "extra.example.com")
	pool.AddCert(cert2.Leaf)
	n, roots, relays = &msrptest.Network{}, &tls.Config{RootCAs: pool}, map[string]*Relay{}
	for host, cert := range map[string]tls.Certificate{"intra.example.com": cert1, "extra.example.com": cert2} {
		o := Options{Host: host, Authenticator: users, Dialer: n, TLS: roots.Clone(), Relays: pool}
		server := &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true, ClientAuth: tls.RequestClientCert}
		if mutual {
			o.TLS.Certificates = server.Certificates
		}
		r, err := New(&o)
		require.NoError(t, err)
		t.Cleanup(func() { r.Close() })
		l, err := n.Listen(host + ":2855")
		require.NoError(t, err)
		require.NoError(t, r.Serve(tls.NewListener(l, server)))
		relays[host] = r
	}
	return n, roots, relays
}

// chained is a session behind both relays.
func chained(t testing.TB, n *msrptest.Network, roots *tls.Config, user string, hosts ...string) *msrp.Session {
	t.Helper()
	e, err := msrp.New(&msrp.Options{Host: user + ".example.com", TLS: roots, Dialer: n})
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	var o *msrp.RelayOptions
	for i := len(hosts) - 1; i >= 0; i-- {
		o = &msrp.RelayOptions{URI: "msrps://" + hosts[i] + ":2855;tcp", Username: user, Password: users[user], Next: o}
	}
	way, err := e.DialRelay(within(t), o)
	require.NoError(t, err)
	s, err := e.NewSession(&msrp.SessionOptions{Relay: way, Secure: true})
	require.NoError(t, err)
	return s
}

// Alice is behind two relays, Bob behind the outer one or behind both, the other way round.
func TestChains(t *testing.T) {
	for _, mutual := range []bool{true, false} {
		for name, hosts := range map[string][]string{
			"same relay":  {"extra.example.com"},
			"other relay": {"intra.example.com"},
			"both":        {"intra.example.com", "extra.example.com"},
			"crossed":     {"extra.example.com", "intra.example.com"},
		} {
			t.Run(map[bool]string{true: "mutual ", false: "one-sided "}[mutual]+name, func(t *testing.T) {
				n, roots, _ := two(t, mutual)
				alice := chained(t, n, roots, "alice", "intra.example.com", "extra.example.com")
				require.Len(t, alice.LocalPath(), 3)
				bob := chained(t, n, roots, "bob", hosts...)
				connected := make(chan error, 1)
				go func() { connected <- bob.Connect(within(t), alice.LocalPath(), msrp.Passive, nil) }()
				require.NoError(t, alice.Connect(within(t), bob.LocalPath(), msrp.Active, nil))
				require.NoError(t, <-connected)
				for _, way := range []struct{ from, to *msrp.Session }{{alice, bob}, {bob, alice}} {
					d, err := way.from.Send(within(t), &msrp.Message{ContentType: "text/plain", Body: []byte("hello"), SuccessReport: true})
					require.NoError(t, err)
					m, err := way.to.Receive(within(t))
					require.NoError(t, err)
					require.Equal(t, "hello", string(m.Body))
					require.NoError(t, d.Wait(within(t)))
				}
			})
		}
	}
}
