package siptest

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

const streamBytes = 64 << 10 // that are written and not read, before Write waits

// A wire is a stream between two hosts.
type wire struct {
	hosts [2]*Host
	ends  [2]conn // that of the dialling host first

	mu      sync.Mutex
	changed sync.Cond
	held    int  // ends that are unplugged
	broken  bool // both ends fail
}

// conn is one end of a wire.
type conn struct {
	wire          *wire
	other         *conn
	local, remote *net.TCPAddr

	// Under wire.mu.
	data            []byte // under way to this end
	closed          bool
	readBy, writeBy deadline
}

// newWire is called with the network's lock held, and so is hold: held counts the unplugged ends.
func newWire(dialler *Host, from netip.AddrPort, other *Host, to netip.AddrPort) *wire {
	w := &wire{hosts: [2]*Host{dialler, other}}
	w.changed.L = &w.mu
	a, b := net.TCPAddrFromAddrPort(from), net.TCPAddrFromAddrPort(to)
	w.ends[0] = conn{wire: w, other: &w.ends[1], local: a, remote: b}
	w.ends[1] = conn{wire: w, other: &w.ends[0], local: b, remote: a}
	for _, h := range w.hosts {
		if h.wires == nil {
			h.wires = make(map[*wire]bool)
		}
		h.wires[w] = true
		if h.isUnplugged() {
			w.held++
		}
	}
	return w
}

func (w *wire) hold(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held += n
	w.changed.Broadcast()
}

// cut breaks the wire.
func (w *wire) cut() {
	w.mu.Lock()
	w.broken = true
	for i := range w.ends {
		w.ends[i].drop()
	}
	w.changed.Broadcast()
	w.mu.Unlock()
	w.forget()
}

// forget takes the wire from its hosts.
func (w *wire) forget() {
	n := w.hosts[0].network
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range w.hosts {
		delete(h.wires, w)
	}
}

// drop forgets what nobody will read, and the timers.
func (c *conn) drop() {
	c.data = nil
	c.readBy.set(time.Time{}, &c.wire.changed)
	c.writeBy.set(time.Time{}, &c.wire.changed)
}

// Read returns what has been written, as much as fits.
func (c *conn) Read(b []byte) (int, error) {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, c.failed("read", net.ErrClosed)
		case w.broken:
			return 0, c.failed("read", syscall.ECONNRESET)
		case c.readBy.passed():
			return 0, c.failed("read", os.ErrDeadlineExceeded)
		case w.held > 0:
		case len(c.data) > 0:
			n := copy(b, c.data)
			c.data = c.data[n:]
			w.changed.Broadcast()
			return n, nil
		case c.other.closed:
			return 0, io.EOF
		}
		w.changed.Wait()
	}
}

// Write waits while 64 KiB are under way that the other end has not read.
func (c *conn) Write(b []byte) (n int, err error) {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	for n < len(b) {
		switch {
		case c.closed:
			return n, c.failed("write", net.ErrClosed)
		case w.broken:
			return n, c.failed("write", syscall.ECONNRESET)
		case c.writeBy.passed():
			return n, c.failed("write", os.ErrDeadlineExceeded)
		case c.other.closed && w.held == 0:
			return n, c.failed("write", syscall.EPIPE)
		case len(c.other.data) == streamBytes:
			w.changed.Wait()
			continue
		}
		part := b[n:min(len(b), n+streamBytes-len(c.other.data))]
		c.other.data = append(c.other.data, part...)
		n += len(part)
		w.changed.Broadcast()
	}
	return n, nil
}

func (c *conn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// Close lets the other end read what was written, then io.EOF.
func (c *conn) Close() error {
	c.wire.mu.Lock()
	if c.closed {
		c.wire.mu.Unlock()
		return c.failed("close", net.ErrClosed)
	}
	c.closed = true
	c.drop()
	last := c.other.closed
	c.wire.changed.Broadcast()
	c.wire.mu.Unlock()
	if last {
		c.wire.forget()
	}
	return nil
}

// LocalAddr returns a *net.TCPAddr.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns a *net.TCPAddr.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error { return c.limit(t, &c.readBy, &c.writeBy) }

// SetReadDeadline also ends a Read that waits.
func (c *conn) SetReadDeadline(t time.Time) error { return c.limit(t, &c.readBy) }

// SetWriteDeadline also ends a Write that waits.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.limit(t, &c.writeBy) }

func (c *conn) limit(t time.Time, ds ...*deadline) error {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if c.closed {
		return c.failed("set", net.ErrClosed)
	}
	for _, d := range ds {
		d.set(t, &c.wire.changed)
	}
	return nil
}
