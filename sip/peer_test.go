package sip

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
)

// A peer is the other end as bare messages, for what no well-behaved agent does.
type peer struct {
	t    *testing.T
	conn net.PacketConn
	to   net.Addr // where to send: the agent, known from its first message or set by dial
	in   chan gosip.Message
	seen map[string]bool // requests that were handed out, by branch
}

// newPeer opens a UDP socket.
func newPeer(t *testing.T) *peer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &peer{t: t, conn: conn, in: make(chan gosip.Message, 100), seen: make(map[string]bool)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			msg, err := gosip.NewParser().ParseSIP(append([]byte(nil), buf[:n]...))
			if err != nil {
				continue
			}
			msg.SetSource(from.String())
			p.in <- msg
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return p
}

// newCaller is a peer that talks to a.
func newCaller(t *testing.T, a *Agent) *peer {
	p := newPeer(t)
	ap, ok := a.listensOn("udp")
	require.True(t, ok)
	p.to = net.UDPAddrFromAddrPort(ap)
	return p
}

func (p *peer) addr() string { return p.conn.LocalAddr().String() }

func (p *peer) target() string { return "sip:carol@" + p.addr() }

// send sends a message with LF for CRLF, the Content-Length added.
func (p *peer) send(text string) {
	p.t.Helper()
	head, body, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n\n")
	body = strings.ReplaceAll(body, "\n", "\r\n")
	head = strings.TrimSuffix(head, "\n")
	msg := strings.ReplaceAll(head, "\n", "\r\n") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	_, err := p.conn.WriteTo([]byte(msg), p.to)
	require.NoError(p.t, err)
}

// next returns the next message that f wants, and drops those before it.
func (p *peer) next(what string, f func(gosip.Message) bool) gosip.Message {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case msg := <-p.in:
			if f(msg) {
				return msg
			}
		case <-timeout:
			require.Fail(p.t, "no "+what)
		}
	}
}

// request returns the next request, but none that is sent again because the answer to it took longer than T1. Each ACK counts.
func (p *peer) request(method gosip.RequestMethod) *gosip.Request {
	p.t.Helper()
	msg := p.next(string(method), func(m gosip.Message) bool {
		r, ok := m.(*gosip.Request)
		return ok && r.Method == method && (r.IsAck() || !p.seen[branch(r)+string(method)])
	})
	p.seen[branch(msg)+string(method)] = true
	addr, err := net.ResolveUDPAddr("udp", msg.Source())
	require.NoError(p.t, err)
	p.to = addr
	return msg.(*gosip.Request)
}

func (p *peer) response(code int) *gosip.Response {
	p.t.Helper()
	return p.next(fmt.Sprint(code), func(m gosip.Message) bool {
		r, ok := m.(*gosip.Response)
		return ok && r.StatusCode == code
	}).(*gosip.Response)
}

// final returns the next final response to a method.
func (p *peer) final(method gosip.RequestMethod) *gosip.Response {
	p.t.Helper()
	return p.next("final response to "+string(method), func(m gosip.Message) bool {
		r, ok := m.(*gosip.Response)
		return ok && !r.IsProvisional() && r.CSeq().MethodName == method
	}).(*gosip.Response)
}

// none fails when a message of the kind comes within the time.
func (p *peer) none(d time.Duration, f func(gosip.Message) bool) {
	p.t.Helper()
	timeout := time.After(d)
	for {
		select {
		case msg := <-p.in:
			require.False(p.t, f(msg), "unexpected %s", msg)
		case <-timeout:
			return
		}
	}
}

// respond answers a request; extra header lines and a body may follow.
func (p *peer) respond(req *gosip.Request, code int, extra string) {
	p.t.Helper()
	res := gosip.NewResponse(code, "Reason")
	for _, name := range []string{"Via", "Record-Route", "From", "To", "Call-ID", "CSeq"} {
		gosip.CopyHeaders(name, req, res)
	}
	if toTag(res) == "" && code != 100 {
		res.To().Params.Add("tag", "peer")
	}
	head, _, _ := strings.Cut(res.String(), "\r\n\r\n")
	p.send(strings.ReplaceAll(head, "\r\n", "\n") + "\n" + extra)
}

func (p *peer) contact() string { return "Contact: <sip:carol@" + p.addr() + ";transport=udp>" }

const peerSDP = `v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=message 2856 TCP/MSRP *
a=path:msrp://127.0.0.1:2856/peer;tcp
a=accept-types:message/cpim text/plain
a=setup:passive
`

// answer is what follows the headers of a 200 with SDP.
func (p *peer) answer() string { return p.contact() + "\nContent-Type: application/sdp\n\n" + peerSDP }

// uac writes a request; toTag and extra may be empty.
type uac struct {
	*peer
	callID, toTag string
}

func newUAC(t *testing.T, a *Agent) *uac {
	return &uac{peer: newCaller(t, a), callID: newID()}
}

func (u *uac) write(method string, seq int, extra string) string {
	branch := "z9hG4bK" + newID()
	if method == "CANCEL" || (method == "ACK" && u.toTag == "") {
		branch = "z9hG4bKinvite" + u.callID
	}
	if method == "INVITE" && u.toTag == "" {
		branch = "z9hG4bKinvite" + u.callID
	}
	tag := ""
	if u.toTag != "" {
		tag = ";tag=" + u.toTag
	}
	text := fmt.Sprintf("%s sip:bob@%s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=%s\nFrom: \"Carol\" <sip:carol@example.org>;tag=carol\n"+
		"To: <sip:bob@example.com>%s\nCall-ID: %s\nCSeq: %d %s\nMax-Forwards: 70\n%s\n%s",
		method, u.to, u.addr(), branch, tag, u.callID, seq, method, u.contact(), extra)
	u.send(text)
	return text
}

func withSDP(sdp string) string { return "Content-Type: application/sdp\n\n" + sdp }

var peerOffer = strings.ReplaceAll(peerSDP, "setup:passive", "setup:active")

// up calls the agent, which answers, and returns the agent's call.
func (u *uac) up(a *Agent) *Call {
	u.t.Helper()
	ctx := testContext(u.t)
	calls := make(chan *Call, 1)
	go func() {
		i, err := a.Accept(ctx)
		if err != nil {
			close(calls)
			return
		}
		c, err := i.Answer(ctx, testMedia("bob"))
		if err != nil {
			u.t.Error(err)
		}
		calls <- c
	}()
	u.write("INVITE", 1, withSDP(peerOffer))
	res := u.final("INVITE")
	require.Equal(u.t, 200, res.StatusCode)
	u.toTag = toTag(res)
	u.write("ACK", 1, "")
	c := <-calls
	require.NotNil(u.t, c)
	return c
}
