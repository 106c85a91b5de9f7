package sip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Limits of one side of an MSRP session, ours or the peer's.
const (
	maxPath     = 16  // URIs in a path
	maxURI      = 512 // bytes of an MSRP URI
	maxTypes    = 64  // entries of accept-types, and of accept-wrapped-types
	maxType     = 128 // bytes of an entry
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

// appendOffer writes an offer with the one media line.
func appendOffer(dst []byte, o origin, m *Media) []byte {
	dst = appendSession(dst, o, m)
	return appendMedia(dst, m)
}

// appendAnswer writes the answer to an offer: m at the place of the chat line, every other line declined with port
// 0 and otherwise as offered (RFC 3264 §6).
func appendAnswer(dst []byte, o origin, offer *description, chat int, m *Media) []byte {
	dst = appendSession(dst, o, m)
	for i, l := range offer.media {
		if i == chat {
			dst = appendMedia(dst, m)
			continue
		}
		dst = fmt.Appendf(dst, "m=%s 0 %s %s\r\n", l.media, l.protocol, l.formats)
	}
	return dst
}

// appendSession writes the session level. The address comes from the path, which is what peers go by
// (RFC 4975 §8.1).
func appendSession(dst []byte, o origin, m *Media) []byte {
	u, _ := parseMSRP(m.Path[0]) // checked before
	family, host := "IP4", u.host
	if ip, err := netip.ParseAddr(u.host); err == nil && ip.Is6() {
		family = "IP6"
	}
	dst = fmt.Appendf(dst, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\n", o.id, o.version, family, host)
	return fmt.Appendf(dst, "c=IN %s %s\r\nt=0 0\r\n", family, host)
}

// appendMedia writes the media line and its attributes in the order that Blink uses.
func appendMedia(dst []byte, m *Media) []byte {
	u, _ := parseMSRP(m.Path[0]) // checked before
	protocol := protoMSRP
	if m.TLS {
		protocol = protoTLSMSRP
	}
	dst = fmt.Appendf(dst, "m=message %d %s *\r\n", u.port, protocol)
	dst = fmt.Appendf(dst, "a=path:%s\r\n", strings.Join(m.Path, " "))
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
	return dst
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
	for _, types := range [][]string{m.AcceptTypes, m.AcceptWrappedTypes} {
		if len(types) > maxTypes {
			return fmt.Errorf("%w: more than %d accepted types", ErrMedia, maxTypes)
		}
		for _, t := range types {
			if len(t) > maxType || !isVisible(t) {
				return fmt.Errorf("%w: accepted type %q", ErrMedia, printable(t))
			}
		}
	}
	if m.MaxSize < 0 {
		return fmt.Errorf("%w: MaxSize is negative", ErrMedia)
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
	if err != nil || u.Hostname() == "" || !isVisible(u.Hostname()) {
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
