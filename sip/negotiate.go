package sip

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// chat reads a media line as a chat that we can hold, or says why it is none.
func (d *description) chat(m *mediaLine) (*Media, error) {
	if !strings.EqualFold(m.media, "message") || m.port == "0" {
		return nil, fmt.Errorf("%w: no message session", ErrMedia)
	}
	c := new(Media)
	switch strings.ToUpper(m.protocol) {
	case protoMSRP:
	case protoTLSMSRP:
		c.TLS = true
	default:
		return nil, fmt.Errorf("%w: transport %q", ErrMedia, printable(m.protocol))
	}
	for _, name := range []string{"file-selector", "file-transfer-id"} {
		if _, ok := m.attribute(name); ok { // RFC 5547
			return nil, fmt.Errorf("%w: a file transfer", ErrMedia)
		}
	}
	if err := d.readChat(m, c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	c.Address = net.JoinHostPort(c.address())
	return c, nil
}

// readChat takes the attributes of a chat.
func (d *description) readChat(m *mediaLine, c *Media) (err error) {
	words := func(name string) []string {
		value, _ := m.attribute(name)
		return strings.Fields(value)
	}
	c.Path = words("path")
	c.AcceptTypes, c.AcceptWrappedTypes = words("accept-types"), words("accept-wrapped-types")
	if size, ok := m.attribute("max-size"); ok {
		c.MaxSize = parseMaxSize(size)
	}
	setup, _ := d.inherited(m, "setup")
	if c.Setup = Setup(strings.ToLower(setup)); c.Setup == SetupHoldConn {
		c.Setup = SetupAbsent // RFC 6135 section 4.2.1
	}
	if _, ok := m.attribute("chatroom"); ok {
		c.Chatroom = append([]string{}, words("chatroom")...)
	}
	_, c.CEMA = m.attribute("msrp-cema")
	c.Address = d.address(m)
	c.Direction = d.direction(m)
	if c.mayHaveFingerprints() {
		c.Fingerprints, err = d.fingerprints(m)
	}
	return err
}

// parseMaxSize reads a=max-size; what is no positive number counts as no limit given.
func parseMaxSize(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// acceptable reads a media line as an offer that we can take.
func (d *description) acceptable(i int, acceptTLS bool) (*Media, error) {
	c, err := d.chat(&d.media[i])
	if err != nil {
		return nil, err
	}
	if c.TLS && !acceptTLS {
		return nil, fmt.Errorf("%w: MSRP over TLS is not supported here", ErrMedia)
	}
	_, err = AnswerSetup(c.Setup, SetupActPass)
	return c, err
}

// offered chooses the media line of an offer to talk on: the first chat that we can take. The error is about the
// last line that looked like one.
func (d *description) offered(acceptTLS bool) (index int, offer *Media, err error) {
	err = fmt.Errorf("%w: no message session", ErrMedia)
	for i := range d.media {
		c, e := d.acceptable(i, acceptTLS)
		if e == nil {
			e = c.opens()
		}
		if e == nil {
			return i, c, nil
		}
		if strings.EqualFold(d.media[i].media, "message") {
			err = e
		}
	}
	return -1, nil, err
}

// reoffered chooses the media line of a further offer in a call whose chat is at the given line, with remote as the peer's side: the same
// session wherever it is, else what the line of the chat has now, else another chat. A peer that says nothing of the roles keeps those that we have.
func (d *description) reoffered(chat int, remote *Media, acceptTLS bool) (index int, offer *Media, err error) {
	index, err = -1, fmt.Errorf("%w: no message session", ErrMedia)
	for i := range d.media {
		c, e := d.acceptable(i, acceptTLS)
		switch {
		case e != nil:
		case sameSession(c, remote):
			c.Setup = cmp.Or(c.Setup, remote.Setup)
			return i, c, nil
		case offer == nil || i == chat:
			index, offer, err = i, c, nil
		}
	}
	return index, offer, err
}

// opens reports whether a session can begin with m: not on hold.
func (m *Media) opens() error {
	if m != nil && m.Direction != SendRecv {
		return fmt.Errorf("%w: a one-way session", ErrMedia)
	}
	return nil
}

// answerTo fits our side to the first offer: it fills in the role and checks that the transports and the types fit.
func answerTo(offer, ours *Media) (*Media, error) {
	if err := ours.opens(); err != nil {
		return nil, err
	}
	return fit(offer, ours)
}

// reanswerTo fits our side to a further offer for the session that is up. ours is what the application last said, local what came of it: the
// roles stay.
func reanswerTo(offer, ours, local *Media) (*Media, error) {
	ours = ours.clone()
	ours.Setup = local.Setup
	return fit(offer, ours)
}

func fit(offer, ours *Media) (*Media, error) {
	if err := ours.check(); err != nil {
		return nil, err
	}
	if !sameTransport(offer, ours) {
		return nil, fmt.Errorf("%w: one side wants TLS, the other does not", ErrMedia)
	}
	if !commonType(offer, ours) {
		return nil, fmt.Errorf("%w: no media type in common", ErrMedia)
	}
	a := ours.clone()
	var err error
	if a.Setup, err = AnswerSetup(offer.Setup, cmp.Or(ours.Setup, SetupActPass)); err != nil {
		return nil, err
	}
	a.Direction = offer.Direction.answer(ours.Direction)
	a.CEMA = cema(offer, a)
	return a, nil
}

// offerOf makes the first offer of our side: either role, unless it says which.
func offerOf(ours *Media) (*Media, error) {
	if err := ours.opens(); err != nil {
		return nil, err
	}
	o, err := reofferOf(ours)
	if err != nil {
		return nil, err
	}
	return o, o.checkCEMA()
}

// reofferOf makes a further offer.
func reofferOf(ours *Media) (*Media, error) {
	if err := ours.check(); err != nil {
		return nil, err
	}
	o := ours.clone()
	o.Setup = cmp.Or(o.Setup, SetupActPass)
	return o, nil
}

// answered reads the answer to the first offer of ours, whose chat is at the given media line, and returns both sides with the roles that
// were agreed: active or passive.
func (d *description) answered(chat int, offer *Media) (local, remote *Media, err error) {
	if local, remote, err = d.answer(chat, offer); err != nil {
		return nil, nil, err
	}
	if err := remote.opens(); err != nil {
		return nil, nil, err
	}
	return agreed(local, remote)
}

// reanswered reads the answer to a further offer of ours. Whoever connected the session that both sides leave as it was: they need not say so again.
func (d *description) reanswered(chat int, offer, wasLocal, wasRemote *Media) (local, remote *Media, err error) {
	if local, remote, err = d.answer(chat, offer); err != nil {
		return nil, nil, err
	}
	if wasRemote != nil && sameSession(local, wasLocal) && sameSession(remote, wasRemote) {
		local.Setup, remote.Setup = wasLocal.Setup, wasRemote.Setup
		local.CEMA, remote.CEMA = wasLocal.CEMA, wasRemote.CEMA
		return local, remote, nil
	}
	return agreed(local, remote)
}

// answer reads an answer, without the roles.
func (d *description) answer(chat int, offer *Media) (local, remote *Media, err error) {
	if chat >= len(d.media) {
		return nil, nil, fmt.Errorf("%w: the answer lacks media lines", ErrMedia)
	}
	remote, err = d.chat(&d.media[chat])
	if err != nil {
		return nil, nil, err
	}
	if !sameTransport(remote, offer) {
		return nil, nil, fmt.Errorf("%w: the answer changes the transport", ErrMedia)
	}
	local = offer.clone()
	remote.Direction = offer.Direction.answer(remote.Direction) // whatever a peer made of our hold
	local.Direction = remote.Direction.answer(offer.Direction)
	return local, remote, nil
}

// agreed turns our offer and the answer to it into what both sides do: who connects, and whether to a middlebox.
func agreed(local, remote *Media) (*Media, *Media, error) {
	remote.Setup = cmp.Or(remote.Setup, SetupPassive) // RFC 4975 §5.4: the offerer connects
	switch offered := local.Setup; {
	case remote.Setup == SetupPassive && offered != SetupPassive:
		local.Setup = SetupActive
	case remote.Setup == SetupActive && (offered == SetupPassive || offered == SetupActPass):
		local.Setup = SetupPassive
	default:
		return nil, nil, fmt.Errorf("%w: setup %q answers %q", ErrMedia, remote.Setup, offered)
	}
	local.CEMA = cemaAnswered(local, remote)
	remote.CEMA = local.CEMA
	return local, remote, nil
}

// sameTransport reports whether both sides want TLS, or neither. A side behind a relay may also be alone with it: its TLS ends at
// the relay (RFC 4976 §11).
func sameTransport(a, b *Media) bool {
	alone := func(m *Media) bool { return m.TLS && len(m.Path) == 1 }
	return a.TLS == b.TLS || !alone(a) && !alone(b)
}

// sameSession reports whether two descriptions of the same side name the same MSRP session, so that the connection
// is kept (RFC 4975 §8). Another certificate needs another connection.
func sameSession(a, b *Media) bool {
	prints := func(m *Media) []string { return slices.Sorted(slices.Values(m.Fingerprints)) }
	return a.TLS == b.TLS && slices.Equal(a.Path, b.Path) && slices.Equal(prints(a), prints(b))
}

// commonType reports whether one side knows a type that the other one lists, wrapped or not (RFC 4975 §8.6).
func commonType(a, b *Media) bool {
	for _, x := range slices.Concat(a.AcceptTypes, a.AcceptWrappedTypes) {
		for _, y := range slices.Concat(b.AcceptTypes, b.AcceptWrappedTypes) {
			if typesMeet(x, y) {
				return true
			}
		}
	}
	return false
}

// typesMeet compares two entries of accept-types, without their parameters.
func typesMeet(x, y string) bool {
	x, _, _ = strings.Cut(x, ";")
	y, _, _ = strings.Cut(y, ";")
	xMajor, xMinor, _ := strings.Cut(x, "/")
	yMajor, yMinor, _ := strings.Cut(y, "/")
	if x == "*" || y == "*" {
		return true
	}
	return strings.EqualFold(xMajor, yMajor) && (xMinor == "*" || yMinor == "*" || strings.EqualFold(xMinor, yMinor))
}
