package sip

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type invited struct {
	call *Call
	err  error
}

// inviteTo calls in the background.
func inviteTo(ctx context.Context, a *Agent, target string) <-chan invited {
	done := make(chan invited, 1)
	go func() {
		c, err := a.Invite(ctx, target, testMedia("alice"))
		done <- invited{c, err}
	}()
	return done
}

func TestReject(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		alice, bob := newTestAgent(t, &Options{}, network), newTestAgent(t, &Options{}, network)
		done := inviteTo(testContext(t), alice, target(t, bob, network))
		i, err := bob.Accept(testContext(t))
		require.NoError(t, err)
		require.NoError(t, i.Ring(testContext(t)))
		assert.Error(t, i.Reject(testContext(t), 200, "OK"))
		assert.Error(t, i.Reject(testContext(t), 603, "a\r\nX: y"))
		require.NoError(t, i.Reject(testContext(t), 603, "Not now"))
		r := <-done
		var status *StatusError
		require.ErrorAs(t, r.err, &status)
		assert.Equal(t, &StatusError{603, "Not now"}, status)
		assert.Equal(t, `sip: the peer answered 603 "Not now"`, status.Error())
		waitDone(t, i.Done())
		assert.ErrorIs(t, i.Reject(testContext(t), 486, ""), ErrAnswered)
		assert.ErrorIs(t, i.Ring(testContext(t)), ErrAnswered)
		_, err = i.Answer(testContext(t), testMedia("bob"))
		assert.ErrorIs(t, err, ErrAnswered)
	})
}

func TestCancel(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		alice, bob := newTestAgent(t, &Options{}, network), newTestAgent(t, &Options{}, network)
		ctx, cancel := context.WithCancel(testContext(t))
		done := inviteTo(ctx, alice, target(t, bob, network))
		i, err := bob.Accept(testContext(t))
		require.NoError(t, err)
		require.NoError(t, i.Ring(testContext(t)))
		cancel()
		assert.ErrorIs(t, (<-done).err, context.Canceled)
		waitDone(t, i.Done())
		assert.ErrorIs(t, i.Err(), ErrCanceled)
		_, err = i.Answer(testContext(t), testMedia("bob"))
		assert.ErrorIs(t, err, ErrCanceled)
	})
}

// A CANCEL waits for a provisional response, and repeats Via, To, CSeq number and Route of the INVITE.
func TestRFC3261_9_1_CancelWaitsForAProvisional(t *testing.T) {
	alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
	ctx, cancel := context.WithCancel(testContext(t))
	done := inviteTo(ctx, alice, carol.target())
	invite := carol.request(gosip.INVITE)
	cancel()
	require.ErrorIs(t, (<-done).err, context.Canceled)
	carol.none(100*time.Millisecond, func(m gosip.Message) bool {
		r, ok := m.(*gosip.Request)
		return ok && r.IsCancel()
	})
	carol.respond(invite, 180, "")
	c := carol.request(gosip.CANCEL)
	assert.Equal(t, invite.Via().Value(), c.Via().Value())
	assert.Equal(t, invite.CSeq().SeqNo, c.CSeq().SeqNo)
	assert.Equal(t, invite.Recipient.String(), c.Recipient.String())
	assert.Equal(t, invite.To().Value(), c.To().Value())
	assert.Len(t, c.GetHeaders("Via"), 1)
	carol.respond(c, 200, "")
	carol.respond(invite, 487, "")
	carol.request(gosip.ACK)
}

// The 200 crosses the CANCEL: it is acknowledged and the call hung up.
func TestRFC3261_9_1_AnswerCrossesCancel(t *testing.T) {
	alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
	ctx, cancel := context.WithCancel(testContext(t))
	done := inviteTo(ctx, alice, carol.target())
	invite := carol.request(gosip.INVITE)
	carol.respond(invite, 180, "")
	cancel()
	require.ErrorIs(t, (<-done).err, context.Canceled)
	c := carol.request(gosip.CANCEL)
	carol.respond(c, 200, "")
	carol.respond(invite, 200, carol.answer())
	ack := carol.request(gosip.ACK)
	assert.Equal(t, invite.CSeq().SeqNo, ack.CSeq().SeqNo)
	bye := carol.request(gosip.BYE)
	assert.Greater(t, bye.CSeq().SeqNo, invite.CSeq().SeqNo)
	carol.respond(bye, 200, "")
}

