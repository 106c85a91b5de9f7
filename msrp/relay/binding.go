package relay

import (
	"cmp"
	"crypto/rand"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otrchat/otrchat/msrp"
)

// binding is a URI that the relay has given to a client (RFC 4976 section 6.3). It is good only for the connection on which the AUTH came, or, if that is
// another relay's, for all connections to that relay.
type binding struct {
	uri    msrp.URI
	user   string
	conn   *conn       // nil behind another relay
	hop    nextHop     // that relay
	client msrp.Path   // the From-Path of the AUTH: the way back to the client
	gone   atomic.Bool // expired or unbound
	timer  *time.Timer // runs unbind

	mu    sync.Mutex
	peers map[string]*conn // those who are to be found on one connection alone, by the text of their URI
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
	return r.towards(b.hop)
}

// bind gives out a URI, or prolongs the one that the AUTH asks for or that the same client has. It returns nil if the user has too many.
func (r *Relay) bind(c *conn, user string, to msrp.URI, from msrp.Path, expires time.Duration) *binding {
	b := r.binding(to)
	if b == nil {
		b = c.bindingOf(from)
	}
	if b != nil && b.user == user && b.isFrom(c) && b.covers(from) && b.timer.Reset(expires) {
		return b
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.draining || r.users[user] >= r.o.MaxSessions {
		return nil
	}
	b = &binding{uri: r.newURI(c), user: user, client: from}
	b.timer = time.AfterFunc(expires, func() { r.unbind(b) })
	if len(from) > 1 && c.proves(from[0].Host) {
		b.hop = relayAt(from[0])
	} else if b.conn = c; !c.attach(b) {
		b.timer.Stop()
		return nil
	}
	r.bindings[b.uri.SessionID] = b
	r.names[strings.ToLower(hostport(b.uri))] = struct{}{}
	r.users[user]++
	return b
}

// newURI makes, under r.mu, a URI for a client on c.
func (r *Relay) newURI(c *conn) msrp.URI {
	u, local := r.host, c.local()
	if u.Host == "" {
		u.Host = local.Host
	}
	u.Port = cmp.Or(u.Port, local.Port, msrp.DefaultPort)
	u.Secure, u.SessionID, u.Transport = c.secure, strings.ToLower(rand.Text()), "tcp"
	return u
}

// unbind takes a URI back.
func (r *Relay) unbind(b *binding) {
	if b.gone.Swap(true) {
		return
	}
	r.mu.Lock()
	b.timer.Stop()
	delete(r.bindings, b.uri.SessionID)
	if r.users[b.user]--; r.users[b.user] == 0 {
		delete(r.users, b.user)
	}
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

// isOurs tells whether a URI may be one that the relay has given out some day, before it was last started for example.
func (r *Relay) isOurs(u msrp.URI) bool {
	if r.host.Host != "" && strings.EqualFold(u.Host, r.host.Host) && (r.host.Port == 0 || r.host.Port == u.Port) {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.names[strings.ToLower(hostport(u))]
	return ok
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
