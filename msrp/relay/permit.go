package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

var errForbidden = errors.New("relay: Options.Permit does not allow the address")

// leastPort is the lowest port of a next hop that permitPublic allows: what listens below is no MSRP.
const leastPort = 1024

// notPublic are addresses that only look as if they were anybody's, or that lead to others which may not be.
var notPublic = prefixes("0.0.0.0/8", "::/96", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10")

func prefixes(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// permitPublic is the default of Options.Permit.
func permitPublic(a netip.AddrPort) bool {
	ip := a.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || a.Port() < leastPort {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// permitting returns a dialer like d that asks permit for every address before it connects.
func permitting(d net.Dialer, permit func(netip.AddrPort) bool) *net.Dialer {
	first, firstContext := d.Control, d.ControlContext
	d.Control = nil
	d.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil || !permit(a) {
			return fmt.Errorf("%w: %s", errForbidden, address)
		}
		switch {
		case firstContext != nil:
			return firstContext(ctx, network, address, c)
		case first != nil:
			return first(network, address, c)
		}
		return nil
	}
	return &d
}
