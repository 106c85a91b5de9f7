package sip

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// What is between messages is found wherever the reads split the stream.
func TestRFC5626_3_5_1_BetweenMessages(t *testing.T) {
	const (
		bare    = "OPTIONS sip:x SIP/2.0\r\nTo: x\r\n\r\n"
		body    = "MESSAGE sip:x SIP/2.0\r\nContent-Length: 6\r\n\r\n\r\n\r\nab"
		compact = "MESSAGE sip:x SIP/2.0\r\nL : 4\r\nX: y\r\n\r\n\r\n\r\n"
		folded  = "MESSAGE sip:x SIP/2.0\r\nContent-Length:\r\n 4\r\n\r\n\r\n\r\n"
	)
	long := "MESSAGE sip:x SIP/2.0\r\nX: " + strings.Repeat("x", 2*maxLengthLine) + "\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
	for _, c := range []struct {
		in           string
		kept         string
		crlfs, pings int
	}{
		{"\r\n", "", 1, 0},
		{"\r\n\r\n", "", 2, 1},
		{"\r\n\r\n\r\n", "", 3, 1},
		{"\r\n\r\n\r\n\r\n", "", 4, 2},
		{bare, bare, 0, 0},
		{bare + "\r\n\r\n" + bare, bare + bare, 2, 1},
		{"\r\n" + bare + "\r\n", bare, 2, 0},
		{body + "\r\n\r\n" + compact + "\r\n\r\n" + folded + "\r\n\r\n" + long + "\r\n", body + compact + folded + long, 7, 3},
	} {
		for split := 1; split <= len(c.in); split++ {
			var f framing
			var kept string
			crlfs, pings := 0, 0
			for rest := []byte(c.in); len(rest) > 0; {
				n := min(split, len(rest))
				k, more, p := f.strip(append([]byte(nil), rest[:n]...))
				kept += string(k)
				crlfs += more
				pings += p
				rest = rest[n:]
			}
			require.Equal(t, c.kept, kept, "%q by %d", c.in, split)
			require.Equal(t, c.crlfs, crlfs, "%q by %d", c.in, split)
			require.Equal(t, c.pings, pings, "%q by %d", c.in, split)
		}
	}
}

// A ping is answered also where it comes in one piece with what is before and behind it.
func TestRFC5626_5_4_PongsOfTheServer(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "tcp")
	c, err := net.Dial("tcp", listenAddr(t, bob, "tcp").String())
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	options := func(id string) string {
		return strings.Replace((&browser{}).options(id), "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 1)
	}
	_, err = c.Write([]byte("\r\n\r\n" + options("one") + "\r\n\r\n" + options("two")))
	require.NoError(t, err)
	var got string
	for strings.Count(got, "SIP/2.0 200 OK") < 2 || !strings.HasSuffix(got, "\r\n\r\n") {
		b := make([]byte, 4096)
		n, err := c.Read(b)
		require.NoError(t, err)
		got += string(b[:n])
	}
	assert.True(t, strings.HasPrefix(got, "\r\n"))
	for _, message := range strings.Split(got, "SIP/2.0 200 OK")[1:] {
		got = strings.Replace(got, "SIP/2.0 200 OK"+strings.TrimRight(message, "\r\n")+"\r\n\r\n", "", 1)
	}
	assert.Equal(t, "\r\n\r\n", got, "two pongs besides the two answers")
}

// keptAgent is an agent in a bubble with one connection that it has opened, and the other end of it.
func keptAgent(t *testing.T, o *Options, network string) (*Agent, *stream, net.Conn) {
	t.Helper()
	n := new(siptest.Network)
	o.Address, o.Dialer = "sip:alice@example.com", n.Host("192.0.2.1")
	a, err := New(o)
	require.NoError(t, err)
	l, err := n.Host("192.0.2.2").Listen(5060)
	require.NoError(t, err)
	conns := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if network == "ws" {
			_ = upgradeServer(c)
		}
		conns <- c
	}()
	require.NoError(t, a.serveStreams())
	c, err := a.streams.dial(t.Context(), hop{network: network, addr: netip.MustParseAddrPort("192.0.2.2:5060")})
	require.NoError(t, err)
	server := <-conns
	require.NoError(t, l.Close())
	return a, c, server
}

