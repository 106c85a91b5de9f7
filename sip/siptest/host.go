package siptest

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

const (
	firstPort = 49152 // of those that nobody asked for by number
	sipPort   = 5060
	backlog   = 128 // connections that wait for Accept
)

// A Host is one address on a Network. It is a sip.Dialer: what it dials comes from its address. Make one with Network.Host.
type Host struct {
	network *Network
	addr    netip.Addr

	// Under network.mu.
	nextPort  uint16
	listeners map[uint16]*listener
	packets   map[uint16]*packetConn
	wires     map[*wire]bool
	up        chan struct{} // closed while the host is plugged in
}

// An Agent is what Attach needs of a *sip.Agent.
type Agent interface {
	ListenOn(network string, l net.Listener) error
	ListenPacketOn(c net.PacketConn) error
	Close() error
}

// Attach lets an agent listen on port 5060 of the host, for datagrams and streams, and closes it at the end of the test. The agent dials on the
// network only where the host is its Options.Dialer. What fails ends the test.
func (h *Host) Attach(t testing.TB, a Agent) {
	t.Helper()
	t.Cleanup(func() { _ = a.Close() })
	l, c := h.listenBoth(t)
	if err := a.ListenOn("tcp", l); err != nil {
		t.Fatal("siptest: ", err)
	}
	if err := a.ListenPacketOn(c); err != nil {
		t.Fatal("siptest: ", err)
	}
}

func (h *Host) listenBoth(t testing.TB) (net.Listener, net.PacketConn) {
	t.Helper()
	l, err := h.Listen(sipPort)
	if err != nil {
		t.Fatal("siptest: ", err)
	}
	c, err := h.ListenPacket(sipPort)
	if err != nil {
		t.Fatal("siptest: ", err)
	}
	return l, c
}

// Listen listens for streams on a port; 0 chooses one. The error says that the port is in use.
func (h *Host) Listen(port int) (net.Listener, error) {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	p := h.port(port)
	l := &listener{host: h, addr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(h.addr, p)), accept: make(chan *conn, backlog), done: make(chan struct{})}
	if h.listeners[p] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: l.addr, Err: syscall.EADDRINUSE}
	}
	if h.listeners == nil {
		h.listeners = make(map[uint16]*listener)
	}
	h.listeners[p] = l
	return l, nil
}

// ListenPacket opens a socket for datagrams on a port; 0 chooses one. The error says that the port is in use.
func (h *Host) ListenPacket(port int) (net.PacketConn, error) {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	p := h.port(port)
	c := newPacketConn(h, netip.AddrPortFrom(h.addr, p))
	if h.packets[p] != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: c.addr, Err: syscall.EADDRINUSE}
	}
	if h.packets == nil {
		h.packets = make(map[uint16]*packetConn)
	}
	h.packets[p] = c
	return c, nil
}

// port chooses a port where it is 0. It is called with network.mu held.
func (h *Host) port(port int) uint16 {
	if port != 0 {
		return uint16(port)
	}
	p := h.nextPort
	if h.nextPort++; h.nextPort == 0 {
		h.nextPort = firstPort
	}
	return p
}

// DialContext connects to an IP address and port, whatever the name of the network. As with TCP it does not wait for Accept. Errors:
// syscall.ECONNREFUSED where nobody listens, ctx's where one of the hosts is unplugged or nothing has the address.
func (h *Host) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	failed := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	if err != nil {
		return failed(err)
	}
	other := h.network.find(to.Addr().Unmap())
	if err := h.reach(ctx, other); err != nil {
		return failed(err)
	}
	h.network.mu.Lock()
	l := other.listeners[to.Port()]
	w := newWire(h, netip.AddrPortFrom(h.addr, h.port(0)), other, to)
	h.network.mu.Unlock()
	if l == nil || !l.take(&w.ends[1]) {
		w.cut()
		return failed(syscall.ECONNREFUSED)
	}
	return &w.ends[0], nil
}

// reach waits until both hosts are plugged in.
func (h *Host) reach(ctx context.Context, other *Host) error {
	if other == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	for {
		down := h.down(other)
		if down == nil {
			return ctx.Err()
		}
		select {
		case <-down:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// down returns what is closed when the first of the two hosts that is unplugged is plugged in again; nil if neither is.
func (h *Host) down(other *Host) <-chan struct{} {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	for _, x := range []*Host{h, other} {
		if x.isUnplugged() {
			return x.up
		}
	}
	return nil
}

// isUnplugged is called with network.mu held.
func (h *Host) isUnplugged() bool {
	select {
	case <-h.up:
		return false
	default:
		return true
	}
}

// Unplug pulls the cable: datagrams from and to the host are lost, what its streams carry is held back in both directions, and nobody connects.
// The others notice nothing but silence, as of a program or a machine that vanished.
func (h *Host) Unplug() {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	if h.isUnplugged() {
		return
	}
	h.up = make(chan struct{})
	for w := range h.wires {
		w.hold(1)
	}
}

// Plug undoes Unplug: what the streams held back arrives.
func (h *Host) Plug() {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	if !h.isUnplugged() {
		return
	}
	close(h.up)
	for w := range h.wires {
		w.hold(-1)
	}
}

// Cut breaks every stream of the host: both ends fail with syscall.ECONNRESET, and what is under way is lost.
func (h *Host) Cut() {
	h.network.mu.Lock()
	wires := make([]*wire, 0, len(h.wires))
	for w := range h.wires {
		wires = append(wires, w)
	}
	h.network.mu.Unlock()
	for _, w := range wires {
		w.cut()
	}
}

// Streams is how many streams of the host are open.
func (h *Host) Streams() int {
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	return len(h.wires)
}

type listener struct {
	host   *Host
	addr   *net.TCPAddr
	accept chan *conn
	done   chan struct{} // closed under network.mu
}

// take queues a connection for Accept and reports false where nobody will accept it.
func (l *listener) take(c *conn) bool {
	l.host.network.mu.Lock() // Close does not come between
	defer l.host.network.mu.Unlock()
	select {
	case <-l.done:
		return false
	default:
	}
	select {
	case l.accept <- c:
		return true
	default:
		return false
	}
}

// Accept returns the next connection, or an error that wraps net.ErrClosed.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
}

// Close frees the port and breaks the connections that nobody has accepted.
func (l *listener) Close() error {
	l.host.network.mu.Lock()
	select {
	case <-l.done:
		l.host.network.mu.Unlock()
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	default:
	}
	close(l.done)
	delete(l.host.listeners, uint16(l.addr.Port))
	l.host.network.mu.Unlock()
	for {
		select {
		case c := <-l.accept:
			c.wire.cut()
		default:
			return nil
		}
	}
}

// Addr returns a *net.TCPAddr.
func (l *listener) Addr() net.Addr { return l.addr }
