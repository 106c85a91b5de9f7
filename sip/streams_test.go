package sip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// inMemory is an agent for a bubble at 192.0.2.1, which is closed at the end of the bubble by the caller.
func inMemory(t *testing.T, n *siptest.Network, o *Options) *Agent {
	t.Helper()
	o.Address, o.Dialer = "sip:alice@example.com", n.Host("192.0.2.1")
	a, err := New(o)
	require.NoError(t, err)
	require.NoError(t, a.serveStreams())
	return a
}

// hanging is a Dialer, and a connection, for which nothing ever happens.
type hanging struct{ net.Conn }

func (hanging) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A server that does not take the connection, or says nothing after it did, costs ten seconds, and the error is not that of the caller's context.
func TestDialIsBounded(t *testing.T) {
	for _, network := range []string{"tcp", "tls", "ws", "wss"} {
		synctest.Test(t, func(t *testing.T) {
			n := new(siptest.Network)
			alice := inMemory(t, n, &Options{})
			l, err := n.Host("192.0.2.2").Listen(5060)
			require.NoError(t, err)
			defer l.Close()
			if network == "tcp" {
				alice.streams.dialer = hanging{}
			}
			start := time.Now()
			_, err = alice.streams.dial(t.Context(), hop{network: network, addr: netip.MustParseAddrPort("192.0.2.2:5060")})
			assert.ErrorIs(t, err, ErrTimeout)
			assert.NotErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, dialTimeout, time.Since(start))

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err = alice.streams.dial(ctx, hop{network: network, addr: netip.MustParseAddrPort("192.0.2.2:5060")})
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			require.NoError(t, alice.Close())
		})
	}
}

// Close does not wait for a peer that does not read, on any transport.
func TestCloseWithSilentStreams(t *testing.T) {
	config, now := secured(t, "192.0.2.1"), time.Now()
	config.Time = func() time.Time { return now } // in the bubble it is the year 2000
	for _, network := range []string{"tcp", "tls", "ws", "wss"} {
		synctest.Test(t, func(t *testing.T) {
			n := new(siptest.Network)
			bob := inMemory(t, n, &Options{TLS: config})
			l, err := n.Host("192.0.2.1").Listen(5060)
			require.NoError(t, err)
			require.NoError(t, bob.ListenOn(network, l))
			alice, err := New(&Options{Address: "sip:alice@example.com", TLS: config, Dialer: n.Host("192.0.2.2")})
			require.NoError(t, err)
			require.NoError(t, alice.serveStreams())
			c, err := alice.streams.dial(t.Context(), hop{network: network, addr: netip.MustParseAddrPort("192.0.2.1:5060"), name: "192.0.2.1"})
			require.NoError(t, err)
			synctest.Wait()
			n.Host("192.0.2.2").Unplug()
			start := time.Now()
			require.NoError(t, c.Close())
			assert.Zero(t, time.Since(start), "Close of a connection waits for nothing")
			require.NoError(t, bob.Close())
			require.NoError(t, alice.Close())
			assert.LessOrEqual(t, time.Since(start), 2*goodbyeTime)
		})
	}
}

// A connection that we accepted proves no name: only the dialogs that came over it go back over it.
func TestAcceptedConnectionsServeTheirDialogsOnly(t *testing.T) {
	config := secured(t, "127.0.0.1")
	alice, bob := newTestAgent(t, &Options{TLS: config}), newTestAgent(t, &Options{TLS: config}, "tls")
	p := &pair{alice: alice, bob: bob, aliceMedia: testMedia("alice"), bobMedia: testMedia("bob")}
	p.call(t, "tls")
	contact := p.invitation.request.Contact().Address
	_, err := bob.Invite(testContext(t), contact.String(), testMedia("bob"))
	var op *net.OpError
	require.ErrorAs(t, err, &op, "a call of its own needs a connection of its own, which nobody takes there")
	assert.Equal(t, "dial", op.Op)
	require.NoError(t, p.bobCall.Bye(testContext(t)), "the call that came over it goes on")
	waitDone(t, p.aliceCall.Done())
}

// faulty is a socket whose reads fail at first, the first one badly.
type faulty struct {
	net.PacketConn
	reads atomic.Int32
}

func (f *faulty) ReadFrom(b []byte) (int, net.Addr, error) {
	switch f.reads.Add(1) {
	case 1:
		panic("a bug")
	case 2, 3:
		return 0, nil, errors.New("no buffers")
	}
	return f.PacketConn.ReadFrom(b)
}

// The UDP loop is started again when it ends, and meanwhile requests go out all the same.
func TestUDPLoopRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(siptest.Network)
		alice := inMemory(t, n, &Options{})
		socket, err := n.Host("192.0.2.1").ListenPacket(5060)
		require.NoError(t, err)
		require.NoError(t, alice.ListenPacketOn(&faulty{PacketConn: socket}))
		bob := siptest.NewPeer(t, n.Host("192.0.2.2"))
		done := inviteTo(t.Context(), alice, bob.URI("udp"))
		bob.Respond(bob.Request("INVITE"), "486 Busy Here", "")
		assert.ErrorIs(t, (<-done).err, ErrBusy)
		bob.Close()
		require.NoError(t, alice.Close())
	})
}

// An address that means something on this machine alone can stand in no header field.
func TestZonesAreRefused(t *testing.T) {
	_, err := addrOf(&net.UDPAddr{IP: net.ParseIP("fe80::1"), Port: 5060, Zone: "eth0"})
	assert.ErrorIs(t, err, errPeerAddress)
	_, err = addrOf(&net.UnixAddr{Name: "/tmp/x"})
	assert.ErrorIs(t, err, errPeerAddress)
	ap, err := addrOf(&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 1})
	require.NoError(t, err)
	assert.Equal(t, "192.0.2.1:1", ap.String())
	a := newTestAgent(t, &Options{})
	assert.ErrorContains(t, a.ListenOn("tcp", zoned{}), "of this machine alone")
	_, err = a.Invite(testContext(t), "sip:bob@[fe80::1%25eth0]", testMedia("a"))
	assert.Error(t, err)
}

// zoned is a listener on a link-local address.
type zoned struct{ net.Listener }

func (zoned) Addr() net.Addr { return &net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 1, Zone: "eth0"} }
func (zoned) Close() error   { return nil }

// Datagrams from an address with a zone are dropped, those behind them are read.
func TestPacketsFromZones(t *testing.T) {
	from := []net.Addr{&net.UDPAddr{IP: net.ParseIP("fe80::1"), Port: 1, Zone: "eth0"}, &net.UDPAddr{IP: net.ParseIP("fe80::2"), Port: 2}}
	p := &packets{PacketConn: &scripted{from: from}}
	_, _, err := p.ReadFrom(nil)
	require.NoError(t, err)
	assert.Equal(t, "[fe80::2]:2", p.from.String())
}

type scripted struct {
	net.PacketConn
	from []net.Addr
}

func (s *scripted) ReadFrom([]byte) (int, net.Addr, error) {
	a := s.from[0]
	s.from = s.from[1:]
	return 0, a, nil
}

func (s *scripted) LocalAddr() net.Addr { return &net.UDPAddr{} }
