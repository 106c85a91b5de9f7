package sip

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
)

// A response with a control character in any header field makes no early dialog, and gets neither PRACK nor ACK: they would repeat what it said.
func TestRFC3261_13_2_2_ControlCharactersInResponses(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		b.Respond(invite, "180 Ringing", "")
		b.Respond(invite, "183 Progress", provisionally("a", 1)+"X: a\x00b\n")
		b.None(time.Second)
		b.Respond(invite, "183 Progress", provisionally("a", 1))
		b.Respond(b.Request("PRACK"), "200 OK", "")
		b.Respond(invite, "200 OK", "To: <sip:x>;tag=a\n"+b.SDP("passive"))
		b.Request("ACK")
		call := <-done
		require.NoError(t, call.err)
		for _, rest := range []string{"X: a\x00b\n", "CSeq: " + strconv.Itoa(invite.Seq()) + " OPTIONS\n"} {
			b.Respond(invite, "200 OK", "To: <sip:x>;tag=stray\n"+rest+b.SDP("passive"))
			b.None(time.Second)
		}
		b.bye(call.call)
	})
}

// BYEs that come before any response are remembered, for maxForks phones.
func TestRFC3261_15_ByesBeforeTheAnswer(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		b.Respond(invite, "180 Ringing", "To: <sip:x>\n")
		b.Dial("udp", "192.0.2.1:5060")
		for n := range maxForks + 1 {
			b.Send("BYE " + invite.Address("Contact") + " SIP/2.0\nFrom: <sip:x>;tag=" + strconv.Itoa(n) + "\nTo: " + invite.Value("From") + "\nCall-ID: " + invite.Value("Call-ID"))
			assert.Equal(t, n < maxForks, b.Final("BYE").Status == 200, n)
		}
		b.Respond(invite, "486 Busy Here", "")
		b.Request("ACK")
		assert.ErrorIs(t, (<-done).err, ErrBusy)
	})
}

// A BYE with another To tag is for nobody, and leaves the invitation waiting.
func TestRFC3261_15_1_2_ByeOfAnotherDialog(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, i := b.offer("")
		b.Send("BYE sip:bob@192.0.2.1 SIP/2.0\nFrom: " + invite.Value("From") + "\nTo: <sip:bob@192.0.2.1>;tag=guessed\nCall-ID: " + invite.Value("Call-ID"))
		assert.Equal(t, 481, b.Final("BYE").Status)
		assert.NoError(t, i.Err())
		require.NoError(t, i.Reject(t.Context(), 486, ""))
		b.Ack(invite, b.Final("INVITE"), "")
	})
}

// The INVITE of a call that is up is no second one when it comes on another way.
func TestRFC3261_8_2_2_2_MergedRequestOfACall(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, ok := b.taken("")
		again := b.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\nFrom: " + ok.Value("From") + "\nCall-ID: " + ok.Value("Call-ID") + "\n" + b.SDP("active"))
		refused := b.Final("INVITE")
		assert.Equal(t, 482, refused.Status)
		b.Ack(again, refused, "")
		b.bye(call)
	})
}

// The CANCEL takes the way of its INVITE.
func TestRFC3261_9_1_CancelHasTheRoute(t *testing.T) {
	onStage(t, Options{OutboundProxy: "sip:192.0.2.2"}, func(t *testing.T, b *stage) {
		ctx, cancel := context.WithCancel(t.Context())
		done := inviteTo(ctx, b.agent, "sip:carol@example.org")
		invite := b.Request("INVITE")
		b.Respond(invite, "180 Ringing", "")
		b.None(time.Second)
		cancel()
		canceled := b.Request("CANCEL")
		require.NotEmpty(t, invite.Values("Route"))
		assert.Equal(t, invite.Values("Route"), canceled.Values("Route"))
		b.Respond(canceled, "200 OK", "")
		b.Respond(invite, "487 Request Terminated", "")
		assert.Equal(t, invite.Values("Route"), b.Request("ACK").Values("Route"), "section 17.1.1.3")
		assert.ErrorIs(t, (<-done).err, context.Canceled)
	})
}

// A body that is encoded is refused, by the short name of the header field too.
func TestRFC3261_8_2_3_EncodedBody(t *testing.T) {
	for _, name := range []string{"Content-Encoding", "e", "E"} {
		onStage(t, Options{}, func(t *testing.T, b *stage) {
			invite := b.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\n" + name + ": gzip\n" + b.SDP("active"))
			refused := b.Final("INVITE")
			assert.Equal(t, 415, refused.Status, name)
			assert.Equal(t, "identity", refused.Value("Accept-Encoding"))
			b.Ack(invite, refused, "")
		})
	}
}

// The topmost challenge of a realm that we know is answered, and none below it that is weaker, also where that one says that our nonce is old.
func TestRFC8760_2_4_TheTopmostOfARealm(t *testing.T) {
	c := &credentials{username: "u", password: "p"}
	res := gosip.NewResponse(401, "")
	res.AppendHeader(header("WWW-Authenticate", `Digest realm="r", nonce="n", algorithm=SHA-256`))
	res.AppendHeader(header("WWW-Authenticate", `Digest realm="r", nonce="n", algorithm=MD5, stale=true`))
	require.True(t, c.learn(res, make(round)))
	req := gosip.NewRequest(gosip.BYE, gosip.Uri{Scheme: "sip", Host: "x"})
	c.sign(req, "udp")
	require.Len(t, req.GetHeaders("Authorization"), 1)
	assert.Equal(t, "SHA-256", field(req.GetHeader("Authorization").Value(), "algorithm"))
}

