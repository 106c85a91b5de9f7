package relay

import (
	"bytes"
	"container/list"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// conn is one connection: to a client, another relay or an endpoint. No two connections' locks are held together, and Relay.mu is taken before one of them.
type conn struct {
	r      *Relay
	id     uint64
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	hop    nextHop           // that we have dialled it for
	nc     net.Conn          // set under mu
	secure bool              // runs over TLS
	cert   *x509.Certificate // that makes it another relay's; set before anything is read
	dec    *msrp.Decoder
	prefix [prefixBytes]byte // of the transaction IDs of our requests

	place    *list.Element // among the strangers, under Relay.mu
	dialler  *user         // whose client it was dialled for first
	served   []nextHop     // for which it is used though it was accepted, under Relay.mu
	stranger atomic.Bool   // has had no request granted
	used     atomic.Int64  // clock of the last Read

	// Of the read loop.
	now      time.Duration     // of the last Read
	readBy   time.Duration     // the read deadline that is set
	pieceBy  time.Duration     // until when the piece in hand has to be there
	bucket   bucket            // for what comes for clients of ours
	failures int               // requests refused
	attempts int               // AUTH requests
	routes   map[string]*route // by To-Path
	routed   int               // their size
	last     *route            // of the frame before
	dirty    []*conn           // have something to write since the last Read
	body     body
	ident    [maxIdent]byte

	mu       sync.Mutex
	err      error // why it is closed
	bindings map[*binding]struct{}
	auths    int // requests that wait for the gate
	failed   int // AUTH requests without success
	outbox
	ring
}

func newConn(r *Relay) *conn {
	c := &conn{r: r, now: r.clock()}
	c.ctx, c.cancel = context.WithCancel(r.ctx)
	c.dec = msrp.NewDecoder(c, nil)
	copy(c.prefix[:], rand.Text())
	return c
}

// newStranger is a connection that was accepted.
func newStranger(r *Relay, nc net.Conn) *conn {
	c := newConn(r)
	c.nc = nc
	_, c.secure = nc.(interface{ ConnectionState() tls.ConnectionState })
	c.stranger.Store(true)
	c.readBy = c.now + strangerTimeout
	nc.SetReadDeadline(time.Now().Add(strangerTimeout))
	return c
}

// Why a connection is closed by us.
var (
	errStalled = errors.New("relay: the peer does not read")
	errRefused = errors.New("relay: several requests were refused")
	errStray   = errors.New("relay: a request for another host")
	errTimeout = errors.New("relay: nothing came in time")
	errHungUp  = errors.New("relay: the peer closed the connection")
)

// begin runs an accepted connection. TLS has its handshake on a goroutine of its own, whose stack goes with it: it is several times that of the read loop.
func (c *conn) begin() {
	defer c.r.wg.Done()
	ctx, cancel := context.WithTimeout(c.r.ctx, strangerTimeout)
	defer cancel()
	if err := hop.Handshake(ctx, c.nc); err != nil {
		c.close(err)
		return
	}
	if c.cert = c.certificate(); c.cert != nil {
		c.established() // as another relay, whatever becomes of its clients' requests
	}
	c.r.wg.Add(1)
	go c.readLoop()
}

func (c *conn) readLoop() {
	defer c.r.wg.Done()
	err := c.read()
	c.rest()
	c.close(err)
	c.dec, c.routes, c.last, c.dirty = nil, nil, nil, nil // routes of others still lead here
}

func (c *conn) read() error {
	defer c.flush() // what came before the end is on its way, too
	for {
		f, err := c.dec.Next()
		if err != nil {
			return err
		}
		c.pieceBy = c.now + pieceTimeout
		if !f.IsRequest() {
			c.response(f)
			continue
		}
		if err := c.request(f); err != nil {
			return err
		}
	}
}

// flush starts the writers of those for whom there was something in the frames read.
func (c *conn) flush() {
	for i, t := range c.dirty {
		t.kick()
		c.dirty[i] = nil
	}
	c.dirty = c.dirty[:0]
}

// touch notes that there is something to write for t.
func (c *conn) touch(t *conn) {
	for _, d := range c.dirty {
		if d == t {
			return
		}
	}
	c.dirty = append(c.dirty, t)
}

// request does what a request asks for, or refuses it.
func (c *conn) request(f *msrp.Frame) error {
	if t := c.last; t != nil && t.isFor(f) {
		return c.forward(f, t)
	}
	if string(f.Method) == msrp.MethodAuth && bytes.IndexByte(f.ToPath, ' ') < 0 {
		return c.authenticate(f)
	}
	t, code := c.route(f)
	switch {
	case code == stray:
		return errStray
	case code != 0:
		return c.refuse(f, code)
	}
	c.last = t
	c.established()
	return c.forward(f, t)
}

// established ends the connection's time as a stranger.
func (c *conn) established() {
	if !c.stranger.Load() {
		return
	}
	c.r.mu.Lock()
	c.r.strangers.remove(c)
	c.r.mu.Unlock()
	c.nc.SetReadDeadline(time.Now().Add(c.r.o.IdleTimeout))
	c.stranger.Store(false)
}

// refuse answers a request with a status. A connection that has had nothing granted and several requests refused is closed (RFC 4976 section 6.1).
func (c *conn) refuse(f *msrp.Frame, code int) error {
	c.failures++
	if err := c.respond(f, code); err != nil {
		return err
	}
	if c.stranger.Load() && c.failures >= maxFailures {
		c.flush()
		c.finish()
		return errRefused
	}
	return nil
}

// finish gives the peer a moment to take what we owe it.
func (c *conn) finish() {
	ctx, cancel := context.WithTimeout(c.ctx, lingerTimeout)
	defer cancel()
	c.drained(ctx)
}

// close ends the connection, and tells the senders of what it has not answered. It does not wait for the goroutines.
func (c *conn) close(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	nc, bindings := c.nc, c.bindings
	c.bindings = nil
	lost := c.ring.clear()
	c.r.queued.Add(-int64(c.bytes))
	c.outbox.clear()
	c.mu.Unlock()
	c.cancel()
	if nc != nil {
		c.r.o.Logger.Debug("relay: connection closed", "remote", nc.RemoteAddr(), "error", err)
		hop.Alert(nc, nc.Close)
	} else {
		c.r.o.Logger.Debug("relay: no connection to the next hop", "host", c.hop.host, "error", err)
	}
	for b := range bindings {
		c.r.unbind(b)
	}
	c.r.forget(c)
	for i := range lost {
		c.lost(&lost[i], msrp.StatusTimeout)
	}
}

func (c *conn) closed() bool { return c.ctx.Err() != nil }

// remote is the peer's address, the zero value if it has none.
func (c *conn) remote() netip.AddrPort {
	if a, ok := c.nc.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// spawn runs f while the connection lives, false if it does not.
func (c *conn) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.r.wg.Add(1)
	go func() {
		defer c.r.wg.Done()
		f()
	}()
	return true
}
