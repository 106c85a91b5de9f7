package msrp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Role says which side opens the connection of a session (RFC 6135, the SDP attribute "setup").
type Role uint8

// The two roles.
const (
	Active  Role = iota + 1 // we dial and send the first request
	Passive                 // the peer does
)

// Session is one MSRP session: two endpoints that exchange messages. It is safe for concurrent use.
type Session struct {
	e    *Endpoint
	uri  URI    // our own
	own  string // its text, the From-Path of our requests
	done chan struct{}

	ready chan struct{} // closed once Connect has told the peer's path
	bound chan struct{} // closed once there is a connection

	mu       sync.Mutex
	role     Role
	remote   Path
	toPath   []byte // its text
	nextHop  string // the From-Path of responses
	direct   bool   // no relay between us and the peer
	cancel   func() // stops Connect
	conn     *conn
	shutdown bool // Send takes nothing more
	hungUp   bool // Shutdown has sent its last
	err      error
	timer    *time.Timer // runs sweep
	wakeAt   time.Time   // when; zero if the timer is not set
	inflight []request
	reports  []*Delivery // wait for a success report, oldest first
	partials map[string]*partial
	gathered int // bytes in partials

	window window
	inbox  inbox
}

func newSession(e *Endpoint, u URI) *Session {
	return &Session{
		e: e, uri: u, own: u.String(), done: make(chan struct{}), ready: make(chan struct{}), bound: make(chan struct{}),
		inbox: inbox{messages: make(chan *Message, e.o.InboxMessages), most: e.o.InboxBytes},
	}
}

// LocalPath is our side of the session, for the SDP attribute "path".
func (s *Session) LocalPath() Path { return Path{s.uri} }

// RemotePath is the peer's side, nil before Connect.
func (s *Session) RemotePath() Path {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.remote)
}

// Connect binds the session to a connection: an Active side dials the first hop and sends an empty request, which the peer must
// accept; a Passive side waits for the peer's first request (RFC 4975 section 5.4). An Active side gives up after 30 s for the
// connection with its TLS and 30 s for the answer, a Passive one waits as long as ctx lets it. Call it once.
//
// Errors: one wrapping ErrMalformed for a path that cannot go on the wire, ErrInsecure for a path without TLS in a session with it, ErrNoTLS, *StatusError
// for a refusal, ctx's error, or what the network said. After an error the session is closed, unless remote or role was at fault.
func (s *Session) Connect(ctx context.Context, remote Path, role Role, o *ConnectOptions) error {
	if err := s.checkRemote(remote, role); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := s.prepare(remote, role, cancel)
	if err != nil {
		return err
	}
	if role == Active {
		err = s.dial(ctx)
	} else {
		err = s.await(ctx)
	}
	if err != nil {
		s.end(err)
		return s.Err() // of what came first
	}
	return nil
}

// checkRemote also stands between a path made by hand and the wire.
func (s *Session) checkRemote(remote Path, role Role) error {
	if len(remote) == 0 || role != Active && role != Passive {
		return errors.New("msrp: Connect needs a path and a role")
	}
	if p, err := ParsePath(remote.String()); err != nil || !slices.Equal(p, remote) {
		return malformed("path given to Connect")
	}
	if s.uri.Secure && !remote[0].Secure {
		return ErrInsecure
	}
	return nil
}

func (s *Session) prepare(remote Path, role Role, cancel func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.remote != nil {
		return errors.New("msrp: Connect was called before")
	}
	s.remote, s.role, s.cancel = slices.Clone(remote), role, cancel
	s.toPath = remote.Append(nil)
	s.nextHop = remote[0].String()
	s.direct = len(remote) == 1
	close(s.ready)
	return nil
}

func (s *Session) await(ctx context.Context) error {
	select {
	case <-s.bound:
		return nil
	case <-s.done:
		return s.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Session) dial(ctx context.Context) error {
	hop := s.remote[0]
	if hop.Secure && s.e.o.TLS == nil {
		return ErrNoTLS
	}
	nc, err := s.open(ctx, hop)
	if err != nil {
		return err
	}
	c, err := s.e.start(nc, false)
	if err != nil {
		nc.Close()
		return err
	}
	if !s.take(c) {
		c.close(ErrClosed)
		c.wg.Wait()
		return s.Err()
	}
	d, err := s.Send(ctx, &Message{}) // binds the session
	if err != nil {
		return err
	}
	return d.Wait(ctx)
}

// open dials a hop, with TLS if its URI says so.
func (s *Session) open(ctx context.Context, hop URI) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := s.e.o.Dialer.DialContext(ctx, "tcp", hop.hostport())
	if err != nil {
		return nil, fmt.Errorf("msrp: %w", err)
	}
	return s.secure(ctx, nc, hop)
}

