package msrp

import (
	"context"
	"strings"
)

// link is a connection that active sessions to one next hop share, or the dialling of one.
type link struct {
	hop     string
	dialled chan struct{} // closed once the rest is set
	conn    *conn         // nil if there is none
	err     error         // that of the network; nil if only the session that dialled gave up
}

// hop is what sessions that share a connection have in common: all that the connection was dialled for and verified against. Behind one address of a
// middlebox may be many hosts (RFC 6714 section 6.3), so the host of the path counts too.
func (s *Session) hop() string {
	u := s.remote[0]
	hop := u.hostport() + " " + s.address + " " + s.prints.String()
	if u.Secure {
		hop = "TLS " + hop
	}
	return strings.ToLower(hop)
}

// reach gives an active session a connection to its next hop: where they are shared, that of another session, which may still be dialling.
func (s *Session) reach(ctx context.Context) (*conn, error) {
	switch {
	case s.relay != nil:
		return s.relay.carry(s)
	case !s.e.o.ShareConnections:
		return s.open(ctx)
	}
	for {
		l, found := s.e.link(s.hop())
		if !found {
			c, err := s.open(ctx)
			s.e.settle(l, c, err, ctx.Err() != nil || s.ended())
			return c, err
		}
		select {
		case <-l.dialled:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case l.conn != nil && s.take(l.conn):
			return l.conn, nil
		case s.ended():
			return nil, s.Err()
		case l.err != nil:
			return nil, l.err
		}
		s.e.unlink(l) // it is being closed
	}
}

// lost tells the session that its connection c is closed. That ends it, unless Connect can try again.
func (s *Session) lost(c *conn, err error) {
	if s.leave(c) {
		return
	}
	s.mu.Lock()
	mine := s.conn == c
	s.mu.Unlock()
	if mine {
		s.end(err)
	}
}

// leave takes a session that its peer does not know yet off a closed connection that others use too: the peer may have hung up because the last session that it
// knew there had ended.
func (s *Session) leave(c *conn) bool {
	s.mu.Lock()
	if s.conn != c || !s.guest || s.err != nil || !c.wasShared() {
		s.mu.Unlock()
		return false
	}
	s.conn = nil
	inflight := s.inflight
	s.inflight = nil
	for _, r := range inflight {
		r.d.end(c.err)
	}
	s.mu.Unlock()
	for _, r := range inflight {
		s.settled(r.bytes, nil)
	}
	return true
}

// settleIn ends a session's time as a guest on c with what came of its first request, and tells whether the connection was lost.
func (s *Session) settleIn(c *conn, err error) (lost bool) {
	if err != nil && c.closed() {
		s.leave(c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guest = false
	return s.conn == nil && s.err == nil
}

// link finds the link to a hop, or makes one for the caller to settle.
func (e *Endpoint) link(hop string) (l *link, found bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l := e.links[hop]; l != nil {
		return l, true
	}
	l = &link{hop: hop, dialled: make(chan struct{})}
	e.links[hop] = l
	return l, false
}

// settle tells those who wait for l what came of the dialling. The next of them dials if the session that did so gave up.
func (e *Endpoint) settle(l *link, c *conn, err error, gaveUp bool) {
	if !gaveUp {
		l.err = err
	}
	e.mu.Lock()
	if c != nil && !c.closed() {
		l.conn, c.link = c, l
	} else {
		delete(e.links, l.hop)
	}
	e.mu.Unlock()
	close(l.dialled)
}

// unlink forgets a link whose connection takes no more sessions.
func (e *Endpoint) unlink(l *link) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop(l)
}

// drop, under e.mu, forgets l, which may be nil.
func (e *Endpoint) drop(l *link) {
	if l != nil && e.links[l.hop] == l {
		delete(e.links, l.hop)
	}
}
