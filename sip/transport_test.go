package sip

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// largeMedia makes an INVITE, and the answer to one, larger than 1300 bytes.
func largeMedia(id string) *Media {
	m := testMedia(id)
	for range 20 {
		m.AcceptTypes = append(m.AcceptTypes, "application/"+strings.Repeat("x", 60))
	}
	return m
}

// Nobody takes TCP at the peer's address, so the large INVITE comes as a datagram all the same.
func TestRFC3261_18_1_1_LargeRequestWithoutTCP(t *testing.T) {
	alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
	done := make(chan error, 1)
	go func() {
		_, err := alice.Invite(testContext(t), carol.target(), largeMedia("alice"))
		done <- err
	}()
	invite := carol.request(gosip.INVITE)
	assert.Greater(t, len(invite.String()), maxDatagram)
	assert.Equal(t, "UDP", invite.Via().Transport)
	assert.Len(t, invite.GetHeaders("Via"), 1)
	assert.Equal(t, "udp", param(invite.Contact().Address.UriParams, "transport"))
	carol.respond(invite, 486, "")
	var refused *StatusError
	require.ErrorAs(t, <-done, &refused)
	assert.Equal(t, 486, refused.Code)
}

// A response goes the way of its request, however large it is.
func TestRFC3261_18_2_2_LargeResponseOverUDP(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	u.write("INVITE", 1, withSDP(peerOffer))
	i, err := bob.Accept(testContext(t))
	require.NoError(t, err)
	m := largeMedia("bob")
	done := make(chan error, 1)
	go func() {
		_, err := i.Answer(testContext(t), m)
		done <- err
	}()
	res := u.final(gosip.INVITE)
	assert.Equal(t, 200, res.StatusCode)
	assert.Greater(t, len(res.Body()), maxDatagram)
	u.toTag = toTag(res)
	u.write("ACK", 1, "")
	require.NoError(t, <-done)
}

// What the topmost Via says of the source is checked and filled in by us.
func TestRFC3581_4_ReceivedAndRport(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp", "tcp")
	for _, c := range []struct{ name, sentBy, params, received, rport string }{
		{"address of the packet", "127.0.0.1:PP", "", "", ""},
		{"another address", "192.0.2.1:PP", "", "127.0.0.1", ""},
		{"a name", "client.example.com:PP", "", "127.0.0.1", ""},
		{"rport", "192.0.2.1", ";rport", "127.0.0.1", "PP"},
		{"rport in capitals", "192.0.2.1", ";RPORT", "127.0.0.1", "PP"},
		{"rport at the right address", "127.0.0.1", ";rport", "127.0.0.1", "PP"},
		{"claims of the peer's", "192.0.2.1", ";received=192.0.2.2;rport=9", "127.0.0.1", "PP"},
		{"a claim at the right address", "127.0.0.1:PP", ";received=192.0.2.2", "", ""},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(c.name+" "+network, func(t *testing.T) {
				ap, _ := bob.listensOn(network)
				conn, err := net.Dial(network, ap.String())
				require.NoError(t, err)
				defer conn.Close()
				_, port, err := net.SplitHostPort(conn.LocalAddr().String())
				require.NoError(t, err)
				with := strings.NewReplacer("PP", port).Replace
				_, err = fmt.Fprintf(conn, "OPTIONS sip:bob@x SIP/2.0\r\nVia: SIP/2.0/X %s;branch=z9hG4bK%s%s\r\nFrom: <sip:c@x>;tag=1\r\n"+
					"To: <sip:bob@x>\r\nCall-ID: %[2]s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", with(c.sentBy), newID(), with(c.params))
				require.NoError(t, err)
				require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
				buf := make([]byte, 4096)
				n, err := conn.Read(buf)
				require.NoError(t, err)
				msg, err := gosip.ParseMessage(buf[:n])
				require.NoError(t, err)
				via := msg.Via()
				assert.Equal(t, c.received, param(via.Params, "received"))
				assert.Equal(t, with(c.rport), param(via.Params, "rport"))
			})
		}
	}
}

// An agent without a listener calls over a connection that it opens, and the callee's requests come back over it.
func TestCallWithoutListener(t *testing.T) {
	alice, bob := newTestAgent(t, &Options{Address: "sip:alice@example.com"}), newTestAgent(t, &Options{}, "tcp")
	p := &pair{alice: alice, bob: bob, aliceMedia: testMedia("alice"), bobMedia: testMedia("bob")}
	p.call(t, "tcp")
	c := bob.sourceOf(p.invitation.request).stream
	require.NotNil(t, c)
	assert.Equal(t, "sip:alice@"+c.peer.addr.String()+";transport=tcp", p.invitation.request.Contact().Address.String())
	require.NoError(t, p.bobCall.Bye(testContext(t)))
	waitDone(t, p.aliceCall.Done())
	assert.ErrorIs(t, p.aliceCall.Err(), ErrEnded)

	p.call(t, "tcp")
	_ = alice.streams.find(hop{network: "tcp", addr: listenAddr(t, bob, "tcp")}).Close()
	require.NoError(t, p.aliceCall.Bye(testContext(t)), "the connection of the dialog is gone: it is opened again")
	waitDone(t, p.bobCall.Done())
}

// A socket on the wildcard address of both families names itself by the address that faces the peer.
func TestWildcardOfBothFamilies(t *testing.T) {
	config := secured(t, "127.0.0.1", "::1")
	for _, network := range allNetworks {
		for _, host := range []string{"127.0.0.1", "::1"} {
			t.Run(network+" "+host, func(t *testing.T) {
				alice, bob := newTestAgent(t, &Options{TLS: config}), newTestAgent(t, &Options{TLS: config})
				_, err := alice.Listen(testContext(t), network, ":0")
				require.NoError(t, err)
				_, err = bob.Listen(testContext(t), network, net.JoinHostPort(host, "0"))
				require.NoError(t, err)
				done := inviteTo(testContext(t), alice, target(t, bob, network))
				i, err := bob.Accept(testContext(t))
				require.NoError(t, err)
				assert.Equal(t, host, strings.Trim(i.request.Contact().Address.Host, "[]"))
				assert.Equal(t, host, i.request.Via().Host)
				assert.Equal(t, int(listenAddr(t, alice, network).Port()), i.request.Contact().Address.Port)
				require.NoError(t, i.Reject(testContext(t), 486, ""))
				assert.ErrorIs(t, (<-done).err, ErrBusy)
			})
		}
	}
}

func listenAddr(t *testing.T, a *Agent, network string) netip.AddrPort {
	t.Helper()
	ap, ok := a.listensOn(network)
	require.True(t, ok)
	return ap
}