// What comes for a call that nobody asked for any more: a 2xx of a second branch is acknowledged and hung up.
func TestRFC3261_13_2_2_4_FurtherAnswerIsHungUp(t *testing.T) {
	alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
	done := inviteTo(testContext(t), alice, carol.target())
	invite := carol.request(gosip.INVITE)
	carol.respond(invite, 200, carol.answer())
	require.NoError(t, (<-done).err)
	carol.request(gosip.ACK)

	invite.To().Params.Add("tag", "fork")
	carol.respond(invite, 200, carol.answer())
	ack := carol.request(gosip.ACK)
	assert.Equal(t, "fork", toTag(ack))
	bye := carol.request(gosip.BYE)
	assert.Equal(t, "fork", toTag(bye))
	carol.respond(bye, 200, "")
}

// A 2xx comes again when the ACK was lost.
func TestRFC3261_13_2_2_4_RepeatedAnswer(t *testing.T) {
	alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
	done := inviteTo(testContext(t), alice, carol.target())
	invite := carol.request(gosip.INVITE)
	carol.respond(invite, 200, carol.answer())
	first := carol.request(gosip.ACK)
	require.NoError(t, (<-done).err)
	carol.respond(invite, 200, carol.answer())
	assert.Equal(t, first.String(), carol.request(gosip.ACK).String())
}

// The context of Answer ends before the ACK: the call is hung up, but not before the ACK came (RFC 3261 §15).
func TestRFC3261_15_NoBYEBeforeTheACK(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	u.write("INVITE", 1, withSDP(peerOffer))
	i, err := bob.Accept(testContext(t))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(testContext(t))
	answered := make(chan error, 1)
	go func() {
		_, err := i.Answer(ctx, testMedia("bob"))
		answered <- err
	}()
	u.toTag = toTag(u.response(200))
	cancel()
	require.ErrorIs(t, <-answered, context.Canceled)
	isBye := func(m gosip.Message) bool {
		r, ok := m.(*gosip.Request)
		return ok && r.Method == gosip.BYE
	}
	u.none(200*time.Millisecond, isBye)
	u.write("ACK", 1, "")
	u.respond(u.request(gosip.BYE), 200, "")
}

func TestInviteErrors(t *testing.T) {
	alice := newTestAgent(t, &Options{}, "udp")
	for name, target := range map[string]string{
		"empty": "", "no scheme": "bob", "line": "sip:bob@127.0.0.1\r\nX: y", "space": "sip:bob @127.0.0.1",
		"headers": "sip:bob@127.0.0.1?Subject=x", "sips": "sips:bob@127.0.0.1", "no host": "sip:bob@",
		"port": "sip:bob@127.0.0.1:70000", "transport": "sip:bob@127.0.0.1;transport=sctp", "angle": "sip:bob@a>b",
		"long": "sip:" + strings.Repeat("b", 300) + "@127.0.0.1", "password": "sip:a:b@127.0.0.1",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := alice.Invite(testContext(t), target, testMedia("alice"))
			assert.ErrorContains(t, err, "sip: ")
		})
	}
	tcp := newTestAgent(t, &Options{}, "tcp")
	_, err := tcp.Invite(testContext(t), "sip:bob@127.0.0.1:1;transport=udp", testMedia("alice"))
	assert.ErrorIs(t, err, ErrNotListening)
	_, err = alice.Invite(testContext(t), "sip:bob@127.0.0.1:1", nil)
	assert.ErrorIs(t, err, ErrMedia)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = alice.Invite(ctx, "sip:bob@127.0.0.1:1", testMedia("alice"))
	assert.ErrorIs(t, err, context.Canceled)
}

