package siptest

import (
	"net/netip"
	"sync"
	"time"
)

// A Network is a network in memory: hosts with IP addresses, streams as of TCP, and datagrams as of UDP. Its zero value is ready to use.
type Network struct {
	// Datagrams, where set, says what becomes of each datagram: it arrives once after each of the times that are returned. So no time at all
	// loses it, two repeat it, and different ones let a later datagram overtake an earlier one. It is called by whoever sends, from any goroutine, and
	// must not keep payload. Set it before the network is used. Default: every datagram arrives once and at once.
	Datagrams func(from, to netip.AddrPort, payload []byte) []time.Duration

	mu    sync.Mutex
	hosts map[netip.Addr]*Host
}

// Host returns the host with an IPv4 or IPv6 address such as "192.0.2.1"; for the same address it is the same host. It panics where ip is no IP address.
func (n *Network) Host(ip string) *Host {
	addr := netip.MustParseAddr(ip).Unmap()
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[addr]
	if h == nil {
		h = &Host{network: n, addr: addr, nextPort: firstPort, up: make(chan struct{})}
		close(h.up)
		if n.hosts == nil {
			n.hosts = make(map[netip.Addr]*Host)
		}
		n.hosts[addr] = h
	}
	return h
}

// find returns the host at addr, or nil.
func (n *Network) find(addr netip.Addr) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[addr]
}
