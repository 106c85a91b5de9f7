package relay

import (
	"crypto/rand"
	"iter"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otrchat/otrchat/msrp"
)

// binding is a URI that the relay has given to a client (RFC 4976 section 6.3). It is good only for the connection on which the AUTH came.
type binding struct {
	uri    msrp.URI
	user   string
	conn   *conn
	client msrp.Path   // the From-Path of the AUTH: the way back to the client
	gone   atomic.Bool // expired or unbound
	timer  *time.Timer // runs unbind

	mu    sync.Mutex
	peers map[string]*conn // those without a relay who have connected to us, by the text of their URI
}

// covers tells whether path leads to the client, or from it: its relays are the same, the client's own URI may be another one, for each session one.
func (b *binding) covers(path msrp.Path) bool {
	n := len(b.client) - 1
	return len(path) == n+1 && path[:n].Equal(b.client[:n])
}

// bind gives out a URI, or prolongs the one that the AUTH asks for or that the same client has. It returns nil if the user has too many.
func (r *Relay) bind(c *conn, user string, to msrp.URI, from msrp.Path, expires time.Duration) *binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	for b := range c.owned() {
		if b.user == user && b.covers(from) && (b.uri.Equal(to) || b.client.Equal(from)) && b.timer.Reset(expires) {
			return b
		}
	}
	if r.closed || r.draining || r.users[user] >= r.o.MaxSessions {
		return nil
	}
	b := &binding{uri: r.newURI(c), user: user, conn: c, client: from}
	if !c.attach(b) {
		return nil
	}
	b.timer = time.AfterFunc(expires, func() { r.unbind(b) })
	r.bindings[b.uri.SessionID] = b
	r.names[strings.ToLower(hostport(b.uri))] = struct{}{}
	r.users[user]++
	return b
}

// newURI makes a URI for a client on c.
func (r *Relay) newURI(c *conn) msrp.URI {
	u, local := r.host, localHost(c.nc)
	if u.Host == "" {
		u = local
	}
	if u.Port == 0 {
		u.Port = local.Port
	}
	if u.Port == 0 {
		u.Port = msrp.DefaultPort
	}
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
	b.conn.detach(b)
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

// owned are the URIs of the connection's clients.
func (c *conn) owned() iter.Seq[*binding] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Keys(maps.Clone(c.bindings))
}

func (c *conn) detach(b *binding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.bindings, b)
}
