package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOutOfDialogRequests(t *testing.T) {
	bob := newTestAgent(t, &Options{Focus: true}, "udp")
	for _, c := range []struct {
		method, extra string
		code          int
		header, value string
	}{
		{"OPTIONS", "", 200, "Allow", bob.allow()},
		{"OPTIONS", "", 200, "Accept", "application/sdp"},
		{"BYE", "", 481, "", ""},
		{"CANCEL", "", 481, "", ""},
		{"INFO", "", 481, "", ""},
		{"MESSAGE", "", 405, "Allow", bob.allow()},
		{"SUBSCRIBE", "", 405, "Allow", bob.allow()},
		{"FOO", "", 501, "Allow", bob.allow()},
		{"OPTIONS", "Require: foo\n", 420, "Unsupported", "foo"},
		{"INVITE", "Require: foo, bar\n", 420, "Unsupported", "foo, bar"},
		{"INVITE", "Content-Type: text/plain\n\nhello", 415, "Accept", "application/sdp"},
		{"INVITE", "Content-Encoding: gzip\nContent-Type: application/sdp\n\nhello", 415, "Accept", "application/sdp"},
		{"INVITE", withSDP("hello"), 400, "", ""},
		{"INVITE", withSDP("v=0\nm=audio 4000 RTP/AVP 0\n"), 488, "", ""},
		{"INVITE", withSDP(strings.ReplaceAll(peerOffer, "TCP/MSRP", "TCP/TLS/MSRP")), 488, "", ""},
		{"INVITE", withSDP(peerOffer + "a=file-selector:name:\"x\"\n"), 488, "", ""},
	} {
		t.Run(fmt.Sprint(c.method, c.code), func(t *testing.T) {
			u := newUAC(t, bob)
			u.write(c.method, 1, c.extra)
			res := u.final(gosip.RequestMethod(c.method))
			assert.Equal(t, c.code, res.StatusCode)
			assert.NotEmpty(t, toTag(res))
			if c.header != "" {
				require.NotNil(t, res.GetHeader(c.header))
				assert.Equal(t, c.value, res.GetHeader(c.header).Value())
			}
			if c.method == "OPTIONS" && c.code == 200 {
				_, focus, ok := contact(res)
				assert.True(t, ok && focus)
			}
		})
	}
}

func TestUnknownDialog(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	for _, method := range []string{"INVITE", "BYE", "INFO", "OPTIONS", "UPDATE"} {
		u := newUAC(t, bob)
		u.toTag = "unknown"
		u.write(method, 2, "")
		assert.Equal(t, 481, u.final(gosip.RequestMethod(method)).StatusCode, method)
	}
}

func TestBadRequests(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	request := func(replace, with string) string {
		return strings.Replace(fmt.Sprintf("OPTIONS sip:bob@x SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\n"+
			"From: <sip:c@x>;tag=1\nTo: <sip:bob@x>\nCall-ID: %s\nCSeq: 1 OPTIONS\n", u.addr(), newID(), newID()), replace, with, 1)
	}
	u.send(request("SIP/2.0\n", "SIP/2.1\n"))
	assert.Equal(t, 505, u.final(gosip.OPTIONS).StatusCode)
	u.send(request("1 OPTIONS", "1 INVITE"))
	assert.Equal(t, 400, u.final(gosip.INVITE).StatusCode)
	u.send(request(";tag=1", ""))
	assert.Equal(t, 400, u.final(gosip.OPTIONS).StatusCode)

	// Nothing can be answered here; the agent must only live on.
	u.send(request("From: <sip:c@x>;tag=1\n", ""))
	u.send(request("To: <sip:bob@x>\n", ""))
	u.send(request("Call-ID: ", "X: "))
	u.send(request("Call-ID: ", "Call-ID: a\x00"))
	u.send(request("", ""))
	assert.Equal(t, 200, u.final(gosip.OPTIONS).StatusCode)
}

// A 2xx, a provisional response and what sipgo answers by itself carry the same tag (RFC 3261 §8.2.6.2).
func TestRFC3261_8_2_6_2_OneTag(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	u.write("INVITE", 1, withSDP(peerOffer))
	i, err := bob.Accept(testContext(t))
	require.NoError(t, err)
	require.NoError(t, i.Ring(testContext(t)))
	tag := toTag(u.response(180))
	require.NotEmpty(t, tag)
	u.write("CANCEL", 1, "")
	codes := map[string]int{}
	for len(codes) < 2 {
		m := u.next("200 and 487", func(m gosip.Message) bool {
			r, ok := m.(*gosip.Response)
			return ok && !r.IsProvisional()
		}).(*gosip.Response)
		assert.Equal(t, tag, toTag(m))
		codes[string(m.CSeq().MethodName)] = m.StatusCode
	}
	assert.Equal(t, map[string]int{"CANCEL": 200, "INVITE": 487}, codes)
	waitDone(t, i.Done())
	assert.ErrorIs(t, i.Err(), ErrCanceled)
}

