package msrptest

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Wire is one connection, seen from outside of its two ends: the active one, which dialled, and the passive one, which accepted.
type Wire struct {
	ToPassive *Line // what the active end writes
	ToActive  *Line // what the passive end writes

	mu                            sync.Mutex // of both lines
	activeAddress, passiveAddress addr
}

func newWire(active, passive addr, record int) *Wire {
	w := &Wire{activeAddress: active, passiveAddress: passive}
	w.ToPassive, w.ToActive = newLine(w, record), newLine(w, record)
	return w
}

// Pipe returns the two ends of a connection, for a Dialer or an accept loop of the caller's own, and the Wire between them.
// Both ends have a CloseWrite method, as those of TCP have.
func Pipe() (active, passive net.Conn, w *Wire) {
	w = newWire("active:1", "passive:1", recorded)
	return w.active(), w.passive(), w
}

func (w *Wire) active() *conn {
	return &conn{w: w, in: w.ToActive, out: w.ToPassive, local: w.activeAddress, remote: w.passiveAddress}
}

func (w *Wire) passive() *conn {
	return &conn{w: w, in: w.ToPassive, out: w.ToActive, local: w.passiveAddress, remote: w.activeAddress}
}

// Reset breaks the connection as a TCP reset does: both ends fail at once with syscall.ECONNRESET, and what is under way is lost.
func (w *Wire) Reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ToPassive.reset()
	w.ToActive.reset()
}

// other is the line in the other direction.
func (w *Wire) other(l *Line) *Line {
	if l == w.ToPassive {
		return w.ToActive
	}
	return w.ToPassive
}

// conn is one end of a Wire.
type conn struct {
	w             *Wire
	in, out       *Line
	local, remote addr
}

// Read returns at most what one Write of the other end gave, or less if a fault splits it.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	return n, c.wrap("read", err)
}

// Write waits while the line is full.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	return n, c.wrap("write", err)
}

func (c *conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: memory, Source: c.local, Addr: c.remote, Err: err}
}

// Close lets the other end read what was written, then io.EOF. What it still writes is lost; once it has read everything, or written 64 KiB, its
// Write fails.
func (c *conn) Close() error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if errors.Is(c.in.readErr, net.ErrClosed) {
		return c.wrap("close", net.ErrClosed)
	}
	c.out.finish(io.EOF, net.ErrClosed)
	c.out.writeErr = net.ErrClosed
	c.in.abandon()
	return nil
}

// CloseWrite ends what this end writes; it can still read.
func (c *conn) CloseWrite() error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.out.writeErr != nil {
		return c.wrap("close", c.out.writeErr)
	}
	c.out.finish(io.EOF, syscall.EPIPE)
	return nil
}

// LocalAddr returns an address on the Network.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns an address on the Network.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline holds for a Read that waits already, too.
func (c *conn) SetReadDeadline(t time.Time) error { return c.set(c.in, &c.in.readBy, t) }

// SetWriteDeadline holds for a Write that waits already, too.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.set(c.out, &c.out.writeBy, t) }

func (c *conn) set(l *Line, d *deadline, t time.Time) error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if errors.Is(c.in.readErr, net.ErrClosed) {
		return c.wrap("set", net.ErrClosed)
	}
	d.set(l, t)
	return nil
}
