package relay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
	"github.com/otrchat/otrchat/msrp/relay"
)

// asked has alice send a NICKNAME to bob, and returns bob's connection with the request.
func asked(t *testing.T, alice *end, bob func() *end) (*end, *msrptest.Frame) {
	t.Helper()
	alice.write("d93k", "NICKNAME", alice.path+" "+bobURI, aliceURI, `Use-Nickname: "Alice the great"`)
	peer := bob()
	return peer, peer.next()
}

// The response to a request other than SEND comes back all the way, with the identifier that its sender knows.
func TestRFC4976_6_4_3_ComesBack(t *testing.T) {
	withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
		peer, f := asked(t, alice, bob)
		require.NotEqual(t, "d93k", string(f.TransactionID))
		peer.answer(f, "425 Reserved", "X-New: 1")
		got := alice.next()
		require.Equal(t, "d93k", string(got.TransactionID))
		require.Equal(t, "MSRP ID 425 Reserved\nTo-Path: ALICE\nFrom-Path: RELAY BOB\nX-New: 1\n-------ID$\n", text(t, got, alice.names()...))
		peer.answer(f, "200 OK")
		alice.quiet() // that transaction is over
	})
}

// A response that is not for the relay, or for no transaction of that connection, or on another path, is dropped; the connection stays.
func TestRFC4976_6_4_3_Dropped(t *testing.T) {
	const other = "msrp://other.example.com:2855/x;tcp"
	for name, response := range map[string]func(peer *end, id, relay string){
		"for another relay":        func(p *end, id, _ string) { p.write(id, "200 OK", other+" "+aliceURI, bobURI) },
		"for the client itself":    func(p *end, id, _ string) { p.write(id, "200 OK", aliceURI, bobURI) },
		"an unknown transaction":   func(p *end, _, r string) { p.write("none", "200 OK", r+" "+aliceURI, bobURI) },
		"the client's transaction": func(p *end, _, r string) { p.write("d93k", "200 OK", r+" "+aliceURI, bobURI) },
		"without From-Path": func(p *end, id, r string) {
			p.raw(fmt.Sprintf("MSRP %s 200 OK\r\nTo-Path: %s %s\r\n-------%[1]s$\r\n", id, r, aliceURI))
		},
		"a To-Path that is none": func(p *end, id, r string) { p.write(id, "200 OK", "x", bobURI) },
	} {
		t.Run(name, func(t *testing.T) {
			withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
				peer, f := asked(t, alice, bob)
				response(peer, string(f.TransactionID), alice.path)
				alice.quiet()
				if name == "without From-Path" {
					return // it need not be the end of the connection, but may
				}
				require.False(t, peer.closed())
				peer.answer(f, "200 OK")
				require.Equal(t, msrp.StatusOK, alice.next().Status, "the right one still comes")
			})
		})
	}
}

// Nor does a response to a request come over another connection than the request went, not even over one on which as many requests wait for theirs.
func TestRFC4976_6_4_3_OnlyOnItsConnection(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		const malloryURI = "msrp://mallory.example.com:1/m;tcp"
		accept, acceptMallory := listen(t, n, "bob.example.com:8145", bobURI), listen(t, n, "mallory.example.com:1", malloryURI)
		alice := dial(t, r, aliceURI)
		alice.auth("alice", relayURI)
		_, f := asked(t, alice, accept)
		alice.write("d93m", "NICKNAME", alice.path+" "+malloryURI, aliceURI)
		mallory := acceptMallory()
		require.Equal(t, "NICKNAME", string(mallory.next().Method))
		mallory.answer(f, "200 OK")
		alice.quiet()
	})
}

// A response completes its transaction: neither a second one nor the timer does anything.
func TestRFC4976_6_4_3_CompletesTheTransaction(t *testing.T) {
	withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
		peer, f := alice.message("6aef", bob)
		alice.frames()
		time.Sleep(29 * time.Second)
		peer.answer(f, "200 OK")
		peer.answer(f, "481 No such session")
		time.Sleep(time.Minute)
		alice.quiet()
	})
}

// A response to a SEND ends at the relay, whatever its To-Path says.
func TestRFC4976_6_4_3_ResponsesToSENDsStay(t *testing.T) {
	withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
		peer, f := alice.message("6aef", bob)
		alice.frames()
		peer.write(string(f.TransactionID), "200 OK", string(f.FromPath), bobURI)
		alice.quiet()
	})
}

// A response for a connection that is closed is discarded, and nobody is dialled for it.
func TestRFC4976_6_4_3_ClosedConnection(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		l, err := n.Listen("alice.example.com:9892")
		require.NoError(t, err)
		defer l.Close()
		accept := listen(t, n, "bob.example.com:8145", bobURI)
		alice := dial(t, r, aliceURI)
		alice.auth("alice", relayURI)
		peer, f := asked(t, alice, accept)
		require.NoError(t, alice.nc.Close())
		peer.answer(f, "200 OK")
		peer.quiet()
		require.Len(t, n.Wires(), 1, "the one to bob")
	})
}
