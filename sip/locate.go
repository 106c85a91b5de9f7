package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

const defaultPort = 5060

// locate finds where a request for u can be sent to, the best hop first (RFC 3263 §4). prefer is the network for a URI
// that leaves the choice to us, "" where there is no reason for any.
func (a *Agent) locate(ctx context.Context, u gosip.Uri, prefer string) ([]hop, error) {
	h := hop{network: strings.ToLower(param(u.UriParams, "transport"))}
	if h.network == "" {
		h.network = prefer
	}
	if h.network == "" {
		h.network = a.defaultNetwork()
	}
	switch {
	case u.Scheme != "sip":
		return nil, fmt.Errorf("sip: locate: %w", errURIScheme)
	case h.network != "tcp" && h.network != "udp":
		return nil, fmt.Errorf("sip: transport %q is not supported", printable(h.network))
	case u.Port < 0 || u.Port > 65535:
		return nil, fmt.Errorf("sip: locate: %w", errURI)
	}
	if _, ok := a.listensOn(h.network); !ok {
		return nil, fmt.Errorf("%w: %s", ErrNotListening, h.network)
	}
	port := u.Port
	if port == 0 {
		port = defaultPort
	}
	ip, err := lookup(ctx, strings.Trim(u.Host, "[]"))
	if err != nil {
		return nil, fmt.Errorf("sip: locate: %w", err)
	}
	h.addr = netip.AddrPortFrom(ip, uint16(port))
	return []hop{h}, nil
}

// lookup returns an address of host, an IPv4 address where there is one.
func lookup(ctx context.Context, host string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap(), nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			return ip.Unmap(), nil
		}
	}
	return ips[0], nil // LookupNetIP returns at least one address or an error
}

// defaultNetwork is for a URI that names no transport: UDP (RFC 3263 §4.1) if we have it.
func (a *Agent) defaultNetwork() string {
	if _, ok := a.listensOn("udp"); ok {
		return "udp"
	}
	return "tcp"
}

// preloaded is the route set of requests outside a dialog (RFC 3261 §8.1.2).
func (a *Agent) preloaded() []gosip.Uri {
	if a.opts.OutboundProxy == "" {
		return nil
	}
	proxy, _ := parseURI(a.opts.OutboundProxy) // New has checked it
	if !proxy.UriParams.Has("lr") {            // a strict router would have to be in the Request-URI
		proxy.UriParams = append(proxy.UriParams, gosip.HeaderKV{K: "lr"})
	}
	return []gosip.Uri{proxy}
}