func TestOffer(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	u.write("INVITE", 1, "m: <sip:c@127.0.0.1> ; ISFOCUS\n"+withSDP("v=0\nm=audio 4000 RTP/AVP 0 8\na=sendrecv\nm=message 2855 TCP/TLS/MSRP *\n"+
		"a=path:msrps://127.0.0.1:2855/x;tcp\na=accept-types:*\n"+strings.SplitN(peerOffer, "t=0 0\n", 2)[1]))
	i, err := bob.Accept(testContext(t))
	require.NoError(t, err)
	assert.True(t, i.Focus())
	go func() { _, _ = i.Answer(testContext(t), testMedia("bob")) }()
	res := u.response(200)
	var lines []string
	for l := range strings.Lines(string(res.Body())) {
		if strings.HasPrefix(l, "m=") {
			lines = append(lines, strings.TrimSpace(l))
		}
	}
	assert.Equal(t, []string{"m=audio 0 RTP/AVP 0 8", "m=message 0 TCP/TLS/MSRP *", "m=message 2855 TCP/MSRP *"}, lines)
	assert.Contains(t, string(res.Body()), "a=setup:passive\r\n")
	u.toTag = toTag(res)
	u.write("ACK", 1, "")
}

func TestRFC3261_13_2_1_OfferInTheAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		ack string
		err error
	}{
		"answer":    {withSDP(peerOffer), nil},
		"no answer": {"", ErrMedia},
		"unfit":     {withSDP(strings.ReplaceAll(peerOffer, "2856 TCP", "0 TCP")), ErrMedia},
	} {
		t.Run(name, func(t *testing.T) {
			bob := newTestAgent(t, &Options{}, "udp")
			u := newUAC(t, bob)
			u.write("INVITE", 1, "")
			i, err := bob.Accept(testContext(t))
			require.NoError(t, err)
			assert.Nil(t, i.Offer())
			done := make(chan invited, 1)
			go func() {
				c, err := i.Answer(testContext(t), testMedia("bob"))
				done <- invited{c, err}
			}()
			res := u.response(200)
			assert.Contains(t, string(res.Body()), "a=setup:actpass\r\n")
			u.toTag = toTag(res)
			u.write("ACK", 1, c.ack)
			r := <-done
			require.ErrorIs(t, r.err, c.err)
			if c.err != nil {
				u.respond(u.request(gosip.BYE), 200, "")
				return
			}
			assert.Equal(t, SetupPassive, r.call.Local().Setup)
			assert.Equal(t, []string{"msrp://127.0.0.1:2856/peer;tcp"}, r.call.Remote().Path)
		})
	}
}

func TestAnswerChecksOurSide(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	u.write("INVITE", 1, withSDP(peerOffer))
	i, err := bob.Accept(testContext(t))
	require.NoError(t, err)
	for name, change := range map[string]func(*Media){
		"no path":      func(m *Media) { m.Path = nil },
		"line in path": func(m *Media) { m.Path = []string{"msrp://127.0.0.1:1/x;tcp\r\na=evil"} },
		"no types":     func(m *Media) { m.AcceptTypes = nil },
		"line in type": func(m *Media) { m.AcceptTypes = []string{"text/plain\na=evil"} },
		"wrapped type": func(m *Media) { m.AcceptWrappedTypes = []string{"a b"} },
		"size":         func(m *Media) { m.MaxSize = -1 },
		"setup":        func(m *Media) { m.Setup = "active\r\na=evil" },
		"active":       func(m *Media) { m.Setup = SetupActive },
		"TLS":          func(m *Media) { m.TLS = true },
		"scheme":       func(m *Media) { m.Path = []string{"http://127.0.0.1/x"} },
	} {
		m := testMedia("bob")
		change(m)
		_, err := i.Answer(testContext(t), m)
		assert.ErrorIs(t, err, ErrMedia, name)
	}
	require.NoError(t, i.Reject(testContext(t), 486, ""), "still open")
	assert.Equal(t, 486, u.final(gosip.INVITE).StatusCode)
	u.write("ACK", 1, "")
}

func TestInDialogRequests(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	call := u.up(bob)
	for _, c := range []struct {
		seq           int
		method, extra string
		code          int
	}{
		{2, "INFO", "", 200},
		{3, "INFO", "Info-Package: foo\n", 469},
		{4, "INFO", "Content-Type: text/plain\n\nx", 415},
		{5, "OPTIONS", "", 200},
		{6, "UPDATE", "", 200},
		{7, "FOO", "", 501},
		{7, "INFO", "", 500}, // not newer
		{2, "BYE", "", 500},  // older
		{9, "INFO", "Require: x\n", 420},
		{20, "BYE", "", 200},
		{21, "BYE", "", 481},
	} {
		u.write(c.method, c.seq, c.extra)
		assert.Equal(t, c.code, u.final(gosip.RequestMethod(c.method)).StatusCode, "%d %s", c.seq, c.method)
	}
	waitDone(t, call.Done())
	assert.ErrorIs(t, call.Err(), ErrEnded)
}

