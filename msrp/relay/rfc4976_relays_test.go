package relay_test

import (
	"crypto/tls"
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

// Rules of RFC 4976 about relays that know each other by their certificates, or do not.

// chained is alice behind intra.example.com and extra.example.com, which has its certificate to show if known is true, and the URIs of both.
func chained(t testing.TB, known bool) (f *federation, alice *end, intra, extra string) {
	f = newFederation(t, "intra.example.com", "extra.example.com", "other.example.com")
	f.relay("intra.example.com", known)
	f.relay("extra.example.com", true)
	alice = f.client("intra.example.com", "msrps://alice.example.com:9892/98cjs;tcp")
	alice.auth("alice", "msrps://intra.example.com:9000;tcp")
	intra = alice.path
	alice.auth("alice", intra+" msrps://extra.example.com:9000;tcp")
	path, err := msrp.ParsePath(alice.path)
	require.NoError(t, err)
	require.Len(t, path, 2)
	return f, alice, intra, path[1].String()
}

// A URI for a relay with a certificate is valid on every connection with it, so also on a new one. That of one without a certificate is not: the relay
// is a client, and its URI gone with its connection.
func TestRFC4976_6_3_AnyConnectionOfARelay(t *testing.T) {
	for _, known := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f, alice, intra, extra := chained(t, known)
			for _, w := range f.n.Wires()[1:] {
				w.Reset() // what intra has dialled
			}
			synctest.Wait()
			before := len(f.n.Wires())
			peer := f.client("extra.example.com", "msrps://bob.example.net:8145/foo;tcp")
			peer.send("abcd", extra+" "+intra+" "+alice.uri, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
			if known {
				require.Equal(t, msrp.StatusOK, peer.next().Status)
				require.Equal(t, "msg1", string(alice.next().MessageID), "extra has dialled intra")
				require.Len(t, f.n.Wires(), before+2)
			} else {
				require.Equal(t, msrp.StatusNoSession, peer.next().Status)
				alice.quiet()
				require.Len(t, f.n.Wires(), before+1, "nobody was dialled")
			}
		})
	}
}

// Section 5.1: Use-Path has the relays in the order of the client's To-Path, which is not that of the From-Path that the last one sees.
func TestRFC4976_5_1_UsePathOfThreeRelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := []string{"r1.example.com", "r2.example.com", "r3.example.com"}
		f := newFederation(t, hosts...)
		for _, host := range hosts {
			f.relay(host, true)
		}
		alice := f.client(hosts[0], "msrps://alice.example.com:9892/98cjs;tcp")
		for i, host := range hosts {
			before := alice.path
			alice.auth("alice", strings.TrimSpace(before+" msrps://"+host+":9000;tcp"))
			require.True(t, strings.HasPrefix(alice.path, before))
			require.Len(t, strings.Fields(alice.path), i+1)
			require.Contains(t, strings.Fields(alice.path)[i], host)
		}
	})
}

// Section 9.2: who only says that it comes from a relay gets nothing that is for that relay.
func TestRFC4976_9_2_PretendedRelay(t *testing.T) {
	for _, certificate := range []string{"", "other.example.com"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFederation(t, "a.example.org", "b.example.net", "other.example.com")
			f.relay("a.example.org", true)
			f.relay("b.example.net", true)
			alice, bob := f.client("a.example.org", "msrps://alice.example.org:7965/bar;tcp"), f.client("b.example.net", "msrps://bob.example.net:8145/foo;tcp")
			alice.auth("alice", "msrps://a.example.org:9000;tcp")
			bob.auth("bob", "msrps://b.example.net:9000;tcp")
			name := f.clientAs(certificate, "a.example.org", bob.path)
			name.auth("carol", "msrps://a.example.org:9000;tcp") // as a user
			mallory := f.clientAs(certificate, "a.example.org", bob.path+" "+bob.uri)
			mallory.send("abcd", alice.path+" "+alice.uri, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
			mallory.frames()
			alice.frames()
			alice.send("abce", alice.path+" "+bob.path+" "+bob.uri, "y", msrp.Complete, "Message-ID: msg2", "Byte-Range: 1-1/1")
			require.Equal(t, "msg2", string(bob.next().MessageID))
			mallory.quiet()
			name.quiet()
		})
	}
}

