package sip

import (
	"cmp"
	"reflect"

	gosip "github.com/emiago/sipgo/sip"
)

// A session is what offer and answer have agreed on (RFC 3264). A call replaces its session as a whole, so that an offer that
// is refused changes nothing (RFC 3261 §14.1, §14.2).
type session struct {
	origin origin
	sdp    []byte // our side as it was last sent
	chat   int    // its media line
	ours   *Media // our side as the application gave it
	local  *Media // our side as it was agreed
	remote *Media // nil until an answer came in the ACK
}

// offer is s as we would have it: a further offer keeps all media lines (RFC 3264 §8).
func (s session) offer(ours *Media) (session, error) {
	ours = ours.clone()
	if ours != nil && ours.Setup == SetupAbsent && sameSession(ours, s.local) {
		ours.Setup = s.local.Setup // the connection is there
	}
	local, err := reofferOf(ours)
	if err != nil {
		return s, err
	}
	lines, err := parseSDP(s.sdp)
	if err != nil {
		return s, err
	}
	s.ours, s.local = ours, local
	s.sdp = s.origin.revise(s.sdp, func(o origin) []byte { return appendAnswer(nil, o, lines, s.chat, local) })
	return s, nil
}

// answered is s, our offer, with the peer's answer to it; was is the session that it replaces.
func (s session) answered(answer message, was session) (session, error) {
	d, err := readDescription(answer)
	if err != nil {
		return s, err
	}
	if was.remote == nil {
		s.local, s.remote, err = d.answered(s.chat, s.local)
	} else {
		s.local, s.remote, err = d.reanswered(s.chat, s.local, was.local, was.remote)
	}
	return s, err
}

// reoffered reads a further offer of the peer's and answers it where it leaves the MSRP session as it is: a hold, another stream,
// nothing new. Otherwise moved is set: only the application can answer that.
func (s session) reoffered(req *gosip.Request, acceptTLS bool) (next session, moved *movedOffer, r *refusal) {
	d, r := readOffer(req)
	if r != nil {
		return s, nil, r
	}
	chat, offer, err := d.reoffered(s.chat, s.remote, acceptTLS || s.local.TLS)
	switch {
	case err != nil:
		return s, nil, notAcceptable
	case !sameSession(offer, s.remote):
		return s, &movedOffer{d, chat, offer}, nil
	}
	local, err := reanswerTo(offer, cmp.Or(s.ours, s.local), s.local)
	if err != nil {
		return s, nil, notAcceptable
	}
	return s.answer(d, chat, offer, local), nil, nil
}

// A movedOffer is an offer of the peer's that names another MSRP session.
type movedOffer struct {
	description *description
	chat        int
	offer       *Media
}

// answer is s with our answer to an offer of the peer's.
func (s session) answer(d *description, chat int, offer, local *Media) session {
	s.chat, s.local, s.remote = chat, local, offer.clone()
	s.remote.Setup = local.Setup.opposite()
	s.remote.CEMA = local.CEMA
	s.sdp = s.origin.revise(s.sdp, func(o origin) []byte { return appendAnswer(nil, o, d, chat, local) })
	return s
}

// begin takes the 2xx to the INVITE of a call that we have placed; answer is the response that answered our offer.
func (c *Call) begin(res, answer *gosip.Response) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.session.answered(answer, c.session)
	if err == nil {
		c.session = s
		c.timerAnswered(res)
	}
	return err
}

// setSession is called with c.mu held.
func (c *Call) setSession(s session) {
	changed := !reflect.DeepEqual(s.local, c.local) || !reflect.DeepEqual(s.remote, c.remote)
	c.session = s
	if changed {
		c.change()
	}
}

// refreshTarget takes the Contact of a request or a response that may move the dialog (RFC 3261 §12.2), and its isfocus. It is
// called with c.mu held.
func (c *Call) refreshTarget(m message) {
	if target, focus, ok := contact(m); ok {
		c.dialog.refresh(target)
		c.setFocus(focus)
		if req, ok := m.(*gosip.Request); ok {
			c.dialog.flow = c.agent.sourceOf(req).stream
		}
	}
}

// crossing is the answer to an INVITE, or an UPDATE with an offer, that meets another one in the same dialog (RFC 3261 §14.2,
// RFC 3311 §5.2); nil when none is in progress. It is called with c.mu held.
func (c *Call) crossing() *refusal {
	switch {
	case c.awaits, c.pending != nil && c.pending.offers:
		return &refusal{code: gosip.StatusRequestPending, reason: "Request Pending"}
	case c.answering:
		return &refusal{gosip.StatusInternalServerError, "Server Internal Error", []gosip.Header{retryAfter()}}
	}
	return nil
}

// settled tells those who wait for it that an offer or an INVITE has come to its end. It is called with c.mu held.
func (c *Call) settled() {
	close(c.idle)
	c.idle = make(chan struct{})
}