func TestReinvite(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	call := u.up(bob)
	changed := call.Changed()
	reinvite := func(seq int, extra string) *gosip.Response {
		t.Helper()
		u.write("INVITE", seq, extra)
		res := u.final(gosip.INVITE)
		u.write("ACK", seq, "")
		return res
	}

	first := reinvite(2, withSDP(peerOffer))
	assert.Equal(t, 200, first.StatusCode)
	assert.Contains(t, string(first.Body()), "a=path:msrp://127.0.0.1:2855/bob;tcp\r\n")
	again := reinvite(3, withSDP(peerOffer))
	assert.Equal(t, string(first.Body()), string(again.Body()), "the same answer, the same version")
	_, _, ok := contact(again)
	assert.True(t, ok)
	assert.Equal(t, []string{"msrp://127.0.0.1:2856/peer;tcp"}, call.Remote().Path)

	// Blink adds a stream: ours keeps its place, the new one is declined, the version counts.
	more := reinvite(4, withSDP(peerOffer+"m=audio 4000 RTP/AVP 0\n"))
	assert.Equal(t, 200, more.StatusCode)
	assert.Contains(t, string(more.Body()), "m=audio 0 RTP/AVP 0\r\n")
	assert.Equal(t, sdpVersion(t, first)+1, sdpVersion(t, more))

	// A refused one changes nothing, not even the Contact and its isfocus.
	moved := reinvite(5, "Contact: <sip:c@127.0.0.1>;isfocus\n"+withSDP(strings.ReplaceAll(peerOffer, "/peer;", "/other;")))
	assert.Equal(t, 488, moved.StatusCode)
	assert.False(t, call.Focus())
	assert.Equal(t, 488, reinvite(6, withSDP(strings.ReplaceAll(peerOffer, "setup:active", "setup:passive"))).StatusCode)
	assert.Equal(t, 488, reinvite(7, withSDP("v=0\nm=audio 0 RTP/AVP 0\n")).StatusCode)
	assert.Equal(t, 400, reinvite(8, withSDP("x")).StatusCode)
	assertOpen(t, changed)

	// A Contact with isfocus turns the peer into a focus, and it is where our next request goes.
	other := newPeer(t)
	assert.Equal(t, 200, reinvite(9, "Contact: \"x;y\" <sip:c@"+other.addr()+">; IsFocus\n"+withSDP(peerOffer)).StatusCode)
	waitDone(t, changed)
	assert.True(t, call.Focus())
	changed = call.Changed()
	assert.Equal(t, 200, reinvite(10, withSDP(peerOffer)).StatusCode)
	waitDone(t, changed)
	assert.False(t, call.Focus())

	// Without an offer we offer what stands, and the ACK answers.
	u.write("INVITE", 11, "")
	assert.Equal(t, string(reinviteBody(more)), string(reinviteBody(u.final(gosip.INVITE))))
	u.write("ACK", 11, withSDP(peerOffer+"m=audio 0 RTP/AVP 0\n"))

	require.NoError(t, call.Close())
	u.respond(u.request(gosip.BYE), 200, "")
}

// reinviteBody is the SDP without the audio line and the version.
func reinviteBody(res *gosip.Response) string {
	body := string(res.Body())
	_, body, _ = strings.Cut(body, "s=-")
	body, _, _ = strings.Cut(body, "m=audio")
	return body
}

func sdpVersion(t *testing.T, res *gosip.Response) int {
	t.Helper()
	var id, version int
	_, err := fmt.Sscanf(strings.Split(string(res.Body()), "\r\n")[1], "o=- %d %d", &id, &version)
	require.NoError(t, err)
	return version
}

// The answer to our offer in a re-INVITE without one moves the session, which cannot be refused any more.
func TestReinviteAnswerMoves(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	call := u.up(bob)
	u.write("INVITE", 2, "")
	require.Equal(t, 200, u.final(gosip.INVITE).StatusCode)
	u.write("ACK", 2, withSDP(strings.ReplaceAll(peerOffer, "/peer;", "/other;")))
	waitDone(t, call.Done())
	assert.ErrorIs(t, call.Err(), ErrMedia)
	u.respond(u.request(gosip.BYE), 200, "")
}

