package relay

import (
	"bytes"
	"sync/atomic"

	"github.com/otrchat/otrchat/msrp"
)

// route is the way of requests with a certain pair of paths from one connection to another. What it took to find it is not done again for
// each frame.
type route struct {
	source, target *conn
	bindings       [2]*binding // whose URIs are at the front of the To-Path; the second may be nil
	bucket         *bucket     // that the sender has to pay from; nil for another relay
	user           *user       // whose client the sender is; nil if it is none

	// The paths: as they come, and as they are passed on (RFC 4976 section 6.4.1). Most are parts of others.
	rawTo, rawFrom []byte
	to, from       []byte
	own            []byte // the first URI of rawTo: ours
	back           []byte // our URIs at the front of rawTo, as they go before the From-Path of a response

	sends, bytes atomic.Int64 // SENDs on their way without an answer, and their size
}

func newRoute(source *conn, f *msrp.Frame) *route {
	return &route{source: source, rawTo: bytes.Clone(f.ToPath), rawFrom: f.FromPath}
}

// rewrite moves our own URIs from the front of the To-Path to the front of the From-Path, one after the other.
func (t *route) rewrite() {
	own, rest, _ := bytes.Cut(t.rawTo, []byte{' '})
	prefix := own
	t.own, t.back = own, own
	if t.bindings[1] != nil {
		own, rest, _ = bytes.Cut(rest, []byte{' '})
		prefix = bytes.Join([][]byte{own, t.own}, []byte{' '})
		t.back = t.rawTo[:len(prefix)]
	}
	t.to = rest
	t.from = bytes.Join([][]byte{prefix, t.rawFrom}, []byte{' '})
	t.rawFrom = t.from[len(prefix)+1:]
}

// size is what the route takes, in bytes.
func (t *route) size() int { return 2*len(t.rawTo) + len(t.from) + routeBytes }

const routeBytes = 512 // of a route, without its paths

func (t *route) isFor(f *msrp.Frame) bool {
	return bytes.Equal(f.ToPath, t.rawTo) && bytes.Equal(f.FromPath, t.rawFrom) && t.valid()
}

// valid tells whether the URIs are still good and the way still leads somewhere.
func (t *route) valid() bool {
	return !t.bindings[0].gone.Load() && (t.bindings[1] == nil || !t.bindings[1].gone.Load()) && !t.target.closed()
}

// begun counts a request on its way that waits for an answer.
func (t *route) begun(p *pending) {
	t.count(p, 1)
}

// settled is its reverse.
func (t *route) settled(p *pending) {
	t.count(p, -1)
}

func (t *route) count(p *pending, sign int64) {
	if p.kind == silent {
		return
	}
	t.sends.Add(sign)
	t.bytes.Add(sign * int64(p.bytes))
	if t.user != nil {
		t.user.pending.Add(sign)
	}
}

// isJammed tells whether too much of what came this way, or from this user, waits for an answer: others have to find room too.
func (t *route) isJammed() bool {
	return t.sends.Load() >= maxUnanswered || t.user != nil && t.user.pending.Load() >= int64(t.source.r.o.MaxSessions)*windowSends
}

// isFull tells whether so much is on its way that the sender has to wait for the answers of the next hop. Senders with a window of their own never see that.
func (t *route) isFull() bool { return t.sends.Load() >= windowSends || t.bytes.Load() >= windowBytes }

// stray is the code for a request that is not for us at all.
const stray = -1

// route finds the way of a request, or the status to refuse it with.
func (c *conn) route(f *msrp.Frame) (*route, int) {
	if t := c.routes[string(f.ToPath)]; t != nil && t.isFor(f) {
		return t, 0
	}
	if max(len(f.ToPath), len(f.FromPath)) > maxPath {
		return nil, msrp.StatusBadRequest
	}
	to, err := msrp.ParsePath(string(f.ToPath))
	if err != nil {
		return nil, msrp.StatusBadRequest
	}
	from, err := msrp.ParsePath(string(f.FromPath))
	if err != nil {
		return nil, msrp.StatusBadRequest
	}
	t := newRoute(c, f)
	if code := c.find(t, f, to, from); code != 0 {
		return nil, code
	}
	t.rewrite()
	c.remember(t)
	return t, 0
}

