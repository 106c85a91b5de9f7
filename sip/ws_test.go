package sip

import (
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// A message with a frame of its own becomes one of a stream (RFC 7118 §4.2).
func TestRFC7118_4_2_Framing(t *testing.T) {
	const head = "OPTIONS sip:b@x SIP/2.0\r\nTo: <sip:b@x>"
	for name, c := range map[string]struct{ in, want string }{
		"no Content-Length":    {head + "\r\n\r\nbody", head + "\r\nContent-Length: 4\r\n\r\nbody"},
		"Content-Length":       {head + "\r\nContent-Length: 4\r\n\r\nbody", head + "\r\nContent-Length: 4\r\n\r\nbody"},
		"compact":              {head + "\r\nL : 4\r\n\r\nbody", head + "\r\nContent-Length: 4\r\n\r\nbody"},
		"folded":               {head + "\r\nContent-Length:\r\n 4\r\n\r\nbody", head + "\r\nContent-Length: 4\r\n\r\nbody"},
		"too short, no second": {head + "\r\nl: 4\r\n\r\nbodyOPTIONS", head + "\r\nContent-Length: 4\r\n\r\nbody"},
		"no body":              {head + "\r\n\r\n", head + "\r\nContent-Length: 0\r\n\r\n"},
		"CRLF before":          {"\r\n" + head + "\r\n\r\n", head + "\r\nContent-Length: 0\r\n\r\n"},
		"only CRLF":            {"\r\n", ""},
		"in the start line":    {"Content-Length: 9\r\n\r\n", "Content-Length: 9\r\nContent-Length: 0\r\n\r\n"},
	} {
		got, err := framed([]byte(c.in))
		assert.NoError(t, err, name)
		assert.Equal(t, c.want, string(got), name)
	}
	for name, in := range map[string]string{
		"no end of the head": head + "\r\n",
		"too long":           head + "\r\nContent-Length: 5\r\n\r\nbody",
		"no number":          head + "\r\nContent-Length: x\r\n\r\nbody",
		"negative":           head + "\r\nContent-Length: -1\r\n\r\nbody",
		"two, one too long":  head + "\r\nContent-Length: 1\r\nContent-Length: 9\r\n\r\nbody",
	} {
		_, err := framed([]byte(in))
		assert.ErrorIs(t, err, errWSMessage, name)
	}
}

// A browser is a WebSocket client without an address; this one is bare frames.
type browser struct {
	net.Conn
	t *testing.T
}

func newBrowser(t *testing.T, a *Agent, protocols ...string) (*browser, error) {
	t.Helper()
	d := ws.Dialer{Protocols: protocols}
	conn, _, _, err := d.Dial(testContext(t), "ws://"+listenAddr(t, a, "ws").String()+"/any/path")
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &browser{conn, t}, conn.SetDeadline(time.Now().Add(patience))
}

func (b *browser) options(id string) string {
	return "OPTIONS sip:bob@x SIP/2.0\r\nVia: SIP/2.0/WS abc.invalid;branch=z9hG4bK" + id + "\r\nFrom: <sip:c@x>;tag=1\r\n" +
		"To: <sip:bob@x>\r\nCall-ID: " + id + "\r\nCSeq: 1 OPTIONS\r\n\r\n"
}

// answered reads one message that must be a response.
func (b *browser) answered(id string) {
	b.t.Helper()
	m, op, err := wsutil.ReadServerData(b)
	require.NoError(b.t, err)
	assert.Equal(b.t, ws.OpText, op)
	assert.True(b.t, strings.HasPrefix(string(m), "SIP/2.0 200 OK\r\n"))
	assert.Contains(b.t, string(m), id)
	assert.Contains(b.t, string(m), "received=127.0.0.1")
}

func TestRFC7118_4_2_OneMessageAFrame(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "ws")
	b, err := newBrowser(t, bob, "sip")
	require.NoError(t, err)
	require.NoError(t, wsutil.WriteClientText(b, []byte(b.options("text"))))
	b.answered("text")
	require.NoError(t, wsutil.WriteClientBinary(b, []byte(b.options("binary"))))
	b.answered("binary")

	// In fragments, with a ping between two of them.
	m := []byte(b.options("fragments"))
	for n, f := range []ws.Frame{
		ws.NewFrame(ws.OpText, false, nil), ws.NewFrame(ws.OpContinuation, false, m[:10]), ws.NewPingFrame([]byte("hi")),
		ws.NewFrame(ws.OpContinuation, false, m[10:50]), ws.NewFrame(ws.OpContinuation, true, m[50:]),
	} {
		require.NoError(t, ws.WriteFrame(b, ws.MaskFrame(f)), n)
	}
	pong, err := ws.ReadFrame(b)
	require.NoError(t, err)
	assert.Equal(t, ws.OpPong, pong.Header.OpCode)
	assert.Equal(t, "hi", string(pong.Payload))
	b.answered("fragments")

	require.NoError(t, wsutil.WriteClientText(b, []byte(doubleCRLF)))
	answer, _, err := wsutil.ReadServerData(b)
	require.NoError(t, err)
	assert.Equal(t, "\r\n", string(answer), "RFC 5626 §3.5.1 from a browser")
}