// An INVITE of the peer's crosses ours (RFC 3261 §14.2).
func TestInviteCrossing(t *testing.T) {
	alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
	done := inviteTo(testContext(t), alice, carol.target())
	invite := carol.request(gosip.INVITE)
	u := &uac{peer: carol, callID: callID(invite), toTag: fromTag(invite)}
	u.write("INVITE", 1, withSDP(peerOffer))
	assert.Equal(t, 491, u.final(gosip.INVITE).StatusCode)
	u.write("INFO", 2, "")
	assert.Equal(t, 500, u.final(gosip.INFO).StatusCode)
	carol.respond(invite, 200, carol.answer())
	require.NoError(t, (<-done).err)
	carol.request(gosip.ACK)
}

func TestRFC3261_8_2_2_2_MergedRequest(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	first := u.write("INVITE", 1, withSDP(peerOffer))
	_, err := bob.Accept(testContext(t))
	require.NoError(t, err)
	u.send(strings.Replace(first, "z9hG4bKinvite", "z9hG4bKother", 1))
	assert.Equal(t, 482, u.final(gosip.INVITE).StatusCode)
}

func TestLimits(t *testing.T) {
	bob := newTestAgent(t, &Options{MaxCalls: 2, MaxInvitations: 1}, "udp")
	a, b, c, d := newUAC(t, bob), newUAC(t, bob), newUAC(t, bob), newUAC(t, bob)
	a.write("INVITE", 1, withSDP(peerOffer))
	i, err := bob.Accept(testContext(t))
	require.NoError(t, err)
	b.write("INVITE", 1, withSDP(peerOffer))
	b.response(100) // it waits for Accept
	c.write("INVITE", 1, withSDP(peerOffer))
	assert.Equal(t, 486, c.final(gosip.INVITE).StatusCode, "two calls")
	require.NoError(t, i.Reject(testContext(t), 603, ""))
	d.write("INVITE", 1, withSDP(peerOffer))
	assert.Equal(t, 480, d.final(gosip.INVITE).StatusCode, "one waits for Accept")

	b.write("CANCEL", 1, "") // makes room in the queue
	b.response(487)
	d.callID = newID()
	require.Eventually(t, func() bool { bob.mu.Lock(); defer bob.mu.Unlock(); return len(bob.queue) == 0 }, patience, time.Millisecond)
	d.write("INVITE", 1, withSDP(peerOffer))
	i, err = bob.Accept(testContext(t))
	require.NoError(t, err)
	assert.Equal(t, callID(i.request), d.callID)
}

func TestRFC3261_13_3_1_ExpiredInvitation(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	u.write("INVITE", 1, "Expires: 0\n"+withSDP(peerOffer))
	assert.Equal(t, 487, u.final(gosip.INVITE).StatusCode)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := bob.Accept(ctx)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

// A bug of ours that a request meets is answered with 500 and does not end the process.
func TestPanic(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	bob.mu.Lock()
	bob.invitations = nil // the next write to it panics
	bob.mu.Unlock()
	u := newUAC(t, bob)
	u.write("INVITE", 1, withSDP(peerOffer))
	assert.Equal(t, 500, u.final(gosip.INVITE).StatusCode)
	u.write("OPTIONS", 1, "")
	assert.Equal(t, 200, u.final(gosip.OPTIONS).StatusCode)
}

func TestTooManyTransactions(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	up := newUAC(t, bob)
	call := up.up(bob)
	require.Eventually(t, func() bool { return bob.serving.Load() == 1 }, patience, time.Millisecond)
	bob.serving.Add(maxServing)
	forgotten := func() {
		t.Helper()
		require.Eventually(t, func() bool { return bob.serving.Load() == maxServing+1 }, patience, time.Millisecond)
	}
	u := newUAC(t, bob)
	u.write("INVITE", 1, withSDP(peerOffer))
	assert.Equal(t, 503, u.final(gosip.INVITE).StatusCode, "no new call")
	forgotten()
	u.write("OPTIONS", 1, "")
	assert.Equal(t, 200, u.final(gosip.OPTIONS).StatusCode)
	forgotten()
	u.toTag = "unknown"
	u.write("INVITE", 2, withSDP(peerOffer))
	assert.Equal(t, 503, u.final(gosip.INVITE).StatusCode, "a To tag alone opens no door")
	forgotten()
	up.write("INVITE", 2, withSDP(peerOffer))
	assert.Equal(t, 200, up.final(gosip.INVITE).StatusCode, "the call that is up goes on")
	up.write("ACK", 2, "")
	bob.serving.Add(maxServing)
	up.write("INVITE", 3, withSDP(peerOffer))
	assert.Equal(t, 503, up.final(gosip.INVITE).StatusCode, "within limits")
	bob.serving.Add(-maxServing)
	up.write("BYE", 4, "")
	assert.Equal(t, 200, up.final(gosip.BYE).StatusCode)
	waitDone(t, call.Done())
	bob.serving.Add(-maxServing)
}
