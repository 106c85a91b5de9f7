package sip

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Limits of one side of an MSRP session, ours or the peer's.
const (
	maxPath     = 16  // URIs in a path
	maxURI      = 512 // bytes of an MSRP URI
	maxWords    = 64  // entries of accept-types, of accept-wrapped-types and of chatroom
	maxWord     = 128 // bytes of an entry
	defaultMSRP = 2855
)

const (
	protoMSRP    = "TCP/MSRP"
	protoTLSMSRP = "TCP/TLS/MSRP"
)

// origin is the o-line without the address: the same id for all descriptions of a call, the version counts
// the changes (RFC 3264 §5).
type origin struct{ id, version uint64 }

// newOrigin starts an o-line; the id only has to differ between sessions (RFC 8866 §5.2).
func newOrigin() origin { return origin{id: uint64(rand.Uint32()), version: 1} }

// revise returns a description as write makes it, with the version counted up if it says something else than the last one
// (RFC 3264 §8).
func (o *origin) revise(last []byte, write func(origin) []byte) []byte {
	if bytes.Equal(write(*o), last) {
		return last
	}
	o.version++
	return write(*o)
}

// appendOffer writes an offer with the one media line.
func appendOffer(dst []byte, o origin, m *Media) []byte {
	dst = appendSession(dst, o, "", m)
	return appendMedia(dst, m)
}

// appendAnswer writes the answer to an offer: m at the place of the chat line, every other line declined with port
// 0 and otherwise as offered (RFC 3264 §6). With our own last description in place of an offer it writes a further offer, which has
// to keep the lines (RFC 3264 §8).
func appendAnswer(dst []byte, o origin, offer *description, chat int, m *Media) []byte {
	dst = appendSession(dst, o, offer.timing, m)
	for i, l := range offer.media {
		if i == chat {
			dst = appendMedia(dst, m)
			continue
		}
		dst = fmt.Appendf(dst, "m=%s 0 %s %s\r\n", l.media, l.protocol, l.formats)
	}
	return dst
}

// appendSession writes the session level. The address comes from the path unless the application knows better; peers go by the path
// (RFC 4975 §8.1) or by both (RFC 6714).
func appendSession(dst []byte, o origin, timing string, m *Media) []byte {
	host, _ := m.address()
	family := "IP4"
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		family = "IP6"
	}
	if !isTiming(timing) {
		timing = "0 0"
	}
	dst = fmt.Appendf(dst, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\n", o.id, o.version, family, host)
	return fmt.Appendf(dst, "c=IN %s %s\r\nt=%s\r\n", family, host, timing)
}

// isTiming reports whether s is a start and a stop time.
func isTiming(s string) bool {
	start, stop, ok := strings.Cut(s, " ")
	digits := func(s string) bool { return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == "" }
	return ok && digits(start) && digits(stop)
}

// appendMedia writes the media line and its attributes in the order that Blink uses.
func appendMedia(dst []byte, m *Media) []byte {
	_, port := m.address()
	protocol := protoMSRP
	if m.TLS {
		protocol = protoTLSMSRP
	}
	dst = fmt.Appendf(dst, "m=message %s %s *\r\n", port, protocol)
	dst = fmt.Appendf(dst, "a=path:%s\r\n", strings.Join(m.Path, " "))
	if m.Direction != SendRecv {
		dst = fmt.Appendf(dst, "a=%s\r\n", m.Direction)
	}
	dst = fmt.Appendf(dst, "a=accept-types:%s\r\n", strings.Join(m.AcceptTypes, " "))
	if len(m.AcceptWrappedTypes) > 0 {
		dst = fmt.Appendf(dst, "a=accept-wrapped-types:%s\r\n", strings.Join(m.AcceptWrappedTypes, " "))
	}
	if m.MaxSize > 0 {
		dst = fmt.Appendf(dst, "a=max-size:%d\r\n", m.MaxSize)
	}
	if m.Setup != SetupAbsent {
		dst = fmt.Appendf(dst, "a=setup:%s\r\n", m.Setup)
	}
	for _, f := range m.Fingerprints {
		dst = fmt.Appendf(dst, "a=fingerprint:%s\r\n", f)
	}
	if m.CEMA {
		dst = append(dst, "a=msrp-cema\r\n"...)
	}
	return appendChatroom(dst, m.Chatroom)
}

func appendChatroom(dst []byte, words []string) []byte {
	switch {
	case words == nil:
		return dst
	case len(words) == 0:
		return append(dst, "a=chatroom\r\n"...)
	}
	return fmt.Appendf(dst, "a=chatroom:%s\r\n", strings.Join(words, " "))
}

// check makes sure that m can be written: nothing in it can start a line of its own.
func (m *Media) check() error {
	if m == nil {
		return fmt.Errorf("%w: no media", ErrMedia)
	}
	if err := checkPath(m.Path, m.TLS); err != nil {
		return err
	}
	if len(m.AcceptTypes) == 0 {
		return fmt.Errorf("%w: AcceptTypes is empty", ErrMedia)
	}
	for name, words := range map[string][]string{
		"AcceptTypes": m.AcceptTypes, "AcceptWrappedTypes": m.AcceptWrappedTypes, "Chatroom": m.Chatroom,
	} {
		if len(words) > maxWords || slices.ContainsFunc(words, func(w string) bool { return len(w) > maxWord || !isVisible(w) }) {
			return fmt.Errorf("%w: %s has more than %d entries, or one with a blank or of more than %d bytes", ErrMedia, name, maxWords, maxWord)
		}
	}
	if m.MaxSize < 0 {
		return fmt.Errorf("%w: MaxSize is negative", ErrMedia)
	}
	if !m.Direction.known() {
		return fmt.Errorf("%w: direction %q", ErrMedia, printable(string(m.Direction)))
	}
	if err := cmp.Or(m.checkFingerprints(), m.checkAddress()); err != nil {
		return err
	}
	switch m.Setup {
	case SetupAbsent, SetupActive, SetupPassive, SetupActPass:
		return nil
	}
	return fmt.Errorf("%w: setup %q", ErrMedia, printable(string(m.Setup)))
}

func checkPath(path []string, tls bool) error {
	if len(path) == 0 || len(path) > maxPath {
		return fmt.Errorf("%w: a path of %d URIs", ErrMedia, len(path))
	}
	for i, s := range path {
		u, err := parseMSRP(s)
		if err != nil {
			return fmt.Errorf("%w: path URI %d: %w", ErrMedia, i+1, err)
		}
		if i == 0 && u.tls != tls {
			return fmt.Errorf("%w: the scheme of the path does not fit the transport", ErrMedia)
		}
	}
	return nil
}

type msrpURI struct {
	tls  bool
	host string // without brackets
	port uint16
}

var errMSRP = errors.New("not an MSRP URI")

// parseMSRP reads what SDP needs of an MSRP URI (RFC 4975 §6).
func parseMSRP(s string) (msrpURI, error) {
	if len(s) > maxURI || !isVisible(s) {
		return msrpURI{}, errMSRP
	}
	u, err := url.Parse(s)
	if err != nil || !isHost(u.Hostname()) {
		return msrpURI{}, errMSRP
	}
	r := msrpURI{tls: u.Scheme == "msrps", host: u.Hostname(), port: defaultMSRP}
	if !r.tls && u.Scheme != "msrp" {
		return msrpURI{}, errMSRP
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return msrpURI{}, errMSRP
		}
		r.port = uint16(n)
	}
	return r, nil
}

// isVisible reports whether s is a word of visible ASCII.
func isVisible(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