// Section 6.3: a certificate must be for the host of the first From-Path URI. Who has none, or comes without a relay, is asked for its password.
func TestRFC4976_6_3_CertificateOfThePreviousHop(t *testing.T) {
	for name, test := range map[string]struct {
		certificate, from string
		status            int
	}{
		"its own":         {"other.example.com", "msrps://other.example.com:9000/o;tcp msrps://alice.example.com:1/a;tcp", 401},
		"another's":       {"other.example.com", "msrps://intra.example.com:9000/o;tcp msrps://alice.example.com:1/a;tcp", 403},
		"none":            {"", "msrps://other.example.com:9000/o;tcp msrps://alice.example.com:1/a;tcp", 401},
		"a client's":      {"other.example.com", "msrps://alice.example.com:1/a;tcp", 401},
		"a client's name": {"other.example.com", "msrps://other.example.com:1/a;tcp", 401},
		"untrusted":       {"unknown.example.com", "msrps://unknown.example.com:9000/o;tcp msrps://alice.example.com:1/a;tcp", 401},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFederation(t, "extra.example.com", "other.example.com")
				f.certs["unknown.example.com"], _ = certtest.New(t, "unknown.example.com")
				f.relay("extra.example.com", true)
				e := f.clientAs(test.certificate, "extra.example.com", test.from)
				e.write("abcd", "AUTH", "msrps://extra.example.com:9000;tcp", test.from)
				require.Equal(t, test.status, e.next().Status)
			})
		})
	}
}

// Section 9.2: a client may have a certificate, which does not replace its password, nor is its URI valid on another connection with the same one.
func TestRFC4976_9_2_ClientCertificatesAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFederation(t, "extra.example.com", "other.example.com")
		f.relay("extra.example.com", true)
		l, err := f.n.Listen("bob.example.net:8145")
		require.NoError(t, err)
		defer l.Close()
		alice := f.clientAs("other.example.com", "extra.example.com", "msrps://other.example.com:1/a;tcp")
		alice.auth("alice", "msrps://extra.example.com:9000;tcp")
		again := f.clientAs("other.example.com", "extra.example.com", "msrps://other.example.com:1/a;tcp")
		again.send("abcd", alice.path+" msrp://bob.example.net:8145/foo;tcp", "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
		synctest.Wait()
		require.Len(t, f.n.Wires(), 2, "nobody was dialled")
	})
}

// Section 9.4: a URI for a chain takes nobody anywhere but to and from the relay of that chain.
func TestRFC4976_9_4_ChainsURI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, alice, _, extra := chained(t, true)
		l, err := f.n.Listen("victim.example.org:9000")
		require.NoError(t, err)
		defer l.Close()
		carol := f.client("intra.example.com", "msrps://carol.example.com:1/c;tcp")
		carol.auth("carol", "msrps://intra.example.com:9000;tcp")
		before := len(f.n.Wires())
		for _, rest := range []string{"msrps://victim.example.org:9000/v;tcp", "msrps://victim.example.org:9000/v;tcp " + alice.uri, carol.path + " " + carol.uri, alice.uri} {
			mallory := f.client("extra.example.com", "msrps://mallory.example.net:1/m;tcp")
			mallory.send("abcd", extra+" "+rest, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
			synctest.Wait()
			before++ // mallory's own
			require.Len(t, f.n.Wires(), before, "nobody was dialled")
		}
		carol.quiet()
		alice.quiet()
	})
}

// Section 6.3: of a chain's client wrong credentials end its own connection, as those for the first relay do, and not the one between the relays.
func TestRFC4976_6_3_FailedAUTHsAreForwarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFederation(t, "intra.example.com", "extra.example.com")
		f.relay("intra.example.com", true)
		f.relay("extra.example.com", true)
		alice, carol := f.client("intra.example.com", "msrps://alice.example.com:9892/98cjs;tcp"), f.client("intra.example.com", "msrps://carol.example.com:1/c;tcp")
		carol.auth("carol", "msrps://intra.example.com:9000;tcp")
		carol.auth("carol", carol.path+" msrps://extra.example.com:9000;tcp")
		alice.auth("alice", "msrps://intra.example.com:9000;tcp")
		to := alice.path + " msrps://extra.example.com:9000;tcp"
		alice.write("abcd", "AUTH", to, alice.uri)
		challenge := alice.next()
		tries := 0
		for ; !alice.closed(); tries++ {
			require.Less(t, tries, 10)
			if next := alice.wrong(challenge, to); next != nil {
				challenge = next
			}
		}
		require.Greater(t, tries, 1)
		require.False(t, carol.closed())
		carol.auth("carol", "msrps://intra.example.com:9000;tcp")
		carol.auth("carol", carol.path+" msrps://extra.example.com:9000;tcp")
		require.Len(t, f.n.Wires(), 3, "two clients, and the two relays with each other as before")
	})
}

