package sip

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// cema reports whether the answerer of an offer says a=msrp-cema (RFC 6714 §4.3): both sides want it, and no relay is where the address of a
// middlebox would be dialled in its place.
func cema(offer, answer *Media) bool {
	theirs, ours := len(offer.Path) > 1, len(answer.Path) > 1
	switch {
	case !offer.CEMA || !answer.CEMA, theirs && ours:
		return false
	case theirs:
		return answer.Setup == SetupActive
	case ours:
		return answer.Setup == SetupPassive
	}
	return true
}

// cemaAnswered reports whether the offerer goes by RFC 6714 §4.2 after the answer. A side that connects to a relay, or from one, goes
// by the path.
func cemaAnswered(local, remote *Media) bool {
	relay := len(local.Path) > 1 || len(remote.Path) > 1
	return local.CEMA && remote.CEMA && !(relay && local.Setup == SetupActive)
}

// checkCEMA holds an offer to RFC 6714 §4.2.
func (m *Media) checkCEMA() error {
	if m.CEMA && len(m.Path) > 1 && m.Setup != SetupActPass {
		return fmt.Errorf("%w: CEMA with a relay needs setup %q", ErrMedia, SetupActPass)
	}
	return nil
}

// address is the host and the port of the c= and m= lines: what Address says, or the first URI of the path.
func (m *Media) address() (host, port string) {
	if m.Address != "" {
		host, port, _ = net.SplitHostPort(m.Address) // checked before
		return host, port
	}
	u, _ := parseMSRP(m.Path[0]) // checked before
	return u.host, strconv.Itoa(int(u.port))
}

// checkAddress makes sure that Address can stand in the c= and m= lines.
func (m *Media) checkAddress() error {
	if m.Address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(m.Address)
	if err != nil || !isHost(host) || !isPort(port) {
		return fmt.Errorf("%w: Address is not host:port", ErrMedia)
	}
	return nil
}

// address is where the c= and m= lines say that a peer is (RFC 6714 §4.4), empty if that is no place to connect to.
func (d *description) address(m *mediaLine) string {
	c := m.connection
	if c == "" {
		c = d.connection
	}
	f := strings.Fields(c) // network type, address type, address
	port, _, _ := strings.Cut(m.port, "/")
	if len(f) != 3 || !strings.EqualFold(f[0], "IN") || !isHost(f[2]) || !isPort(port) {
		return ""
	}
	if ip, err := netip.ParseAddr(f[2]); err == nil && (ip.IsUnspecified() || ip.IsMulticast()) {
		return ""
	}
	return net.JoinHostPort(f[2], port)
}

// isPort reports whether s is a port from 1 to 65535 in digits.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}
