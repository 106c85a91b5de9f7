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

	mu         sync.Mutex
	role       Role
	remote     Path
	remoteText string // the From-Path of the peer's requests
	toPath     []byte
	nextHop    string // the From-Path of responses
	direct     bool   // no relay between us and the peer
	cancel     func() // stops Connect
	conn       *conn
	connected  bool
	err        error
	timer      *time.Timer // runs sweep
	wakeAt     time.Time   // when; zero if the timer is not set
	inflight   []request
	reports    []*Delivery // wait for a success report, oldest first
	partials   map[string]*partial
	gathered   int // bytes in partials

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
// accept; a Passive side waits for the peer's first request (RFC 4975 section 5.4). Call it once. It returns ctx's error, *StatusError
// for a refusal, or what the network said; after an error the session is closed.
func (s *Session) Connect(ctx context.Context, remote Path, role Role) error {
	if len(remote) == 0 || role != Active && role != Passive {
		return fmt.Errorf("msrp: Connect needs a path and a role")
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
	s.remoteText, s.toPath = remote.String(), remote.Append(nil)
	s.nextHop = remote[0].String()
	s.direct = len(remote) == 1
	close(s.ready)
	return nil
}

func (s *Session) await(ctx context.Context) error {
	select {
	case <-s.bound:
		s.setConnected()
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
	nc, err := s.e.o.Dialer.DialContext(ctx, "tcp", hop.hostport())
	if err != nil {
		return fmt.Errorf("msrp: %w", err)
	}
	if nc, err = s.secure(ctx, nc, hop); err != nil {
		return err
	}
	c, err := s.e.start(nc, false)
	if err != nil {
		nc.Close()
		return err
	}
	if !s.take(c) {
		c.close(ErrClosed)
		return s.Err()
	}
	s.setConnected()
	d, err := s.Send(ctx, &Message{}) // binds the session
	if err != nil {
		return err
	}
	return d.Wait(ctx)
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

func (s *Session) setConnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected = true
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
// connection, takes this one. It returns 0 or the status to refuse with. A peer may be faster than our Connect, so bind waits for that,
// within bounds.
func (s *Session) bind(c *conn, from Path) int {
	t := time.NewTimer(bindTimeout)
	defer t.Stop()
	select {
	case <-s.ready:
	case <-s.done:
		return StatusNoSession
	case <-c.done:
		return StatusNoSession
	case <-t.C:
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
	case has != nil || role != Passive:
		return StatusSessionInUse
	case !s.take(c):
		return StatusSessionInUse
	}
	return 0
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

// Shutdown waits until what Send has accepted is written and answered, as far as answers were asked for, and closes. The error is
// ctx's if it ended first; the session is closed in any case.
func (s *Session) Shutdown(ctx context.Context) error {
	err := s.drain(ctx)
	return errors.Join(err, s.Close())
}

func (s *Session) drain(ctx context.Context) error {
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	for {
		if err := c.w.wait(ctx, 0); err != nil {
			return ignoreClosed(err)
		}
		s.mu.Lock()
		var last *Delivery
		if n := len(s.inflight); n > 0 {
			last = s.inflight[n-1].d
		}
		s.mu.Unlock()
		if last == nil {
			return nil
		}
		select {
		case <-last.sent:
		case <-s.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	if c != nil {
		select {
		case <-c.done:
			c.wg.Wait()
		default: // another session uses it
		}
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
	s.err = err
	c := s.conn
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.cancel != nil {
		s.cancel()
	}
	for _, r := range s.inflight {
		r.d.fail(err)
	}
	for _, d := range s.reports {
		d.fail(err)
	}
	s.inflight, s.reports = nil, nil
	close(s.done)
	s.mu.Unlock()
	s.e.mu.Lock()
	delete(s.e.sessions, s.uri.SessionID)
	s.e.mu.Unlock()
	if c != nil {
		c.detach(s)
	}
}

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err is nil while the session lives; then why it ended: ErrClosed for Close, or what happened to the connection.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
