package relay

import (
	"container/list"
	"errors"
)

// Why a connection is closed that could not go on.
var (
	errEvicted = errors.New("relay: closed to make room: it had not authenticated")
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
func (r *Relay) admit(c *conn) (oldest *conn, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.draining {
		return nil, ErrClosed
	}
	if len(r.conns) >= r.o.MaxConnections || r.strangers.list.Len() >= r.o.MaxUnauthenticated {
		if oldest = r.strangers.oldest(); oldest == nil {
			return nil, errFull
		}
		r.strangers.remove(oldest)
		delete(r.conns, oldest)
	}
	r.strangers.add(c)
	r.register(c)
	return oldest, nil
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
	}
	for _, h := range append(c.served, c.hop) {
		if r.hops[h] == c {
			delete(r.hops, h)
		}
	}
}
