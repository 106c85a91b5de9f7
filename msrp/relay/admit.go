package relay

import (
	"container/list"
	"errors"
)

// Why a connection is closed that could not go on.
var (
	errEvicted = errors.New("relay: closed to make room for others")
	errFull    = errors.New("relay: too many connections")
)

// strangers are the connections that have had no request granted so far, the oldest first.
type strangers struct{ list list.List }

func (s *strangers) add(c *conn) { c.place = s.list.PushBack(c) }

// remove tells whether c was one.
func (s *strangers) remove(c *conn) bool {
	if c.place == nil {
		return false
	}
	s.list.Remove(c.place)
	c.place = nil
	return true
}

func (s *strangers) oldest() *conn {
	if s.list.Front() == nil {
		return nil
	}
	return s.list.Front().Value.(*conn)
}

// admit takes in an accepted connection, and returns the one to be closed for it, if there is one.
func (r *Relay) admit(c *conn) (victim *conn, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.draining {
		return nil, ErrClosed
	}
	if r.strangers.list.Len() >= r.o.MaxUnauthenticated {
		victim = r.strangers.oldest()
	} else if len(r.conns) >= r.o.MaxConnections {
		if victim = r.dispensable(); victim == nil {
			return nil, errFull
		}
	}
	if victim != nil {
		r.strangers.remove(victim)
		delete(r.conns, victim)
	}
	r.strangers.add(c)
	r.register(c)
	return victim, nil
}

// dispensable returns, under r.mu, a connection that can go when there are too many: the oldest that has not authenticated, else about the least recently used
// (RFC 4976 section 6.5) of those that are no client's; nil if there is none.
func (r *Relay) dispensable() *conn {
	if c := r.strangers.oldest(); c != nil {
		return c
	}
	const sample = 64 // of all: a map gives them in random order
	var found *conn
	n := 0
	for c := range r.conns {
		if n++; n > sample {
			break
		}
		if !c.isClient() && (found == nil || c.used.Load() < found.used.Load()) {
			found = c
		}
	}
	return found
}

// register, under r.mu, takes in a connection whose goroutine is about to start.
func (r *Relay) register(c *conn) {
	r.lastID++
	c.id = r.lastID
	r.conns[c] = struct{}{}
	r.wg.Add(1)
}

// forget takes a closed connection off the books.
func (r *Relay) forget(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.strangers.remove(c)
	delete(r.conns, c)
	if c.dialler != nil {
		c.dialler.dialled--
		r.dismiss(c.dialler)
	}
	for _, h := range append(c.served, c.hop) {
		if r.hops[h] == c {
			delete(r.hops, h)
		}
	}
}
