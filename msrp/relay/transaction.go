package relay

import "github.com/otrchat/otrchat/msrp"

// A transaction ID of ours is the connection's prefix, which nobody but the peer knows: who does not know it cannot put the end-line of a frame of ours into a
// body. Behind it stand a letter that tells requests that wait for an answer from others, and the number of the request.
const (
	prefixBytes = 16 // 80 random bits
	numberBytes = 8  // 40 bits, base 32
	idBytes     = prefixBytes + 1 + numberBytes

	expecting, notExpecting = 'a', 'b'
)

const digits = "abcdefghijklmnopqrstuvwxyz234567"

func (c *conn) appendID(dst []byte, n uint64, expects bool) []byte {
	dst = append(dst, c.prefix[:]...)
	if expects {
		dst = append(dst, expecting)
	} else {
		dst = append(dst, notExpecting)
	}
	for shift := 5 * (numberBytes - 1); shift >= 0; shift -= 5 {
		dst = append(dst, digits[n>>shift&31])
	}
	return dst
}

// number is the reverse of appendID for requests that wait for an answer.
func (c *conn) number(id []byte) (n uint64, ok bool) {
	if len(id) != idBytes || string(id[:prefixBytes]) != string(c.prefix[:]) || id[prefixBytes] != expecting {
		return 0, false
	}
	for _, b := range id[prefixBytes+1:] {
		switch {
		case b >= 'a' && b <= 'z':
			n = n<<5 | uint64(b-'a')
		case b >= '2' && b <= '7':
			n = n<<5 | uint64(b-'2'+26)
		default:
			return 0, false
		}
	}
	return n, true
}

// response takes in the answer to a request of ours (RFC 4976 section 6.4.3). One for no request on this connection, or not addressed to us, is dropped.
func (c *conn) response(f *msrp.Frame) {
	n, ok := c.number(f.TransactionID)
	if !ok {
		return
	}
	c.mu.Lock()
	found := c.ring.get(n)
	if found == nil || !found.isAnswer(f) {
		c.mu.Unlock()
		return
	}
	p := *found
	c.ring.remove(n)
	waiting := c.room != nil
	c.mu.Unlock()
	c.settle(f, &p)
	if waiting { // for what settle has done, too
		c.mu.Lock()
		c.look()
		c.mu.Unlock()
	}
}

// settle gives the sender of a request what is due to it for the answer.
func (c *conn) settle(f *msrp.Frame, p *pending) {
	p.route.settled(p)
	switch {
	case p.kind == answered || p.kind == auth:
		c.passBack(f, p)
	case f.Status != msrp.StatusOK:
		c.fail(p, f.Status)
	case p.kind == withheld:
		c.give(p.route.source, p.answer(), owedBytes)
	}
}

// isAnswer tells whether the response is addressed to us: for a SEND to our own URI alone, else to all of the way that the request has come. Kamailio's go to the
// hop before alone, whatever the request was.
func (p *pending) isAnswer(f *msrp.Frame) bool {
	t := p.route
	return samePath(f.ToPath, first(t.from)) || (p.kind == answered || p.kind == auth) && samePath(f.ToPath, t.from)
}

// lost is for a request that gets no answer any more.
func (c *conn) lost(p *pending, code int) {
	p.route.settled(p)
	if p.isTimed() || p.kind == partial && p.written == 0 {
		c.fail(p, code)
	}
}

// fail tells the sender of a SEND that it has failed (RFC 4976 section 6.4.1).
func (c *conn) fail(p *pending, code int) {
	source := p.route.source
	if p.kind == withheld {
		c.give(source, p.answer(), owedBytes/2)
	}
	c.give(source, source.report(p, code), owedBytes/2)
}

// answer is the 200 for a SEND.
func (p *pending) answer() []byte {
	f := msrp.Frame{TransactionID: p.id.bytes(), Method: []byte(msrp.MethodSend), ToPath: p.route.own, FromPath: p.route.rawFrom}
	return response(&f, msrp.StatusOK, nil)
}

// passBack passes a response on to where the request came from.
func (c *conn) passBack(f *msrp.Frame, p *pending) {
	t := p.route
	failed := p.kind == auth && c.authAnswered(f, t)
	g := msrp.Frame{
		TransactionID: p.id.bytes(), Status: f.Status, Comment: f.Comment, Header: f.Header,
		ToPath: t.rawFrom, FromPath: append(append(append([]byte(nil), t.back...), ' '), f.FromPath...),
	}
	c.give(t.source, encode(&g), owedBytes)
	if failed { // the answer comes before the end of the connection
		t.source.authFailed(t.bindings[0].conn == nil)
	}
}

// give sends the sender of a request what it is owed for it, if no more than most bytes wait with it: half of the room is kept from what may come by the thousand. A sender
// who does not read loses it.
func (c *conn) give(source *conn, frame []byte, most int) {
	if err := source.owe(frame, most); err != nil {
		c.r.o.Logger.Debug("relay: a response or report is lost", "error", err)
	}
	source.kick()
}