// Section 9.2: between relays there is TLS. So what goes to an msrp URI with others behind it goes nowhere, unless Options.AllowTCP is set; an endpoint without a relay
// may do without TLS.
func TestRFC4976_9_2_TLSBetweenRelays(t *testing.T) {
	const endpoint, behind = "msrp://bob.example.net:8145/foo;tcp", "msrp://b.example.net:8145/b;tcp msrp://bob.example.net:8145/foo;tcp"
	for to, address := range map[string]string{endpoint: "bob.example.net:8145", behind: "b.example.net:8145"} {
		for _, allowed := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				n := &msrptest.Network{}
				l, err := n.Listen(address)
				require.NoError(t, err)
				defer l.Close()
				f := newFederation(t, "a.example.org")
				f.n = n
				r := start(t, n, "a.example.org:9000", func(o *relay.Options) { o.AllowTCP = allowed })
				tl, err := n.Listen("a.example.org:9000")
				require.NoError(t, err)
				require.NoError(t, r.Serve(tls.NewListener(tl, f.server("a.example.org"))))
				alice := f.client("a.example.org", "msrps://alice.example.com:9892/98cjs;tcp")
				alice.auth("alice", "msrps://a.example.org:9000;tcp")
				alice.send("abcd", alice.path+" "+to, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
				answer := alice.next()
				if to == behind && !allowed {
					require.Equal(t, msrp.StatusForbidden, answer.Status)
					require.Len(t, n.Wires(), 1, "nobody was dialled")
					return
				}
				require.Equal(t, msrp.StatusOK, answer.Status)
				require.Len(t, n.Wires(), 2)
				frames, err := n.Wires()[1].ToPassive.Frames()
				require.NoError(t, err)
				require.Len(t, frames, 1)
				require.Equal(t, "x", string(frames[0].Body))
			})
		}
	}
}

// Section 9.2: the next hop's certificate is for the host of its URI. Otherwise it gets nothing, and the sender is told.
func TestRFC4976_9_2_CertificateOfTheNextHop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFederation(t, "a.example.org", "b.example.net")
		f.relay("a.example.org", true)
		l, err := f.n.Listen("victim.example.org:9000")
		require.NoError(t, err)
		defer l.Close()
		stolen := tls.NewListener(l, f.server("b.example.net"))
		read := make(chan error, 1)
		go func() {
			nc, err := stolen.Accept()
			if err == nil {
				_, err = nc.Read(make([]byte, 1))
			}
			read <- err
		}()
		alice := f.client("a.example.org", "msrps://alice.example.org:7965/bar;tcp")
		alice.auth("alice", "msrps://a.example.org:9000;tcp")
		alice.send("abcd", alice.path+" msrps://victim.example.org:9000/v;tcp msrps://bob.example.net:8145/foo;tcp", "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
		require.Error(t, <-read)
		time.Sleep(time.Minute)
		news := alice.frames()
		require.NotEmpty(t, news)
		last := news[len(news)-1]
		require.Equal(t, "REPORT", string(last.Method))
		require.Equal(t, "msg1", string(last.MessageID))
	})
}

// RFC 4975 section 5.4: who knows the URIs of a session cannot take it over from another connection.
func TestRFC4975_5_4_OtherConnectionOfAPeer(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
		alice, bob, mallory := dial(t, r, aliceURI), dial(t, r, bobURI), dial(t, r, bobURI)
		alice.auth("alice", relayURI)
		for i, e := range []*end{bob, mallory} {
			e.send("abcd", alice.path+" "+aliceURI, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
			require.Equal(t, []int{msrp.StatusOK, msrp.StatusSessionInUse}[i], e.next().Status)
		}
		require.Equal(t, "msg1", string(alice.next().MessageID))
		alice.send("abcd", alice.path+" "+bobURI, "y", msrp.Complete, "Message-ID: msg2", "Byte-Range: 1-1/1")
		require.Equal(t, "msg2", string(bob.next().MessageID))
		mallory.quiet()
	})
}