// Nobody listens where the call goes.
func TestInviteRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	alice := newTestAgent(t, &Options{}, "tcp")
	_, err = alice.Invite(testContext(t), "sip:bob@"+addr+";transport=tcp", testMedia("alice"))
	var op *net.OpError
	assert.ErrorAs(t, err, &op)
}

// Answers that make no MSRP session: the call is acknowledged and hung up.
func TestUnfitAnswers(t *testing.T) {
	for name, sdp := range map[string]string{
		"rejected":  strings.ReplaceAll(peerSDP, "message 2856", "message 0"),
		"no path":   strings.ReplaceAll(peerSDP, "a=path", "a=pass"),
		"no types":  strings.ReplaceAll(peerSDP, "a=accept-types", "a=x"),
		"TLS":       strings.ReplaceAll(strings.ReplaceAll(peerSDP, "TCP/MSRP", "TCP/TLS/MSRP"), "msrp:", "msrps:"),
		"scheme":    strings.ReplaceAll(peerSDP, "msrp:", "msrps:"),
		"actpass":   strings.ReplaceAll(peerSDP, "setup:passive", "setup:actpass"),
		"no media":  "v=0\n",
		"no SDP":    "hello",
		"recvonly":  peerSDP + "a=recvonly\n",
		"no answer": "",
	} {
		t.Run(name, func(t *testing.T) {
			alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
			done := inviteTo(testContext(t), alice, carol.target())
			invite := carol.request(gosip.INVITE)
			carol.respond(invite, 200, carol.contact()+"\n"+withSDP(sdp))
			carol.request(gosip.ACK)
			carol.respond(carol.request(gosip.BYE), 200, "")
			assert.ErrorIs(t, (<-done).err, ErrMedia)
		})
	}
}

func TestPassivePassiveRefused(t *testing.T) {
	alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
	m := testMedia("alice")
	m.Setup = SetupPassive
	done := make(chan error, 1)
	go func() {
		_, err := alice.Invite(testContext(t), carol.target(), m)
		done <- err
	}()
	carol.respond(carol.request(gosip.INVITE), 200, carol.answer())
	carol.request(gosip.ACK)
	carol.respond(carol.request(gosip.BYE), 200, "")
	assert.ErrorIs(t, <-done, ErrMedia)
}

// Record-Route: later requests go through the proxies, in reverse order for the caller.
func TestRFC3261_12_1_2_RouteSet(t *testing.T) {
	alice, proxy := newTestAgent(t, &Options{}, "udp"), newPeer(t)
	done := inviteTo(testContext(t), alice, proxy.target())
	invite := proxy.request(gosip.INVITE)
	last, first := "<sip:192.0.2.9;lr>", "<sip:"+proxy.addr()+";lr>"
	proxy.respond(invite, 200, "Record-Route: "+last+", "+first+"\n"+
		"Contact: <sip:carol@192.0.2.77:5099>\n"+withSDP(peerSDP))
	call := <-done
	require.NoError(t, call.err)
	check := func(req *gosip.Request) {
		t.Helper()
		assert.Equal(t, "sip:carol@192.0.2.77:5099", req.Recipient.String())
		routes := req.GetHeaders("Route")
		require.Len(t, routes, 2)
		assert.Equal(t, first, routes[0].Value())
		assert.Equal(t, last, routes[1].Value())
		assert.Equal(t, "peer", toTag(req))
	}
	check(proxy.request(gosip.ACK))
	require.NoError(t, call.call.Close())
	bye := proxy.request(gosip.BYE)
	check(bye)
	proxy.respond(bye, 200, "")
}

// A strict router gets its own URI in the request line, and the target moves to the last Route (RFC 3261 §12.2.1.1).
func TestRFC3261_12_2_1_1_StrictRouter(t *testing.T) {
	alice, proxy := newTestAgent(t, &Options{}, "udp"), newPeer(t)
	done := inviteTo(testContext(t), alice, proxy.target())
	invite := proxy.request(gosip.INVITE)
	proxy.respond(invite, 200, "Record-Route: <sip:"+proxy.addr()+">\nContact: <sip:carol@192.0.2.77>\n"+withSDP(peerSDP))
	require.NoError(t, (<-done).err)
	ack := proxy.request(gosip.ACK)
	assert.Equal(t, "sip:"+proxy.addr(), ack.Recipient.String())
	assert.Equal(t, "<sip:carol@192.0.2.77>", ack.Route().Value())
}