// What breaks the rules of WebSocket, or is too large, closes the connection; the agent goes on.
func TestRFC6455_BrokenFrames(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "ws")
	valid, half := []byte((&browser{t: t}).options("valid")), make([]byte, maxWSMessage/2+1)
	for name, frames := range map[string][]ws.Frame{
		"not masked":         {ws.NewTextFrame(valid)},
		"too large":          {{Header: ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: maxWSMessage + 1}}},
		"too large together": {ws.MaskFrame(ws.NewFrame(ws.OpText, false, half)), ws.MaskFrame(ws.NewFrame(ws.OpContinuation, false, half))},
		"no first fragment":  {ws.MaskFrame(ws.NewFrame(ws.OpContinuation, true, valid))},
		"two first ones":     {ws.MaskFrame(ws.NewFrame(ws.OpText, false, nil)), ws.MaskFrame(ws.NewFrame(ws.OpText, true, valid))},
		"reserved opcode":    {ws.MaskFrame(ws.NewFrame(3, true, valid))},
		"compressed":         {ws.MaskFrame(ws.Frame{Header: ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpText, Length: int64(len(valid))}, Payload: valid})},
		"long ping":          {ws.MaskFrame(ws.NewPingFrame(make([]byte, 126)))},
		"no SIP":             {ws.MaskFrame(ws.NewTextFrame([]byte("hello\r\n\r\n")))},
		"half a message":     {ws.MaskFrame(ws.NewTextFrame([]byte("OPTIONS sip:b@x SIP/2.0\r\n")))},
		"goodbye":            {ws.MaskFrame(ws.NewCloseFrame(nil))},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := newBrowser(t, bob, "sip")
			require.NoError(t, err)
			for _, f := range frames {
				_ = ws.WriteFrame(b, f) // the connection may be closed by then
			}
			for err = error(nil); err == nil; {
				_, err = b.Read(make([]byte, 100))
			}
			assert.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		})
	}
	b, err := newBrowser(t, bob, "sip")
	require.NoError(t, err)
	require.NoError(t, wsutil.WriteClientText(b, []byte(b.options("after"))))
	b.answered("after")
}

func TestRFC7118_4_1_Subprotocol(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "ws")
	for _, protocols := range [][]string{nil, {"chat"}, {"SIP2", "msrp"}} {
		_, err := newBrowser(t, bob, protocols...)
		var refused ws.StatusError
		require.ErrorAs(t, err, &refused, protocols)
		assert.Equal(t, http.StatusBadRequest, int(refused))
	}
	_, err := newBrowser(t, bob, "chat", "sip")
	require.NoError(t, err)

	// A server that agrees to nothing, and one that is no WebSocket server.
	for answer, want := range map[string]error{
		"none": errSubprotocol, "HTTP/1.1 404 Not Found\r\n\r\n": nil, "HTTP/1.1 101 x\r\n" + strings.Repeat("X: y\r\n", maxUpgrade): nil,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			c, err := l.Accept()
			if err != nil {
				return
			}
			if answer == "none" {
				_, _ = ws.Upgrade(c)
			} else {
				_, _ = c.Read(make([]byte, 1000))
				_, _ = c.Write([]byte(answer))
			}
			_, _ = c.Read(make([]byte, 100)) // until it is closed
			_ = c.Close()
		}()
		_, err = newTestAgent(t, &Options{}).Invite(testContext(t), "sip:bob@"+l.Addr().String()+";transport=ws", testMedia("alice"))
		if assert.Error(t, err) && want != nil {
			assert.ErrorIs(t, err, want)
		}
		require.NoError(t, l.Close())
		<-done
	}
}

