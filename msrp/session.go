package msrp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Session is one MSRP session: two endpoints that exchange messages. It is safe for concurrent use.
type Session struct {
	e     *Endpoint
	uri   URI    // our own
	own   string // its text, the From-Path of our requests
	byID  bool   // SessionOptions.MatchSessionID
	relay *Relay // SessionOptions.Relay
	done  chan struct{}

	ready chan struct{} // closed once Connect has told the peer's path
	bound chan struct{} // closed once there is a connection

	// Of the read loop: the paths of the last request, which have been checked.
	seenTo, seenFrom string

	mu         sync.Mutex
	peer              // set by Connect
	early      *early // waits for Connect
	refused    error  // why a connection was not taken
	toPath     []byte // the text of the remote path
	nextHop    string // the From-Path of responses
	direct     bool   // no relay between us and the peer
	cancel     func() // stops Connect
	conn       *conn
	guest      bool // the peer does not know of us yet
	shutdown   bool // Send takes nothing more
	hungUp     bool // Shutdown has sent its last
	err        error
	timer      *time.Timer // runs sweep
	wakeAt     time.Time   // when; zero if the timer is not set
	inflight   []request
	lastSent   time.Time            // a request
	dead       error                // what a keep-alive ended with
	reports    map[string]*Delivery // wait for a success report, or are chunked
	oldest     *Delivery            // of those that wait for a report
	newest     *Delivery
	unreported int       // so many
	late       []*Report // wait for ReceiveReport
	moreLate   chan struct{}
	silents    []silent
	nextSilent int

	acceptTypes []string
	window      window
	inbox       inbox
}

func newSession(e *Endpoint, u URI, o *SessionOptions) *Session {
	return &Session{
		e: e, uri: u, own: u.String(), byID: o.MatchSessionID, relay: o.Relay, done: make(chan struct{}), ready: make(chan struct{}), bound: make(chan struct{}),
		acceptTypes: slices.Clone(o.AcceptTypes), inbox: newInbox(&e.o),
	}
}

// LocalPath is our side of the session, for the SDP attribute "path": the URIs of SessionOptions.Relay, the outermost first, and the session's own.
func (s *Session) LocalPath() Path {
	if s.relay == nil {
		return Path{s.uri}
	}
	return append(s.relay.Path(), s.uri)
}

// RemotePath is the peer's side as it was given to Connect, nil before.
func (s *Session) RemotePath() Path {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.relay != nil && s.remote != nil {
		return slices.Clone(s.remote[len(s.relay.path):])
	}
	return slices.Clone(s.remote)
}

func (s *Session) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
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
	if err := s.window.acquire(ctx, s.done, nil, windowBytes+1); err != nil {
		return ignoreClosed(err)
	}
	s.mu.Lock()
	s.hungUp = true
	for _, d := range s.reports {
		if !d.handed {
			d.end(ErrClosed)
		}
	}
	s.mu.Unlock()
	if err := c.w.flush(ctx); err != nil {
		return ignoreClosed(err)
	}
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
	if s.relay != nil && !s.relay.shared {
		return s.relay.Close()
	}
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
	early := s.early
	s.early = nil
	for _, r := range s.inflight {
		r.d.end(err)
	}
	for _, d := range s.reports {
		d.end(err)
	}
	s.inflight, s.silents = nil, nil
	s.mu.Unlock()
	s.inbox.close()
	s.e.mu.Lock()
	delete(s.e.sessions, s.uri.SessionID)
	s.e.mu.Unlock()
	if early != nil {
		early.answer(StatusNoSession)
	}
	if c != nil {
		c.detach(s)
	}
	if s.relay != nil {
		s.relay.release(s)
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