// Authentication-Info does not name its realm. Where two have asked, its nonce is nobody's.
func TestRFC3261_20_6_NextNonceOfWhom(t *testing.T) {
	c := &credentials{username: "u", password: "p"}
	res := gosip.NewResponse(401, "")
	for _, realm := range []string{"a", "b"} {
		res.AppendHeader(header("WWW-Authenticate", (&digest.Challenge{Realm: realm, Nonce: "of " + realm, Algorithm: digest.SHA256}).String()))
	}
	require.True(t, c.learn(res, make(round)))
	ok := gosip.NewResponse(200, "")
	ok.AppendHeader(header("Authentication-Info", `nextnonce="next"`))
	assert.False(t, c.learn(ok, make(round)))
	req := gosip.NewRequest(gosip.BYE, gosip.Uri{Scheme: "sip", Host: "x"})
	c.sign(req, "udp")
	for _, h := range req.GetHeaders("Authorization") {
		assert.Equal(t, "of "+field(h.Value(), "realm"), field(h.Value(), "nonce"))
	}
}

// A registrar's binding at our address with another's instance is not ours, nor is one with our instance and reg-id where we have registered no flow.
func TestRFC5626_6_BindingsOfOthers(t *testing.T) {
	ours := gosip.Uri{Scheme: "sip", User: "bob", Host: "192.0.2.1", Port: 5060}
	for name, contact := range map[string]string{
		"another instance": `<sip:bob@192.0.2.1:5060>;expires=10;+sip.instance="<urn:uuid:other>"`,
		"another flow":     `<sip:bob@192.0.2.7:5060>;expires=10;reg-id=1;+sip.instance="<` + instance + `>"`,
	} {
		req := gosip.NewRequest(gosip.REGISTER, gosip.Uri{Scheme: "sip", Host: "192.0.2.9"})
		req.AppendHeader(&gosip.CSeqHeader{SeqNo: 1, MethodName: gosip.REGISTER})
		req.AppendHeader(&gosip.ContactHeader{Address: ours})
		msg, err := gosip.NewParser().ParseSIP([]byte(strings.ReplaceAll("SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\nFrom: <sip:b@x>;tag=1\n"+
			"To: <sip:b@x>;tag=2\nCall-ID: 1\nCSeq: 1 REGISTER\nContact: "+contact+"\nContent-Length: 0\n\n", "\n", "\r\n")))
		require.NoError(t, err)
		_, err = (&registering{request: req, response: msg.(*gosip.Response)}).binding(time.Hour, instance)
		assert.ErrorIs(t, err, errNotBound, name)
	}
}

// What stands in the Contact of calls: a GRUU only where it is as secure as our own address, and the mark for requests over the flow only where calls
// go over that flow.
func TestRFC5626_4_3_ContactOfCalls(t *testing.T) {
	var public gosip.Uri
	require.NoError(t, gosip.ParseUri("sip:bob@example.com;gr=x", &public))
	b := &binding{gruu: "sip:bob@example.com;gr=x", gruuURI: public}
	assert.Equal(t, "sips:192.0.2.1", textOf(b.inCalls(gosip.Uri{Scheme: "sips", Host: "192.0.2.1"}, hop{})))
	assert.Equal(t, b.gruu, textOf(b.inCalls(gosip.Uri{Scheme: "sip", Host: "192.0.2.1"}, hop{})))

	b = &binding{outbound: true, hop: hop{network: "tcp"}}
	u := gosip.Uri{Scheme: "sip", Host: "192.0.2.1"}
	assert.Equal(t, "sip:192.0.2.1;ob", textOf(b.inCalls(u, hop{network: "tcp"})))
	assert.Equal(t, "sip:192.0.2.1", textOf(b.inCalls(u, hop{network: "udp"})))
	assert.Equal(t, "sip:192.0.2.1", textOf(b.inCalls(u, hop{network: "tcp", addr: netip.MustParseAddrPort("192.0.2.8:5060")})))
}

func textOf(u gosip.Uri) string { return u.String() }

// An interval beyond a day is not believed: half of it would be too late to find a peer that has vanished.
func TestRFC4028_7_2_IntervalBeyondReason(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		b.Patience = 48 * time.Hour
		call, _ := b.placed(updates + "Session-Expires: 4294967295;refresher=uac\n")
		start := time.Now()
		b.Respond(b.Request("UPDATE"), "200 OK", "Session-Expires: 90000;refresher=uac\n")
		assert.Equal(t, maxSession/2, time.Since(start))
		b.bye(call)
	})
}

// A call to a sips URI of ours makes a dialog that stays with TLS.
func TestRFC3261_12_1_1_SecureDialogOfACallTaken(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		b.Send("INVITE sips:bob@192.0.2.1 SIP/2.0\nContact: <sips:peer@192.0.2.2>\n" + b.SDP("active"))
		i, err := b.agent.Accept(t.Context())
		require.NoError(t, err)
		d := b.agent.serverDialog(i.request)
		d.refresh(gosip.Uri{Scheme: "sip", Host: "192.0.2.2"})
		assert.Equal(t, "sips", d.target.Scheme)
		require.NoError(t, i.Reject(t.Context(), 486, ""))
		b.Final("INVITE")
	})
}