// A head of HTTP without an end is read up to its bound, and not for the ten seconds of a handshake.
func TestUpgradeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(siptest.Network)
		bob := inMemory(t, n, &Options{})
		l, err := n.Host("192.0.2.1").Listen(80)
		require.NoError(t, err)
		require.NoError(t, bob.ListenOn("ws", l))
		c, err := n.Host("192.0.2.2").DialContext(t.Context(), "tcp", "192.0.2.1:80")
		require.NoError(t, err)
		start := time.Now()
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\n"+strings.Repeat("X: y\r\n", maxUpgrade/6-10))
		require.NoError(t, err)
		synctest.Wait()
		bob.streams.mu.Lock()
		assert.Len(t, bob.streams.shaking, 1, "it may go on")
		bob.streams.mu.Unlock()
		_, err = io.WriteString(c, strings.Repeat("X: y\r\n", 20))
		require.NoError(t, err)
		_, _ = io.ReadAll(c)
		assert.Zero(t, time.Since(start))
		require.NoError(t, c.Close())
		require.NoError(t, bob.Close())
	})
}

// The client of a WebSocket has a host of its own making in Via and Contact, and the server's requests find it (RFC 7118 §5).
func TestRFC7118_5_InvalidHost(t *testing.T) {
	config := secured(t, "127.0.0.1")
	for _, network := range []string{"ws", "wss"} {
		t.Run(network, func(t *testing.T) {
			alice, bob := newTestAgent(t, &Options{TLS: config}), newTestAgent(t, &Options{TLS: config}, network)
			p := &pair{alice: alice, bob: bob, aliceMedia: testMedia("alice"), bobMedia: testMedia("bob")}
			p.call(t, network)
			via := p.invitation.request.Via()
			assert.Equal(t, strings.ToUpper(network), via.Transport)
			assert.Equal(t, alice.nowhere, via.Host)
			assert.Equal(t, "sip:bob@"+alice.nowhere+";transport=ws", p.invitation.request.Contact().Address.String())
			require.NoError(t, p.bobCall.Bye(testContext(t)))
			waitDone(t, p.aliceCall.Done())

			p.call(t, network)
			_ = bob.sourceOf(p.invitation.request).stream.Close()
			assert.ErrorIs(t, p.bobCall.Bye(testContext(t)), errGone, "nobody can be reached there any more")
			_, err := bob.Invite(testContext(t), "sip:bob@"+alice.nowhere+";transport=ws", testMedia("bob"))
			assert.ErrorIs(t, err, errGone, "nor from outside a dialog")
		})
	}
}

func TestRFC6455_4_1_Host(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	require.NoError(t, err)
	defer l.Close()
	hosts := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		u := ws.Upgrader{OnHost: func(h []byte) error { hosts <- string(h); return nil }}
		_, _ = u.Upgrade(c)
	}()
	_, err = newTestAgent(t, &Options{}).Invite(testContext(t), "sip:bob@"+l.Addr().String()+";transport=ws", testMedia("a"))
	require.Error(t, err)
	assert.Equal(t, l.Addr().String(), <-hosts)
}

// A URI says transport=ws for a secure WebSocket too. Where one leads to its address and its certificate holds for the host, that one is meant.
func TestRFC7118_5_2_SecureWebSocketIsMeant(t *testing.T) {
	config := secured(t, "127.0.0.1", "example.com")
	alice, bob := newTestAgent(t, &Options{TLS: config}), newTestAgent(t, &Options{TLS: config}, "wss")
	p := &pair{alice: alice, bob: bob, aliceMedia: testMedia("alice"), bobMedia: testMedia("bob")}
	p.call(t, "wss")
	done := inviteTo(testContext(t), alice, strings.Replace(target(t, bob, "wss"), "=wss", "=ws", 1))
	i, err := bob.Accept(testContext(t))
	require.NoError(t, err)
	assert.Equal(t, "WSS", i.request.Via().Transport)
	assert.Equal(t, alice.nowhere, i.request.Via().Host)
	require.NoError(t, i.Reject(testContext(t), 486, ""))
	assert.ErrorIs(t, (<-done).err, ErrBusy)
	alice.streams.mu.Lock()
	defer alice.streams.mu.Unlock()
	h := hop{network: "ws", addr: listenAddr(t, bob, "wss"), name: "127.0.0.1"}
	assert.NotNil(t, alice.streams.find(h))
	h.name = "example.net"
	assert.Nil(t, alice.streams.find(h), "its certificate does not hold for this one")
}
