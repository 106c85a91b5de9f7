package msrp

import (
	"bytes"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// later is the status of a request that has to wait for its answer, or gets none because the connection is about to be closed.
const later = -1

func (c *conn) request(f *Frame) error {
	s, code := c.route(f)
	if code == 0 && f.Invalid != nil {
		code = StatusBadRequest
	}
	switch method := string(f.Method); {
	case code == later:
		return nil
	case code != 0:
		return c.refuse(f, code)
	case method == MethodSend:
		return s.receive(c, f)
	case method == MethodReport:
		s.report(f)
		return nil
	}
	return c.respond(f, StatusUnknownMethod) // RFC 4975 section 12
}

// route finds the session that a request is for and checks both of its paths; a status other than 0 is the refusal (RFC 4975 section 7.3).
func (c *conn) route(f *Frame) (*Session, int) {
	s := c.last
	if s == nil || string(f.ToPath) != s.seenTo {
		s = c.carried(f.ToPath)
	}
	if s != nil && string(f.ToPath) == s.seenTo && string(f.FromPath) == s.seenFrom && !s.ended() {
		c.last = s
		return s, 0
	}
	to, err := ParseURI(string(f.ToPath)) // one URI: we are an endpoint, not a relay
	if err != nil {
		return nil, StatusNoSession
	}
	if s = c.e.session(to.SessionID); s == nil || !s.isOwn(to) || s.relay != c.relay { // a session with a relay is reached through that alone
		return nil, StatusNoSession
	}
	from, err := ParsePath(string(f.FromPath))
	if err != nil {
		return nil, StatusBadRequest
	}
	if code := c.bind(s, f, from); code != 0 {
		return nil, code
	}
	if s.isPeer(from) { // not what only a relay may send
		c.last, s.seenTo, s.seenFrom = s, string(f.ToPath), string(f.FromPath)
	}
	return s, 0
}

// bind lets a request wait for Connect if it must, and bind its session.
func (c *conn) bind(s *Session, f *Frame, from Path) int {
	send := string(f.Method) == MethodSend
	if send && !s.isReady() {
		if !f.HasBody() && s.park(c, f, from) {
			return later
		}
		switch {
		case s.awaitPath(c):
		case c.takesNoMore():
			return later
		default:
			return StatusNoSession
		}
	}
	return s.bind(c, from, send)
}

// carried finds the session of this connection whose session-id stands in a URI.
func (c *conn) carried(uri []byte) *Session {
	id := sessionID(uri)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions[string(id)]
}

// sessionID finds the session-id in the text of a URI, and nothing in what is none.
func sessionID(uri []byte) []byte {
	_, rest, _ := bytes.Cut(uri, []byte("://"))
	_, rest, _ = bytes.Cut(rest, []byte{'/'})
	id, _, _ := bytes.Cut(rest, []byte{';'})
	return id
}

// response hands a response to the session whose request it answers. One for no request of ours on this connection is ignored.
func (c *conn) response(f *Frame) {
	if c.relay != nil && c.relay.answered(f) {
		return
	}
	s := c.last
	if s == nil || string(f.ToPath) != s.own {
		if s = c.carried(f.ToPath); s == nil {
			return
		}
		if to, err := ParseURI(string(f.ToPath)); err != nil || to.SessionID != s.uri.SessionID || !s.isOwn(to) {
			return
		}
	}
	c.last = s
	s.answered(f)
}

// refuse answers a request with a status. A connection that is not allowed what it wants, and carries no session, is closed; so is one without a session
// that does not read what it is answered.
func (c *conn) refuse(f *Frame, code int) error {
	if code == StatusForbidden {
		c.hurry()
	}
	if c.isUnbound() && c.w.load() > strangerQueue {
		return ErrStalled
	}
	return c.respond(f, code)
}

// respond answers a request, if its sender wants an answer (RFC 4975 section 7.2).
func (c *conn) respond(f *Frame, code int) error {
	if b := response(f, code); b != nil {
		return c.w.push(b)
	}
	return nil
}

// response is the answer to a request, nil if its sender wants none.
func response(f *Frame, code int) []byte {
	if bytes.EqualFold(f.FailureReport, []byte("no")) ||
		code == StatusOK && bytes.EqualFold(f.FailureReport, []byte("partial")) || string(f.Method) == MethodReport {
		return nil
	}
	text, back := StatusText(code), f.FromPath
	if string(f.Method) == MethodSend {
		back = firstURI(back) // only to the hop before; any other response goes all the way
	}
	b := buffer.New(buffer.Tiny)
	b = append(append(b, "MSRP "...), f.TransactionID...)
	b = append(b, ' ', byte('0'+code/100), byte('0'+code/10%10), byte('0'+code%10), ' ')
	b = append(append(b, text...), "\r\nTo-Path: "...)
	b = append(append(b, back...), "\r\nFrom-Path: "...)
	b = append(b, firstURI(f.ToPath)...)
	return append(appendEnd(b, f.TransactionID), "$\r\n"...)
}

func firstURI(path []byte) []byte {
	if i := bytes.IndexByte(path, ' '); i >= 0 {
		return path[:i]
	}
	return path
}