// secure runs TLS towards an msrps hop.
func (s *Session) secure(ctx context.Context, nc net.Conn, hop URI) (net.Conn, error) {
	if !hop.Secure {
		return nc, nil
	}
	cfg := s.e.o.TLS.Clone()
	cfg.DynamicRecordSizingDisabled = true // one frame, one record: AG Projects' relay needs it
	if cfg.ServerName == "" {
		cfg.ServerName = hop.Host
	}
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("msrp: TLS to %s: %w", hop.hostport(), err)
	}
	return tc, nil
}

// take makes c the session's connection, false if the session has ended or has one.
func (s *Session) take(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.conn != nil || !c.attach(s) {
		return false
	}
	s.conn = c
	close(s.bound)
	return true
}

// bind is called by a read loop with a request for s that came on c: it checks the peer's path and, for a passive session without a
// connection, takes this one. It returns 0 or the status to refuse with.
func (s *Session) bind(c *conn, from Path) int {
	if !s.awaitPath(c) {
		return StatusNoSession
	}
	s.mu.Lock()
	has, role, same := s.conn, s.role, from.Equal(s.remote)
	s.mu.Unlock()
	switch {
	case !same:
		return StatusNoSession
	case has == c:
		return 0
	case s.uri.Secure && !c.secure:
		return StatusForbidden
	case has != nil || role != Passive:
		return StatusSessionInUse
	case !s.take(c):
		return StatusSessionInUse
	}
	return 0
}

// awaitPath waits until Connect has told the peer's path: a peer may be faster than the answer that brings it to us. A connection
// that carries another session does not wait, and no other waits longer than it may be without a session.
func (s *Session) awaitPath(c *conn) bool {
	select {
	case <-s.ready:
		return true
	default:
	}
	if !c.isUnbound() {
		return false
	}
	t := time.NewTimer(time.Until(c.bindBy))
	defer t.Stop()
	select {
	case <-s.ready:
		return true
	case <-s.done:
	case <-c.done:
	case <-t.C:
	}
	return false
}

func (s *Session) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// on tells whether c is the session's connection.
func (s *Session) on(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn == c
}

// Shutdown takes no new message, waits until those that Send has taken are written and answered, as far as answers were asked for, and
// closes. It closes its own direction of the connection first and gives the peer up to a second to follow, so that the peer
// loses nothing of what was written. It does not wait for success reports. A Send that has not returned may fail with ErrClosed. The error is
// ctx's if it ended first; the session is closed in any case.
func (s *Session) Shutdown(ctx context.Context) error {
	err := s.drain(ctx)
	return errors.Join(err, s.Close())
}

func (s *Session) drain(ctx context.Context) error {
	s.mu.Lock()
	s.shutdown = true
	c := s.conn
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	// What is larger than the window gets it only when it is empty, so when everything is answered.
	if err := s.window.acquire(ctx, s.done, windowBytes+1); err != nil {
		return ignoreClosed(err)
	}
	if err := c.w.wait(ctx, 0); err != nil {
		return ignoreClosed(err)
	}
	s.mu.Lock()
	s.hungUp = true
	s.mu.Unlock()
	c.finish(ctx, s)
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// Close ends the session at once, and its connection if no other session uses it. Every Delivery that has no outcome fails with
// ErrClosed. It is idempotent and safe from any goroutine; after it returns no goroutine of the session runs.
func (s *Session) Close() error {
	s.end(ErrClosed)
	<-s.done // another goroutine may be at it
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	if c != nil && c.closed() { // else another session uses it
		c.wg.Wait()
	}
	return nil
}

// end closes the session for the reason err.
func (s *Session) end(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	if s.hungUp {
		err = ErrClosed // the peer only follows
	}
	s.err = err
	c := s.conn
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.cancel != nil {
		s.cancel()
	}
	inflight, reports := s.inflight, s.reports
	s.inflight, s.reports, s.partials = nil, nil, nil
	for _, r := range inflight {
		r.d.end(err)
	}
	for _, d := range reports {
		d.end(err)
	}
	s.mu.Unlock()
	s.e.mu.Lock()
	delete(s.e.sessions, s.uri.SessionID)
	s.e.mu.Unlock()
	if c != nil {
		c.detach(s)
	}
	close(s.done)
}

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err is nil while the session lives; then why it ended: ErrClosed for Close, or what happened to the connection.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