// remember keeps a route for the frames to come. There is no harm in forgetting all the others once they are too many.
func (c *conn) remember(t *route) {
	most := maxRoutes
	if c.isRelay() {
		most = maxRelayRoutes
	}
	if c.routed += t.size(); c.routed > most || c.routes == nil {
		c.routed, c.routes = t.size(), map[string]*route{}
	}
	c.routes[string(t.rawTo)] = t
}

// find decides where a request goes by RFC 4976 section 6.4: its first URI must be one that we have given out, and it must go back to the client that has it or
// come from there.
func (c *conn) find(t *route, f *msrp.Frame, to, from msrp.Path) (code int) {
	b := c.r.binding(to[0])
	switch {
	case b == nil && c.r.isOurs(to[0]):
		return msrp.StatusNoSession // expired, for example
	case b == nil:
		return stray
	case b.uri.Secure && !c.secure && c.hop.session == "": // an endpoint may have no TLS, and then we have connected to it (RFC 4976 section 9.2)
		return msrp.StatusForbidden
	case len(to) < 2:
		return msrp.StatusNoSession // a relay has no sessions of its own
	case c.r.isOurs(from[0]):
		return msrp.StatusForbidden // what has come through us does not come from outside
	}
	t.bindings[0], t.bucket = b, &b.user.bucket
	switch {
	case !b.isFrom(c) || !b.covers(from) && len(b.client) > 1: // of the other tenants of a relay, too
		return c.inward(t, b, to[1:], from)
	case !b.covers(from):
		return msrp.StatusForbidden // a client speaks for nobody else
	}
	t.user = b.user
	next := c.r.binding(to[1])
	switch {
	case next != nil && next.covers(to[2:]): // from one of our clients to another
		t.bindings[1] = next
		t.target, code = next.way(c.r)
		return code
	case next != nil || c.r.isOurs(to[1]):
		return msrp.StatusNoSession
	case to[1].SessionID == "" && to[1].Port == 0 && c.r.isName(c, to[1].Host):
		return msrp.StatusForbidden // an AUTH through us to us
	}
	return c.outward(t, b, to[1:], string(f.Method) == msrp.MethodAuth)
}

// inward is the way to the client that has b.
func (c *conn) inward(t *route, b *binding, rest, from msrp.Path) (code int) {
	if !b.covers(rest) {
		return msrp.StatusForbidden
	}
	if t.target, code = b.way(c.r); code != 0 {
		return code
	}
	t.bucket = &c.bucket
	switch {
	case len(from) == 1:
		return b.meet(from[0], c)
	case c.proves(from[0].Host):
		t.bucket = nil // of many senders
		c.serves(from[0])
	}
	return 0
}

// outward is the way from the client that has b to somewhere else. Only an AUTH may end at a relay.
func (c *conn) outward(t *route, b *binding, rest msrp.Path, auth bool) (code int) {
	if t.target = b.peer(rest[0]); t.target != nil {
		return 0
	}
	h, relay := endpointAt(rest[0]), len(rest) > 1 || auth
	if relay {
		h = relayAt(rest[0])
	}
	switch {
	case h.port == 0 && !auth:
		return msrp.StatusBadRequest // RFC 4976 section 8
	case relay && !h.secure && !c.r.o.AllowTCP:
		return msrp.StatusForbidden // section 9.2
	}
	t.target, code = c.r.towards(h, b.user)
	return code
}

// meet notes on which connection a peer without a relay is to be found: there and nowhere else (RFC 4975 section 5.4).
func (b *binding) meet(peer msrp.URI, c *conn) (code int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := peer.String()
	switch has := b.peers[key]; {
	case has == c:
		return 0
	case has != nil && !has.closed():
		return msrp.StatusSessionInUse
	}
	for key, has := range b.peers {
		if has.closed() {
			delete(b.peers, key)
		}
	}
	if len(b.peers) >= maxPeers {
		return msrp.StatusForbidden
	}
	if b.peers == nil {
		b.peers = map[string]*conn{}
	}
	b.peers[key] = c
	return 0
}

// peer returns the connection on which a peer without a relay is to be found, nil if there is none.
func (b *binding) peer(u msrp.URI) *conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.peers[u.String()]; c != nil && !c.closed() {
		return c
	}
	return nil
}
