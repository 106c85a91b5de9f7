package msrp

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// Relay is a way through one relay, or through several (RFC 4976): a connection to the first of them, and URIs that lead back over it. Sessions take
// it with SessionOptions.Relay. The URIs are renewed before they expire. When the connection is lost, or a URI cannot be renewed and has expired, the
// Relay ends, and so do the sessions that it carries; for new ones DialRelay gives another. It is safe for concurrent use.
type Relay struct {
	e      *Endpoint
	shared bool
	conn   *conn
	own    URI      // the From-Path of AUTH, and the URI of the one session unless shared
	leases []*lease // of each relay, the first hop first. Of DialRelay and then of keep
	path   Path     // Use-Path: the first hop first. It does not change once DialRelay has returned

	ended  context.Context // until the Relay ends, with the reason as its cause
	cancel context.CancelCauseFunc

	pending atomic.Pointer[transaction] // the AUTH under way; there is one at a time (RFC 4976 section 9.1)

	mu       sync.Mutex
	taken    bool // has or had a session
	sessions map[*Session]struct{}
}

// Path is what stands before our own URI in the SDP attribute "path": the URIs of the relays, the outermost first (RFC 4976 section 5.1). They are secrets of the
// two ends of a session. Session.LocalPath has them and the session's own URI.
func (r *Relay) Path() Path {
	p := slices.Clone(r.path)
	slices.Reverse(p)
	return p
}

// Done is closed when the Relay has ended.
func (r *Relay) Done() <-chan struct{} { return r.ended.Done() }

// Err is nil while the Relay lives; then why it ended: ErrClosed for Close and for the end of the one session of a Relay that is not shared, one
// wrapping ErrExpired, or what happened to the connection.
func (r *Relay) Err() error { return context.Cause(r.ended) }

// Close ends the Relay and the sessions that it carries at once. It is idempotent and safe from any goroutine; after it returns no goroutine of
// the Relay runs.
func (r *Relay) Close() error {
	r.end(ErrClosed)
	r.conn.wg.Wait()
	return nil
}

// end ends the Relay for the reason err, with its sessions and its connection.
func (r *Relay) end(err error) {
	r.mu.Lock()
	r.cancel(err)
	sessions := r.sessions
	r.sessions = nil
	r.mu.Unlock()
	for s := range sessions {
		s.end(r.Err())
	}
	r.conn.close(r.Err())
}

// admit gives a new session its URI, or says why it cannot be carried.
func (r *Relay) admit(s *Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.Err() != nil:
		return r.Err()
	case r.taken && !r.shared:
		return ErrRelayInUse
	}
	r.taken = true
	r.sessions[s] = struct{}{}
	return nil
}

// release lets go of a session that has ended, and a Relay that is not shared ends with it.
func (r *Relay) release(s *Session) {
	r.mu.Lock()
	delete(r.sessions, s)
	r.mu.Unlock()
	if !r.shared {
		r.end(ErrClosed)
	}
}

// carry gives a session the relay's connection.
func (r *Relay) carry(s *Session) (*conn, error) {
	if s.take(r.conn) {
		return r.conn, nil
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return nil, r.lost() // its connection takes no more sessions because of that
}

// lost is what a Relay has ended with whose connection is being closed.
func (r *Relay) lost() error {
	<-r.ended.Done()
	return r.Err()
}
