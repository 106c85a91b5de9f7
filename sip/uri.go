package sip

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// sameURI compares two SIP URIs as RFC 3261 §19.1.4 says, but for one thing: a reserved character is the same as its escape.
func sameURI(a, b gosip.Uri) bool {
	if !strings.EqualFold(a.Scheme, b.Scheme) || a.Port != b.Port || !sameHost(a.Host, b.Host) ||
		unescape(a.User) != unescape(b.User) || unescape(a.Password) != unescape(b.Password) || len(a.Headers) != len(b.Headers) {
		return false
	}
	for _, h := range a.Headers {
		if !strings.EqualFold(unescape(param(b.Headers, h.K)), unescape(h.V)) {
			return false
		}
	}
	return matchParams(a.UriParams, b.UriParams) && matchParams(b.UriParams, a.UriParams)
}

// matchParams reports whether b has the parameters of a with the same values. Of those that it lacks only some matter.
func matchParams(a, b gosip.HeaderParams) bool {
	for _, p := range a {
		name := strings.ToLower(strings.TrimSpace(p.K))
		switch {
		case hasParam(b, name):
			if !strings.EqualFold(unescape(param(a, name)), unescape(param(b, name))) {
				return false
			}
		case slices.Contains(decisive, name):
			return false
		}
	}
	return true
}

// decisive are the parameters that both URIs must have if one has.
var decisive = []string{"user", "ttl", "method", "maddr", "transport"}

// sameHost compares two hosts, with or without the brackets of an IPv6 address.
func sameHost(a, b string) bool {
	a, b = strings.Trim(a, "[]"), strings.Trim(b, "[]")
	if ip, err := netip.ParseAddr(a); err == nil {
		other, err := netip.ParseAddr(b)
		return err == nil && ip == other
	}
	return strings.EqualFold(a, b)
}

// unescape takes the escapes out of a part of a URI, for comparing.
func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}
