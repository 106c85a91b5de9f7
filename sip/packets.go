package sip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// packets is the UDP socket. sipgo reads from it as from a listener, and finds it under packetsKey as the one connection that all messages over
// UDP come from and go to. Left alone it would keep the source of every datagram, and open sockets of its own where it finds
// no connection for a message.
type packets struct {
	net.PacketConn
	from netip.AddrPort // where the last datagram came from; only the goroutine that reads uses it
}

// packetsKey is an address that leads nowhere, like those of streams.
var packetsKey = gosip.Addr{IP: net.ParseIP("100::"), Port: 1}

// ReadFrom implements net.PacketConn. What it says of the source is for sipgo and always the same. Sources that only this machine knows, those
// with a zone, are nobody that a header field can name, so their datagrams are dropped, as those are that would take sipgo too long.
func (p *packets) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, addr, err := p.PacketConn.ReadFrom(b)
		if err != nil {
			return n, addr, err
		}
		if p.from, err = addrOf(addr); err == nil && isParsable(b[:n]) {
			return n, p.LocalAddr(), nil
		}
	}
}

// WriteMsg implements gosip.Connection: a request goes to where connect wanted it, a response the way that its request came.
func (p *packets) WriteMsg(m gosip.Message) error {
	var to netip.AddrPort
	switch m := m.(type) {
	case *gosip.Request:
		to, _ = netip.ParseAddrPort(m.Laddr.Hostname)
	case *gosip.Response:
		to = wayBack(m.Via())
	}
	if !to.IsValid() {
		return errors.New("sip: a message over UDP without a destination")
	}
	if _, err := p.WriteTo([]byte(m.String()), net.UDPAddrFromAddrPort(to)); err != nil {
		return fmt.Errorf("sip: write: %w", err)
	}
	return nil
}

// Ref implements gosip.Connection. The socket is open as long as the agent.
func (p *packets) Ref(int) int { return 1 }

// TryClose implements gosip.Connection.
func (p *packets) TryClose() (int, error) { return 1, nil }

// wayBack is where responses to a request go whose topmost Via we have completed (RFC 3261 §18.2.2, RFC 3581 §4).
func wayBack(via *gosip.ViaHeader) netip.AddrPort {
	if via == nil {
		return netip.AddrPort{}
	}
	host := param(via.Params, "received")
	if host == "" {
		host = strings.Trim(via.Host, "[]")
	}
	port := via.Port
	if n, err := strconv.Atoi(param(via.Params, "rport")); err == nil {
		port = n
	}
	if port == 0 {
		port = gosip.DefaultUdpPort
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || port < 0 || port > 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(port))
}
