package siptest

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	queued      = 1024  // datagrams that a socket keeps until they are read
	maxDatagram = 65507 // bytes, of UDP over IPv4
)

type datagram struct {
	from    *net.UDPAddr
	payload []byte
}

// packetConn is a socket for datagrams.
type packetConn struct {
	host *Host
	addr *net.UDPAddr

	mu      sync.Mutex
	changed sync.Cond
	queue   []datagram
	closed  bool
	readBy  deadline
}

func newPacketConn(h *Host, addr netip.AddrPort) *packetConn {
	c := &packetConn{host: h, addr: net.UDPAddrFromAddrPort(addr)}
	c.changed.L = &c.mu
	return c
}

// WriteTo sends a datagram. What nobody receives is lost, and so is what comes to a full socket.
func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	dst, ok := to.(*net.UDPAddr)
	switch {
	case !ok:
		return 0, c.failed("write", syscall.EINVAL)
	case len(b) > maxDatagram:
		return 0, c.failed("write", syscall.EMSGSIZE)
	case c.isClosed():
		return 0, c.failed("write", net.ErrClosed)
	}
	c.host.network.send(c.addr.AddrPort(), netip.AddrPortFrom(dst.AddrPort().Addr().Unmap(), uint16(dst.Port)), bytes.Clone(b))
	return len(b), nil
}

// send puts a datagram on its way, as often as Datagrams says.
func (n *Network) send(from, to netip.AddrPort, payload []byte) {
	times := []time.Duration{0}
	if n.Datagrams != nil {
		times = n.Datagrams(from, to, payload)
	}
	if h := n.find(from.Addr()); h == nil || h.down(h) != nil {
		return
	}
	for _, after := range times {
		if after <= 0 {
			n.deliver(from, to, payload)
		} else {
			time.AfterFunc(after, func() { n.deliver(from, to, payload) })
		}
	}
}

func (n *Network) deliver(from, to netip.AddrPort, payload []byte) {
	n.mu.Lock()
	var c *packetConn
	if h := n.hosts[to.Addr()]; h != nil && !h.isUnplugged() {
		c = h.packets[to.Port()]
	}
	n.mu.Unlock()
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && len(c.queue) < queued {
		c.queue = append(c.queue, datagram{net.UDPAddrFromAddrPort(from), payload})
		c.changed.Broadcast()
	}
}

// ReadFrom returns the next datagram, cut off where b is too short.
func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, nil, c.failed("read", net.ErrClosed)
		case c.readBy.passed():
			return 0, nil, c.failed("read", os.ErrDeadlineExceeded)
		case len(c.queue) > 0:
			d := c.queue[0]
			c.queue = slices.Delete(c.queue, 0, 1)
			return copy(b, d.payload), d.from, nil
		}
		c.changed.Wait()
	}
}

func (c *packetConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

func (c *packetConn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.addr, Err: err}
}

// Close frees the port.
func (c *packetConn) Close() error {
	n := c.host.network
	n.mu.Lock()
	defer n.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.failed("close", net.ErrClosed)
	}
	c.closed = true
	c.queue = nil
	c.readBy.set(time.Time{}, &c.changed)
	delete(c.host.packets, uint16(c.addr.Port))
	return nil
}

// LocalAddr returns a *net.UDPAddr.
func (c *packetConn) LocalAddr() net.Addr { return c.addr }

// SetDeadline is SetReadDeadline: writing never waits.
func (c *packetConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline also ends a ReadFrom that waits.
func (c *packetConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.failed("set", net.ErrClosed)
	}
	c.readBy.set(t, &c.changed)
	return nil
}

// SetWriteDeadline does nothing: writing never waits.
func (c *packetConn) SetWriteDeadline(time.Time) error { return nil }
