package msrp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conn is one connection. Its read loop hands frames to the sessions bound to it and never waits for an application, but for pause.
// Where locks are held together, Session.mu comes before conn.mu and writer.mu; Endpoint.mu is held alone.
type conn struct {
	e      *Endpoint
	nc     net.Conn
	secure bool // runs over TLS
	dec    *Decoder
	w      *writer
	wg     sync.WaitGroup // the read loop, and the writer while it writes
	done   chan struct{}  // closed under mu
	err    error          // why, once done is closed
	link   *link          // under e.mu: that of sessions which share the connection

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
	h, ok := c.nc.(interface{ HandshakeContext(context.Context) error })
	if !ok {
		return nil
	}
	by, _ := c.deadline()
	ctx, cancel := context.WithDeadline(context.Background(), by)
	defer cancel()
	return h.HandshakeContext(ctx)
}

// Read is for the Decoder. A bound peer may be silent between two frames, but not within one.
func (c *conn) Read(p []byte) (int, error) {
	if within := c.dec.within(); (within || c.paced) && !c.isUnbound() {
		c.paced = within
		deadline := time.Time{}
		if within {
			deadline = time.Now().Add(partialTimeout)
		}
		c.nc.SetReadDeadline(deadline)
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
	c.alert(c.nc.Close)
	c.e.mu.Lock()
	delete(c.e.conns, c)
	c.e.drop(c.link)
	c.e.mu.Unlock()
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

// alert runs one of the closing functions of the network connection. TLS sends a last alert there, for which a peer that does not read
// could make it wait.
func (c *conn) alert(end func() error) error {
	if tc, ok := c.nc.(*tls.Conn); ok {
		t := time.AfterFunc(alertTimeout, func() { tc.NetConn().Close() })
		defer t.Stop()
	}
	return end()
}

// finish tells the peer that nothing more comes from s, if s is alone here, and gives it a moment to hang up first. A connection that is closed
// while something of the peer's is still unread is reset, and then the peer loses what it has not read yet.
func (c *conn) finish(ctx context.Context, s *Session) {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || !c.endsWith(s) {
		return
	}
	c.w.stop()
	if c.w.flush(ctx) != nil || c.alert(half.CloseWrite) != nil {
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
	c.ending = c.ending || len(c.sessions) == 1 && c.parked == 0 && c.sessions[s.uri.SessionID] == s
	return c.ending
}

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
	last := len(c.sessions) == 0 && c.parked == 0
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
	if len(c.sessions) > 0 || c.parked > 0 || c.unbound || c.closed() {
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
	}
}

// later is the status of a request that has to wait for its answer, or gets none because the connection is about to be closed.
const later = -1

func (c *conn) request(f *Frame) error {
	s, code := c.route(f)
	if code == 0 && f.Invalid != nil {
		code = StatusBadRequest
	}
	switch method := string(f.Method); {
	case code == later:
		return nil
	case code != 0:
		return c.refuse(f, code)
	case method == MethodSend:
		return s.receive(c, f)
	case method == MethodReport:
		s.report(f)
		return nil
	}
	return c.respond(f, StatusUnknownMethod) // RFC 4975 section 12
}

// route finds the session that a request is for and checks both of its paths; a status other than 0 is the refusal (RFC 4975 section 7.3).
func (c *conn) route(f *Frame) (*Session, int) {
	s := c.last
	if s == nil || string(f.ToPath) != s.seenTo {
		s = c.carried(f.ToPath)
	}
	if s != nil && string(f.ToPath) == s.seenTo && string(f.FromPath) == s.seenFrom && !s.ended() {
		c.last = s
		return s, 0
	}
	to, err := ParseURI(string(f.ToPath)) // one URI: we are an endpoint, not a relay
	if err != nil {
		return nil, StatusNoSession
	}
	if s = c.e.session(to.SessionID); s == nil || !s.isOwn(to) {
		return nil, StatusNoSession
	}
	from, err := ParsePath(string(f.FromPath))
	if err != nil {
		return nil, StatusBadRequest
	}
	if code := c.bind(s, f, from); code != 0 {
		return nil, code
	}
	c.last, s.seenTo, s.seenFrom = s, string(f.ToPath), string(f.FromPath)
	return s, 0
}

// bind lets a request wait for Connect if it must, and bind its session.
func (c *conn) bind(s *Session, f *Frame, from Path) int {
	send := string(f.Method) == MethodSend
	if send && !s.isReady() {
		if !f.HasBody() && s.park(c, f, from) {
			return later
		}
		switch {
		case s.awaitPath(c):
		case c.takesNoMore():
			return later
		default:
			return StatusNoSession
		}
	}
	return s.bind(c, from, send)
}

// carried finds the session of this connection whose session-id stands in a URI.
func (c *conn) carried(uri []byte) *Session {
	id := sessionID(uri)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions[string(id)]
}

// sessionID finds the session-id in the text of a URI, and nothing in what is none.
func sessionID(uri []byte) []byte {
	_, rest, _ := bytes.Cut(uri, []byte("://"))
	_, rest, _ = bytes.Cut(rest, []byte{'/'})
	id, _, _ := bytes.Cut(rest, []byte{';'})
	return id
}

// response hands a response to the session whose request it answers. One for no request of ours on this connection is ignored.
func (c *conn) response(f *Frame) {
	s := c.last
	if s == nil || string(f.ToPath) != s.own {
		if s = c.carried(f.ToPath); s == nil {
			return
		}
		if to, err := ParseURI(string(f.ToPath)); err != nil || to.SessionID != s.uri.SessionID || !s.isOwn(to) {
			return
		}
	}
	c.last = s
	s.answered(f)
}

// refuse answers a request with a status. A connection that is not allowed what it wants, and carries no session, is closed.
func (c *conn) refuse(f *Frame, code int) error {
	if code == StatusForbidden {
		c.hurry()
	}
	return c.respond(f, code)
}

// respond answers a request, if its sender wants an answer (RFC 4975 section 7.2).
func (c *conn) respond(f *Frame, code int) error {
	if b := response(f, code); b != nil {
		return c.w.push(b)
	}
	return nil
}

// response is the answer to a request, nil if its sender wants none.
func response(f *Frame, code int) []byte {
	if bytes.EqualFold(f.FailureReport, []byte("no")) ||
		code == StatusOK && bytes.EqualFold(f.FailureReport, []byte("partial")) || string(f.Method) == MethodReport {
		return nil
	}
	text, back := comment(code), f.FromPath
	if string(f.Method) == MethodSend {
		back = firstURI(back) // only to the hop before; any other response goes all the way
	}
	b := newBuffer(smallBytes)
	b = append(append(b, "MSRP "...), f.TransactionID...)
	b = append(b, ' ', byte('0'+code/100), byte('0'+code/10%10), byte('0'+code%10), ' ')
	b = append(append(b, text...), "\r\nTo-Path: "...)
	b = append(append(b, back...), "\r\nFrom-Path: "...)
	b = append(append(b, firstURI(f.ToPath)...), "\r\n-------"...)
	return append(append(b, f.TransactionID...), "$\r\n"...)
}

func firstURI(path []byte) []byte {
	if i := bytes.IndexByte(path, ' '); i >= 0 {
		return path[:i]
	}
	return path
}
