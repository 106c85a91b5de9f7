package msrp

import (
	"bytes"
	"slices"
	"time"
)

// early is the first request of a peer that is faster than the SDP answer which brings us its path. It waits for Connect, and its connection goes on meanwhile.
type early struct {
	c     *conn
	f     Frame // what its response needs
	from  Path
	timer *time.Timer
}

// park keeps a request without a body until Connect, for bindTimeout at most. False if Connect has been called, or if another one waits.
func (s *Session) park(c *conn, f *Frame, from Path) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.remote != nil || s.early != nil && !s.early.c.closed() || !c.park() {
		return false
	}
	if s.early != nil {
		s.early.timer.Stop()
	}
	e := &early{c: c, from: from, f: Frame{
		TransactionID: bytes.Clone(f.TransactionID), Method: bytes.Clone(f.Method),
		ToPath: bytes.Clone(f.ToPath), FromPath: bytes.Clone(f.FromPath), FailureReport: bytes.Clone(f.FailureReport),
	}}
	e.timer = time.AfterFunc(bindTimeout, func() {
		s.mu.Lock()
		late := s.early == e
		if late {
			s.early = nil
		}
		s.mu.Unlock()
		if late {
			e.answer(StatusNoSession)
		}
	})
	s.early = e
	return true
}

// answer gives the request the response that it has waited for; whoever took it out of its session calls it.
func (e *early) answer(code int) {
	e.timer.Stop()
	switch code {
	case 0:
		code = StatusOK
	case later:
		return // the connection is about to be closed
	}
	if err := e.c.refuse(&e.f, code); err != nil {
		e.c.close(err)
	}
	e.c.unpark()
}

// bind decides about a request for s that came on c: it checks the peer's path and what is demanded of the connection, and a SEND gives a passive session without a
// connection this one (RFC 4975 section 5.4). It returns 0 or the status to refuse with.
func (s *Session) bind(c *conn, from Path, send bool) int {
	s.mu.Lock()
	has, p := s.conn, s.peer
	s.guest = s.guest && has != c // the peer knows us
	s.mu.Unlock()
	switch {
	case p.remote == nil || !s.isPeer(from) && (send || !s.isHop(from)):
		return StatusNoSession
	case has == c:
		return 0
	case !send:
		return StatusNoSession
	case has != nil || p.role != Passive:
		return StatusSessionInUse
	case s.uri.Secure && !c.secure:
		return StatusForbidden
	}
	if err := p.prints.check(c.certificates()); err != nil {
		s.turnedAway(err)
		return StatusForbidden
	}
	switch {
	case s.take(c):
		return 0
	case c.takesNoMore():
		return later // the peer sees it close
	}
	return StatusSessionInUse
}

// turnedAway notes why a connection was not taken, for Connect and, once, for the log.
func (s *Session) turnedAway(err error) {
	s.mu.Lock()
	first := s.refused == nil
	s.refused = err
	s.mu.Unlock()
	if first {
		s.e.o.Logger.Warn("msrp: connection refused", "error", err)
	}
}

// take makes c the session's connection, false if the session has ended or has one, or if c is being closed.
func (s *Session) take(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.conn != nil || !c.attach(s) {
		return false
	}
	s.conn, s.guest, s.lastSent = c, s.role == Active && s.relay == nil, time.Now()
	s.keepAlive(s.lastSent)
	if s.role == Passive {
		close(s.bound)
	}
	return true
}

// awaitPath waits until Connect has told the peer's path. A connection that carries another session does not wait, and no other waits longer than it may be
// without a session.
func (s *Session) awaitPath(c *conn) bool {
	if s.isReady() {
		return true
	}
	by, unbound := c.deadline()
	switch {
	case c.relay != nil && !c.relay.shared: // it has no other session
		by = time.Now().Add(bindTimeout)
	case !unbound:
		return false
	}
	t := time.NewTimer(time.Until(by))
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

// isReady tells whether Connect has told the peer's path.
func (s *Session) isReady() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// isOwn tells whether u, which has our session-id, is our URI.
func (s *Session) isOwn(u URI) bool { return s.byID || u.Equal(s.uri) }

// isPeer tells whether from is the path of the peer's requests. Connect has been called.
func (s *Session) isPeer(from Path) bool {
	return from.Equal(s.remote) || s.byID && sameID(from[len(from)-1], s.remote[len(s.remote)-1])
}

// isHop tells whether from is the path of a relay's own requests, the REPORTs about what it could not pass on (RFC 4976 section 6.4.1): that to the peer up to
// this relay. Connect has been called.
func (s *Session) isHop(from Path) bool {
	if len(from) >= len(s.remote) {
		return false
	}
	way := s.remote[:len(from)]
	return from.Equal(way) || s.byID && slices.EqualFunc(from, way, sameID)
}

// mayAnswer tells whether path is the From-Path of responses to our requests: the next hop alone, or the whole path if relays have passed the
// response on, as they do for requests other than SEND (RFC 4976 section 6.4.3). Connect has been called.
func (s *Session) mayAnswer(path []byte) bool {
	if string(path) == s.nextHop || bytes.Equal(path, s.toPath) {
		return true
	}
	p, err := ParsePath(string(path))
	if err != nil {
		return false
	}
	return s.isPeer(p) || len(p) == 1 && (p[0].Equal(s.remote[0]) || s.byID && sameID(p[0], s.remote[0]))
}

func sameID(u, v URI) bool { return u.SessionID == v.SessionID && u.SessionID != "" }
