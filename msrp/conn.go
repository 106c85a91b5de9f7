package msrp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// conn is one connection. Its read loop hands frames to the sessions bound to it and never waits for an application, but for pause.
// Where locks are held together, Session.mu comes before conn.mu and writer.mu; Endpoint.mu is held alone.
type conn struct {
	e      *Endpoint
	nc     net.Conn
	secure bool // runs over TLS
	dec    *Decoder
	w      *writer
	wg     sync.WaitGroup // the read loop, the writer while it writes, and what spawn runs
	done   chan struct{}  // closed under mu
	err    error          // why, once done is closed
	link   *link          // under e.mu: that of sessions which share the connection
	relay  *Relay         // to which it was dialled; nil for most

	// Of the read loop: the session of the frame before, and whether the read deadline is that of a frame.
	last  *Session
	paced bool

	mu       sync.Mutex
	sessions map[string]*Session // by session-id
	parked   int                 // requests that wait for the Connect of their session
	shared   bool                // has had two sessions at a time
	unbound  bool                // accepted and without a session so far
	bindBy   time.Time           // until when it has to name one
	ending   bool                // takes no more sessions
	company  chan struct{}       // not nil during a pause of the read loop; closed when a second session comes
	resumed  time.Time           // when the latest pause ended
}

func newConn(e *Endpoint, nc net.Conn, accepted bool) *conn {
	c := &conn{
		e: e, nc: nc, bindBy: time.Now().Add(bindTimeout),
		sessions: map[string]*Session{}, unbound: accepted, done: make(chan struct{}),
	}
	c.dec = NewDecoder(c, &e.o.Limits)
	c.w = newWriter(nc, e.o.Coalesce, c.startWriting)
	_, c.secure = nc.(interface{ ConnectionState() tls.ConnectionState })
	if accepted {
		nc.SetReadDeadline(c.bindBy)
	}
	return c
}

func (c *conn) readLoop() {
	defer c.e.wg.Done()
	defer c.wg.Done()
	err := c.handshake()
	if err == nil {
		err = c.read()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("msrp: the peer closed the connection: %w", err)
	}
	c.close(err)
}

// handshake runs TLS on an accepted connection. A read deadline alone would not bound it: it also writes.
func (c *conn) handshake() error {
	by, _ := c.deadline()
	ctx, cancel := context.WithDeadline(context.Background(), by)
	defer cancel()
	return hop.Handshake(ctx, c.nc)
}

// Read is for the Decoder.
func (c *conn) Read(p []byte) (int, error) {
	if within := c.dec.Within(); within || c.paced {
		c.pace(within)
	}
	n, err := c.nc.Read(p)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, fmt.Errorf("%w: a frame broke off", ErrTimeout)
	}
	return n, fmt.Errorf("msrp: read: %w", err)
}

// pace sets the read deadline: a bound peer may be silent between two frames, but not within one. Under mu: unpark may set the one for a connection
// without a session meanwhile, which has to stay.
func (c *conn) pace(within bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unbound {
		return
	}
	c.paced = within
	deadline := time.Time{}
	if within {
		deadline = time.Now().Add(partialTimeout)
	}
	c.nc.SetReadDeadline(deadline)
}

// spawn runs f in a goroutine of the connection's, false if that is closed.
func (c *conn) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed() {
		return false
	}
	c.e.wg.Add(1)
	c.wg.Add(1)
	go func() {
		defer c.e.wg.Done()
		defer c.wg.Done()
		f()
	}()
	return true
}

// startWriting runs the writer, which is not closed yet: so neither is the connection, and nobody waits for its goroutines.
func (c *conn) startWriting() {
	c.e.wg.Add(1)
	c.wg.Add(1)
	go c.write()
}

func (c *conn) write() {
	defer c.e.wg.Done()
	defer c.wg.Done()
	if err := c.w.run(); err != nil {
		c.close(err)
	}
}

