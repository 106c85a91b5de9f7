package sip

import (
	"fmt"
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
	if err := d.checkChat(m); err != nil {
		return nil, err
	}
	path, _ := m.attribute("path")
	c.Path = strings.Fields(path)
	types, _ := m.attribute("accept-types")
	c.AcceptTypes = strings.Fields(types)
	types, _ = m.attribute("accept-wrapped-types")
	c.AcceptWrappedTypes = strings.Fields(types)
	if size, ok := m.attribute("max-size"); ok {
		c.MaxSize = parseMaxSize(size)
	}
	setup, _ := d.inherited(m, "setup")
	if c.Setup = Setup(strings.ToLower(setup)); c.Setup == SetupHoldConn {
		c.Setup = SetupAbsent // RFC 6135 section 4.2.1
	}
	return c, c.check()
}

// checkChat refuses file transfers (RFC 5547) and one-way sessions, which are no chat.
func (d *description) checkChat(m *mediaLine) error {
	for _, name := range []string{"file-selector", "file-transfer-id"} {
		if _, ok := m.attribute(name); ok {
			return fmt.Errorf("%w: a file transfer", ErrMedia)
		}
	}
	oneWay := []string{"sendonly", "recvonly", "inactive"}
	direction := func(a attribute) bool { return a.name == "sendrecv" || slices.Contains(oneWay, a.name) }
	as := m.attributes
	if !slices.ContainsFunc(as, direction) {
		as = d.attributes
	}
	if slices.ContainsFunc(as, func(a attribute) bool { return slices.Contains(oneWay, a.name) }) {
		return fmt.Errorf("%w: a one-way session", ErrMedia)
	}
	return nil
}

// parseMaxSize reads a=max-size; what is no positive number counts as no limit given.
func parseMaxSize(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// offered chooses the media line of an offer to talk on: the first chat that we can take. The error is about the
// last line that looked like one.
func (d *description) offered(acceptTLS bool) (index int, offer *Media, err error) {
	err = fmt.Errorf("%w: no message session", ErrMedia)
	for i := range d.media {
		c, e := d.chat(&d.media[i])
		if e == nil && c.TLS && !acceptTLS {
			e = fmt.Errorf("%w: MSRP over TLS is not supported here", ErrMedia)
		}
		if e == nil {
			_, e = AnswerSetup(c.Setup, SetupActPass)
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

// answerTo fits our side to an offer: it fills in the role and checks that the transports fit.
func answerTo(offer, ours *Media) (*Media, error) {
	if err := ours.check(); err != nil {
		return nil, err
	}
	if !sameTransport(offer, ours) {
		return nil, fmt.Errorf("%w: one side wants TLS, the other does not", ErrMedia)
	}
	a := ours.clone()
	can := ours.Setup
	if can == SetupAbsent {
		can = SetupActPass
	}
	var err error
	a.Setup, err = AnswerSetup(offer.Setup, can)
	return a, err
}

// offerOf makes an offer of our side: either role, unless it says which.
func offerOf(ours *Media) (*Media, error) {
	if err := ours.check(); err != nil {
		return nil, err
	}
	o := ours.clone()
	if o.Setup == SetupAbsent {
		o.Setup = SetupActPass
	}
	return o, nil
}

// answered reads the answer to an offer of ours, whose chat is at the given media line, and returns both sides with
// the roles that were agreed: active or passive.
func (d *description) answered(chat int, offer *Media) (local, remote *Media, err error) {
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
	if remote.Setup == SetupAbsent {
		remote.Setup = SetupPassive // RFC 4975 §5.4: the offerer connects
	}
	local = offer.clone()
	switch {
	case remote.Setup == SetupPassive && offer.Setup != SetupPassive:
		local.Setup = SetupActive
	case remote.Setup == SetupActive && (offer.Setup == SetupPassive || offer.Setup == SetupActPass):
		local.Setup = SetupPassive
	default:
		return nil, nil, fmt.Errorf("%w: setup %q answers %q", ErrMedia, remote.Setup, offer.Setup)
	}
	return local, remote, nil
}

// sameTransport reports whether both sides want TLS, or neither. A side behind a relay may also be alone with it: its TLS ends at
// the relay (RFC 4976 §11).
func sameTransport(a, b *Media) bool {
	alone := func(m *Media) bool { return m.TLS && len(m.Path) == 1 }
	return a.TLS == b.TLS || !alone(a) && !alone(b)
}

// sameSession reports whether two descriptions of the same side name the same MSRP session, so that the connection
// is kept (RFC 4975 §8).
func sameSession(a, b *Media) bool { return a.TLS == b.TLS && slices.Equal(a.Path, b.Path) }
