package sipp

import (
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/sip"
)

// A lossy network lies between a caller and a callee: it loses each datagram the first time that it sees it, and delivers it twice when it
// comes again.
type lossy struct {
	front, back net.PacketConn // what the caller and the callee see

	mu     sync.Mutex
	caller net.Addr
	seen   map[string]bool
}

// newLossy begins to forward between whoever sends to the address that it returns and the callee.
func newLossy(t *testing.T, callee string) (l *lossy, addr string) {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", callee)
	require.NoError(t, err)
	l = &lossy{seen: make(map[string]bool)}
	for _, c := range []*net.PacketConn{&l.front, &l.back} {
		*c, err = net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.front.Close(); _ = l.back.Close(); wg.Wait() })
	wg.Go(func() {
		l.forward(l.front, l.back, func(from net.Addr) net.Addr { l.caller = from; return to })
	})
	wg.Go(func() {
		l.forward(l.back, l.front, func(net.Addr) net.Addr { return l.caller })
	})
	return l, l.front.LocalAddr().String()
}

func (l *lossy) forward(from, to net.PacketConn, route func(from net.Addr) net.Addr) {
	b := make([]byte, 65536)
	for {
		n, addr, err := from.ReadFrom(b)
		if err != nil {
			return
		}
		l.mu.Lock()
		again, dst := l.seen[string(b[:n])], route(addr)
		l.seen[string(b[:n])] = true
		l.mu.Unlock()
		for range 2 {
			if again {
				_, _ = to.WriteTo(b[:n], dst) // what is lost is lost
			}
		}
	}
}

// Every message is lost once and then comes twice: INVITE, 200, ACK, BYE and its 200.
func TestRFC3261_17_LossyNetwork(t *testing.T) {
	foreign.Need(t, "sipp")
	t.Run("callee", func(t *testing.T) {
		a, _ := newAgent(t, "udp")
		port := freePort(t)
		_, addr := newLossy(t, "127.0.0.1:"+port)
		here := "Contact: <sip:bob@" + addr + ">"
		p := calleeAt(t, "udp", port, func(s *scenario) {
			s.invited()
			s.reply("200 OK", here, sdp(1, "bob"))
			s.recv("ACK")
			s.recv("BYE")
			s.reply("200 OK")
			s.pause(1200) // for the BYE that comes again
		})
		c, err := a.Invite(testContext(t), "sip:bob@"+addr, media())
		require.NoError(t, err, p)
		p.saw(t, "\nACK ", 1)
		require.NoError(t, c.Bye(testContext(t)), p)
		p.played(t)
	})
	t.Run("caller", func(t *testing.T) {
		a, addr := newAgent(t, "udp")
		_, addr = newLossy(t, addr)
		p := caller(t, "udp", addr, func(s *scenario) {
			s.request("INVITE", contact(""), sdp(1, "c[call_number]", "a=setup:active"))
			s.answered(200)
			s.ack()
			goodbye(s)
		})
		i, err := a.Accept(testContext(t))
		require.NoError(t, err)
		c, err := i.Answer(testContext(t), media())
		require.NoError(t, err, p)
		p.wait(t, c.Done(), "no BYE")
		assert.ErrorIs(t, c.Err(), sip.ErrEnded)
		p.played(t)
	})
}