func TestRFC5626_4_4_1_Pings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, c, server := keptAgent(t, &Options{}, "tcp")
		ping := func() time.Duration {
			t.Helper()
			start := time.Now()
			b := make([]byte, 100)
			n, err := server.Read(b)
			require.NoError(t, err)
			assert.Equal(t, doubleCRLF, string(b[:n]))
			return time.Since(start)
		}
		every := func(d, least, most time.Duration) {
			t.Helper()
			assert.GreaterOrEqual(t, d, least)
			assert.LessOrEqual(t, d, most)
		}
		// A peer that does not know of pings.
		every(ping(), 24*time.Second, 30*time.Second)
		every(ping(), 34*time.Second, 40*time.Second)
		time.Sleep(pongTime)
		assert.False(t, c.isGone())

		// It answers, late but in time, and goes silent.
		every(ping(), 24*time.Second, 30*time.Second)
		time.Sleep(pongTime - time.Second)
		_, err := server.Write([]byte("\r\n"))
		require.NoError(t, err)
		every(ping(), 24*time.Second, 30*time.Second)
		time.Sleep(pongTime - time.Second)
		assert.False(t, c.isGone())
		time.Sleep(time.Second)
		synctest.Wait()
		assert.True(t, c.isGone())
		_, err = server.Read(make([]byte, 1))
		assert.Error(t, err)
		require.NoError(t, alice.Close())
	})
}

// A registrar that names a Flow-Timer answers pings, so the first one that it misses counts.
func TestRFC5626_4_4_1_FlowTimer(t *testing.T) {
	for _, o := range []*Options{{}, {KeepAlive: -1}} {
		synctest.Test(t, func(t *testing.T) {
			alice, c, server := keptAgent(t, o, "tcp")
			c.keepAlive(100 * time.Second)
			start := time.Now()
			_, err := server.Read(make([]byte, 100))
			require.NoError(t, err)
			assert.GreaterOrEqual(t, time.Since(start), 80*time.Second)
			assert.LessOrEqual(t, time.Since(start), 100*time.Second)
			time.Sleep(pongTime)
			synctest.Wait()
			assert.True(t, c.isGone())
			require.NoError(t, alice.Close())
			c.keepAlive(time.Second) // of a connection that is gone: nothing
		})
	}
}

func TestNoKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, c, server := keptAgent(t, &Options{KeepAlive: -1}, "tcp")
		require.NoError(t, server.SetReadDeadline(time.Now().Add(time.Hour)))
		_, err := server.Read(make([]byte, 1))
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		assert.True(t, timeout.Timeout())
		assert.False(t, c.isGone())
		require.NoError(t, alice.Close())
	})
}

// WebSocket has pings of its own (RFC 7118 §6).
func TestRFC7118_6_Pings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, c, server := keptAgent(t, &Options{}, "ws")
		for range 2 {
			f, err := ws.ReadFrame(server)
			require.NoError(t, err)
			assert.True(t, f.Header.Masked)
			assert.Equal(t, ws.OpPing, f.Header.OpCode)
			if !c.isGone() {
				time.Sleep(time.Second)
				_, err = server.Write(ws.CompiledPong)
				require.NoError(t, err)
			}
		}
		f, err := ws.ReadFrame(server)
		require.NoError(t, err)
		assert.Equal(t, ws.OpPing, f.Header.OpCode)
		time.Sleep(pongTime)
		synctest.Wait()
		assert.True(t, c.isGone())
		require.NoError(t, alice.Close())
	})
}

func TestPingUDP(t *testing.T) {
	alice, carol := newTestAgent(t, &Options{}, "udp"), newTestAgent(t, &Options{})
	assert.ErrorIs(t, carol.pingUDP(hop{}), ErrNotListening)
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	require.NoError(t, alice.pingUDP(hop{network: "udp", addr: netip.MustParseAddrPort(server.LocalAddr().String())}))
	b := make([]byte, 100)
	require.NoError(t, server.SetReadDeadline(time.Now().Add(patience)))
	n, _, err := server.ReadFrom(b)
	require.NoError(t, err)
	assert.Equal(t, doubleCRLF, string(b[:n]))
}
