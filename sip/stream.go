package sip

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	writeTimeout = 10 * time.Second
	maxWriters   = 64 // responses and ACKs that wait for one connection before we stop reading from it
)

// A stream is a connection that carries SIP messages, with limits.
type stream struct {
	net.Conn
	owner   *streams
	key     streamKey // what sipgo takes for its address
	peer    endpoint  // where it really leads
	raw     net.Conn  // under TLS and WebSocket, nil for bare TCP
	name    string    // the host name that it was dialled for
	tls     *tls.ConnectionState
	keeper  keeper
	framing framing       // only Read uses it
	dialled bool          // by us
	ready   chan struct{} // closed when sipgo has registered the connection
	gone    chan struct{} // closed by Close
	used    atomic.Int64  // when something was last read, in ns

	mu      sync.Mutex // guards writers and closed
	room    sync.Cond  // signalled when writers falls or the connection closes
	writers int
	closed  bool
	asking  chan struct{} // one request of ours at a time waits for writing, so that responses need not wait for all of them
	writing chan struct{} // one message at a time, also on a caller's own net.Conn; a channel, so that those who wait see the end of the connection
}

func (c *stream) touch() { c.used.Store(time.Now().UnixNano()) }

// wait returns when requests can be sent on the connection.
func (c *stream) wait(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	case <-c.gone:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *stream) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// hop is the way back.
func (c *stream) hop() hop {
	return hop{network: c.peer.network, addr: c.peer.addr, name: c.name, stream: c}
}

// local is our own address on the connection. The zero value says that it has none that a peer could use.
func (c *stream) local() netip.AddrPort {
	ap, err := addrOf(c.Conn.LocalAddr())
	if err != nil || ap.Addr().IsUnspecified() {
		return netip.AddrPort{}
	}
	return ap
}

// LocalAddr is the key for sipgo, which files a connection under both of its addresses.
func (c *stream) LocalAddr() net.Addr { return &c.key }

// RemoteAddr is the key, see streams.
func (c *stream) RemoteAddr() net.Addr { return &c.key }

// A streamKey is an address with a port.
type streamKey string

// Network implements net.Addr.
func (*streamKey) Network() string { return "tcp" }

// String implements net.Addr.
func (k *streamKey) String() string { return string(*k) }

// Read waits while too many messages wait to be written: sipgo starts a goroutine for each message that it
// reads, and a peer that sends without reading would pile them up. It lets those that were started run first, because
// they count only from the moment that they write.
func (c *stream) Read(b []byte) (int, error) {
	for {
		runtime.Gosched()
		c.mu.Lock()
		for c.writers > maxWriters && !c.closed {
			c.room.Wait()
		}
		c.mu.Unlock()
		n, err := c.Conn.Read(b)
		if err != nil {
			_ = c.Close() // before anybody hears of it, and looks for a connection to try again on
		}
		c.touch()
		kept, crlfs, pings := c.framing.strip(b[:n])
		c.keptAlive(crlfs, pings)
		if c.framing.params > maxParams { // of the Request-URI; what sipgo's parser would take too long for
			return 0, net.ErrClosed
		}
		if len(kept) > 0 || err != nil {
			return len(kept), err
		}
	}
}

// Write writes a whole message or closes the connection, because half a message cannot be taken back. What the peer's messages cause counts as
// long as it waits, and goes before our own requests: if those counted too, two agents that call each other often could both stop reading.
func (c *stream) Write(b []byte) (int, error) {
	if isOwed(b) {
		c.count(1)
		defer c.count(-1)
	} else {
		select {
		case c.asking <- struct{}{}:
			defer func() { <-c.asking }()
		case <-c.gone:
			return 0, net.ErrClosed
		}
	}
	n := 0
	err := c.exclusively(func() (err error) {
		n, err = c.Conn.Write(b)
		return err
	})
	return n, err
}

// isOwed reports whether what is written is a response or an ACK, or a ping or pong.
func isOwed(b []byte) bool {
	return bytes.HasPrefix(b, []byte("SIP/")) || bytes.HasPrefix(b, []byte("ACK ")) || bytes.HasPrefix(b, []byte("\r\n"))
}

// exclusively runs write, which writes to the connection in a time that is bounded, and closes the connection if it fails.
func (c *stream) exclusively(write func() error) error {
	select {
	case c.writing <- struct{}{}:
	case <-c.gone:
		return net.ErrClosed
	}
	defer func() { <-c.writing }()
	err := c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		err = write()
	}
	if err != nil {
		_ = c.Close()
	}
	return err
}

func (c *stream) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writers += n
	if n < 0 {
		c.room.Signal()
	}
}

// Close closes the connection. It is idempotent, and does not wait for the peer: sipgo calls it with a lock that all connections share.
func (c *stream) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.room.Broadcast()
	c.mu.Unlock()
	c.owner.dismiss(c)
	return nil
}

// goodbye closes what is below. TLS and WebSocket say so, which must not take long.
func (c *stream) goodbye() {
	if c.raw != nil {
		defer time.AfterFunc(goodbyeTime, func() { _ = c.raw.Close() }).Stop()
	}
	_ = c.Conn.Close() // nothing of it is needed any more
}