// An INVITE that does not fit into a datagram goes over TCP, with the TCP address in Via and Contact (RFC 3261 §18.1.1).
func TestRFC3261_18_1_1_LargeRequestsGoOverTCP(t *testing.T) {
	alice, bob := newTestAgent(t, &Options{}, "udp", "tcp"), newTestAgent(t, &Options{}, "tcp")
	m := testMedia("alice")
	for range 20 {
		m.AcceptTypes = append(m.AcceptTypes, "application/"+strings.Repeat("x", 60))
	}
	ap, _ := bob.listensOn("tcp")
	done := make(chan error, 1)
	go func() {
		_, err := alice.Invite(testContext(t), "sip:bob@"+ap.String(), m)
		done <- err
	}()
	i, err := bob.Accept(testContext(t))
	require.NoError(t, err)
	assert.Equal(t, m.AcceptTypes, i.Offer().AcceptTypes)
	assert.Equal(t, "TCP", i.request.Via().Transport)
	tcp, _ := alice.listensOn("tcp")
	assert.Equal(t, int(tcp.Port()), i.request.Via().Port)
	assert.Equal(t, int(tcp.Port()), i.request.Contact().Address.Port)
	assert.Len(t, i.request.GetHeaders("Contact"), 1)
	_, err = i.Answer(testContext(t), testMedia("bob"))
	require.NoError(t, err)
	require.NoError(t, <-done)
}

// A response that carries a line of its own inside a header field does not get into our requests.
func TestMalformedAnswer(t *testing.T) {
	alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
	done := inviteTo(testContext(t), alice, carol.target())
	invite := carol.request(gosip.INVITE)
	res := "SIP/2.0 200 OK\r\n" + invite.Via().String() + "\r\n" + invite.From().String() + "\r\n" +
		invite.To().String() + ";tag=x\r\n" + invite.CallID().String() + "\r\n" + invite.CSeq().String() +
		"\r\nContact: <sip:carol@" + carol.addr() + ";x=\nEvil: yes>\r\nContent-Length: 0\r\n\r\n"
	_, err := carol.conn.WriteTo([]byte(res), carol.to)
	require.NoError(t, err)
	assert.ErrorIs(t, (<-done).err, errMalformed)
	carol.none(100*time.Millisecond, func(m gosip.Message) bool {
		r, ok := m.(*gosip.Request)
		return ok && r.IsAck()
	})
}

// The Contact that came last says whether the peer is a focus; a 2xx without one leaves what the 180 of the same
// branch said.
func TestRFC4579_4_FocusOfProvisionals(t *testing.T) {
	for name, c := range map[string]struct {
		ringing, answer string
		focus           bool
	}{
		"2xx decides":     {";isfocus", "", false},
		"2xx has it":      {"", ";isfocus", true},
		"no Contact":      {";isfocus", "none", true},
		"not before":      {"", "none", false},
		"as a URI option": {"", "uri", false},
	} {
		t.Run(name, func(t *testing.T) {
			alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
			done := inviteTo(testContext(t), alice, carol.target())
			invite := carol.request(gosip.INVITE)
			carol.respond(invite, 180, carol.contact()+c.ringing+"\n")
			contact := carol.contact() + c.answer + "\n"
			switch c.answer {
			case "none":
				contact = ""
			case "uri":
				contact = "Contact: <sip:carol@" + carol.addr() + ";isfocus>\n"
			}
			// sipgo serves messages side by side, so the 200 must not follow at once.
			carol.none(50*time.Millisecond, func(gosip.Message) bool { return false })
			carol.respond(invite, 200, contact+withSDP(peerSDP))
			r := <-done
			require.NoError(t, r.err)
			assert.Equal(t, c.focus, r.call.Focus())
		})
	}
}
