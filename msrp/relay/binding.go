package relay

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/otrchat/otrchat/msrp"
)

// binding is a URI that the relay has given to a client (RFC 4976 section 6.3). It is good only for the connection on which the AUTH came, or, if that is
// another relay's, for all connections to that relay.
type binding struct {
	uri    msrp.URI
	user   *user
	conn   *conn       // nil behind another relay
	hop    nextHop     // that relay
	client msrp.Path   // the From-Path of the AUTH: the way back to the client
	gone   atomic.Bool // expired or unbound
	timer  *time.Timer // runs unbind

	mu    sync.Mutex
	peers map[string]*conn // those who are to be found on one connection alone, by the text of their URI
}

// user is one who has a URI.
type user struct {
	name     string
	sessions int          // URIs, under Relay.mu
	dialled  int          // connections to next hops, under Relay.mu
	pending  atomic.Int64 // requests of the user's without an answer
	bucket   bucket       // for what the user sends
	leaving  *time.Timer  // runs dismiss, while there is something to pay for
}

// dismiss forgets, under r.mu, a user who has nothing any more. Who has sent too much is remembered for a moment: leaving and coming back is no way round Options.Rate.
func (r *Relay) dismiss(u *user) {
	if u.sessions > 0 || u.dialled > 0 || r.closed {
		return
	}
	owes := u.bucket.owes(r.clock())
	switch {
	case owes == 0:
		delete(r.users, u.name)
	case u.leaving == nil:
		u.leaving = time.AfterFunc(owes, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			u.leaving = nil
			r.dismiss(u)
		})
	}
}

// covers tells whether path leads to the client, or from it: its relays are the same, the client's own URI may be another one, for each session one.
func (b *binding) covers(path msrp.Path) bool {
	n := len(b.client) - 1
	return len(path) == n+1 && path[:n].Equal(b.client[:n])
}

// isFrom tells whether what comes on c comes from the client's side.
func (b *binding) isFrom(c *conn) bool {
	if b.conn != nil {
		return b.conn == c
	}
	return c.proves(b.hop.host)
}

// way is the connection to the client's side, or the status to refuse with.
func (b *binding) way(r *Relay) (*conn, int) {
	if b.conn != nil {
		return b.conn, 0
	}
	return r.towards(b.hop, b.user)
}

// bind gives out a URI, or prolongs the one that the AUTH asks for or that the same client has. It returns nil if the user has too many.
func (r *Relay) bind(c *conn, name string, to msrp.URI, from msrp.Path, expires time.Duration) *binding {
	b := r.binding(to)
	if b == nil {
		b = c.bindingOf(from)
	}
	if b != nil && b.user.name == name && b.isFrom(c) && b.covers(from) && b.timer.Reset(expires) {
		return b
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.draining || r.users[name] != nil && r.users[name].sessions >= r.o.MaxSessions {
		return nil
	}
	b = &binding{uri: r.newURI(c), client: from}
	b.timer = time.AfterFunc(expires, func() { r.unbind(b) })
	if len(from) > 1 && c.proves(from[0].Host) {
		b.hop = relayAt(from[0])
	} else if b.conn = c; !c.attach(b) {
		b.timer.Stop()
		return nil
	}
	r.bindings[b.uri.SessionID] = b
	if b.user = r.users[name]; b.user == nil {
		b.user = &user{name: name}
		r.users[name] = b.user
	}
	b.user.sessions++
	return b
}

// unbind takes a URI back.
func (r *Relay) unbind(b *binding) {
	if b.gone.Swap(true) {
		return
	}
	r.mu.Lock()
	b.timer.Stop()
	delete(r.bindings, b.uri.SessionID)
	b.user.sessions--
	r.dismiss(b.user)
	r.leave()
	r.mu.Unlock()
	if b.conn != nil {
		b.conn.detach(b)
	}
}

// binding finds what a URI was given out for, nil if it was not or is so no longer.
func (r *Relay) binding(u msrp.URI) *binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bindings[u.SessionID]
	if b == nil || !b.uri.Equal(u) {
		return nil
	}
	return b
}

// attach makes the connection one of a client's, false if it is closed.
func (c *conn) attach(b *binding) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	if c.bindings == nil {
		c.bindings = map[*binding]struct{}{}
	}
	c.bindings[b] = struct{}{}
	return true
}

// isClient tells whether one has authenticated on the connection.
func (c *conn) isClient() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.bindings) > 0
}

// bindingOf finds what was given to the client with this path, nil if there is nothing.
func (c *conn) bindingOf(client msrp.Path) *binding {
	c.mu.Lock()
	defer c.mu.Unlock()
	for b := range c.bindings {
		if b.client.Equal(client) {
			return b
		}
	}
	return nil
}

func (c *conn) detach(b *binding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.bindings, b)
}
