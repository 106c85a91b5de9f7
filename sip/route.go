package sip

import (
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

const maxServiceRoutes = 16

// proxy is the route to the outbound proxy, if there is one.
func (a *Agent) proxy() []gosip.Uri {
	if a.opts.OutboundProxy == "" {
		return nil
	}
	proxy, _ := parseURI(a.opts.OutboundProxy) // New has checked it
	if !proxy.UriParams.Has("lr") {            // a strict router would have to be in the Request-URI
		proxy.UriParams = append(proxy.UriParams, gosip.HeaderKV{K: "lr"})
	}
	return []gosip.Uri{proxy}
}

// preloaded is the route set of requests outside a dialog (RFC 3261 §8.1.2): the outbound proxy, and the route that our registrar
// gave (RFC 3608 §6.1).
func (a *Agent) preloaded() []gosip.Uri {
	routes, b := a.proxy(), a.binding()
	switch {
	case b == nil || len(b.routes) == 0:
		return routes
	case len(routes) > 0 && sameURI(routes[0], b.routes[0]):
		routes = nil // it begins with the proxy
	}
	return append(routes, b.routes...)
}

// serviceRoute reads the route that requests outside a dialog go by (RFC 3608 §6.1). One that cannot be followed whole is not followed at all.
func serviceRoute(res *gosip.Response) []gosip.Uri {
	var routes []gosip.Uri
	for h := range named(res, "Service-Route") {
		for _, value := range split(h.Value(), ',') {
			_, value, _ = strings.Cut(value, "<")
			value, _, _ = strings.Cut(value, ">")
			u, err := parseURI(value)
			if err != nil || !hasParam(u.UriParams, "lr") || len(routes) == maxServiceRoutes {
				return nil
			}
			routes = append(routes, u)
		}
	}
	return routes
}

// recordRoutes returns the Record-Route header fields as a route set, in the order of the message.
func recordRoutes(m message) []gosip.Uri {
	var routes []gosip.Uri
	for h := range named(m, "Record-Route") {
		if r, ok := h.(*gosip.RecordRouteHeader); ok {
			routes = append(routes, *r.Address.Clone())
		}
	}
	return routes
}