// close ends the connection and the sessions on it. It does not wait for the loops.
func (c *conn) close(err error) {
	c.mu.Lock()
	if c.closed() {
		c.mu.Unlock()
		return
	}
	if c.relay != nil && c.ending { // the relay only follows the last session's Shutdown
		err = ErrClosed
	}
	c.err = err
	c.w.close() // before anybody waits for its goroutine
	close(c.done)
	if c.unbound {
		c.unbound = false
		c.e.unbound.Add(-1)
	}
	sessions := c.sessions
	c.sessions = nil
	c.mu.Unlock()
	hop.Alert(c.nc, c.nc.Close)
	c.e.mu.Lock()
	delete(c.e.conns, c)
	c.e.drop(c.link)
	c.e.mu.Unlock()
	if c.relay != nil {
		c.relay.end(err)
	}
	for _, s := range sessions {
		s.lost(c, err)
	}
}

func (c *conn) closed() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *conn) isUnbound() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unbound
}

// deadline is until when a connection without a session has to name one.
func (c *conn) deadline() (by time.Time, unbound bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bindBy, c.unbound
}

// hurry closes a connection without a session soon: the peer has a moment to take the refusal.
func (c *conn) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if by := time.Now().Add(lingerTimeout); c.unbound && by.Before(c.bindBy) {
		c.bindBy = by
		c.nc.SetReadDeadline(by)
	}
}

// finish tells the peer that nothing more comes from s, if s is alone here, and gives it a moment to hang up first. A connection that is closed
// while something of the peer's is still unread is reset, and then the peer loses what it has not read yet.
func (c *conn) finish(ctx context.Context, s *Session) {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || !c.endsWith(s) {
		return
	}
	c.w.stop()
	if c.w.flush(ctx) != nil || hop.Alert(c.nc, half.CloseWrite) != nil {
		return
	}
	t := time.NewTimer(lingerTimeout)
	defer t.Stop()
	select {
	case <-c.done:
	case <-t.C:
	case <-ctx.Done():
	}
}

// endsWith tells whether s is alone here; then no other session joins it.
func (c *conn) endsWith(s *Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = c.ending || len(c.sessions) == 1 && !c.stays() && c.sessions[s.uri.SessionID] == s
	return c.ending
}

// stays, under mu, tells whether the connection is kept without a session.
func (c *conn) stays() bool { return c.parked > 0 || c.relay != nil && c.relay.shared }

func (c *conn) wasShared() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shared
}

// takesNoMore tells whether the connection is about to be closed.
func (c *conn) takesNoMore() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending || c.closed()
}

// attach binds a session to the connection, false if it takes no more.
func (c *conn) attach(s *Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending || c.closed() {
		return false
	}
	if c.unbound {
		c.unbound = false
		c.e.unbound.Add(-1)
		c.nc.SetReadDeadline(time.Time{})
	}
	c.sessions[s.uri.SessionID] = s
	c.joined()
	c.shared = c.shared || len(c.sessions) > 1
	return true
}

// detach closes the connection when its last session is gone.
func (c *conn) detach(s *Session) {
	c.mu.Lock()
	delete(c.sessions, s.uri.SessionID)
	last := len(c.sessions) == 0 && !c.stays()
	c.ending = c.ending || last // nobody comes in between
	c.mu.Unlock()
	if last {
		c.close(ErrClosed)
	}
}

// park keeps the connection for a request that waits for its session, false if it takes no more sessions.
func (c *conn) park() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending || c.closed() {
		return false
	}
	c.parked++
	return true
}

// unpark is called when the request is answered. A connection without a session has then a moment to name one.
func (c *conn) unpark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parked--
	if len(c.sessions) > 0 || c.stays() || c.relay != nil || c.unbound || c.closed() {
		return
	}
	c.unbound = true
	c.e.unbound.Add(1)
	c.bindBy = time.Now().Add(lingerTimeout)
	c.nc.SetReadDeadline(c.bindBy)
}

func (c *conn) read() error {
	for {
		f, err := c.dec.Next()
		if err != nil {
			return err
		}
		if !f.IsRequest() {
			c.response(f)
			continue
		}
		if err := c.request(f); err != nil {
			return err
		}
		c.w.relieve()
	}
}
