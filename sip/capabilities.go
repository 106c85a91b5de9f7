package sip

import (
	"slices"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// known holds the methods that we know of and do not allow: 405 for these, 501 for others (RFC 3261 §8.2.1).
var known = map[gosip.RequestMethod]bool{
	gosip.REGISTER: true, gosip.SUBSCRIBE: true, gosip.NOTIFY: true, gosip.REFER: true,
	gosip.MESSAGE: true, gosip.PUBLISH: true,
}

// allow is the value of Allow: the methods that we take (RFC 3261 §20.5).
func (a *Agent) allow() string {
	methods := []string{"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE"}
	if a.takesMessages() {
		methods = append(methods, "MESSAGE")
	}
	return strings.Join(methods, ", ")
}

// extensions are the option tags that a peer may require (RFC 3261 §19.2).
func (a *Agent) extensions() []string {
	tags := []string{reliable}
	if a.opts.SessionExpires > 0 {
		tags = append(tags, "timer")
	}
	return tags
}

// capabilities are the header fields of an INVITE, its 2xx and the answer to OPTIONS (RFC 3261 §13.2.1, §13.3.1.4, §11.2), but for
// those extensions that are not offered there.
func (a *Agent) capabilities(without ...string) []gosip.Header {
	hs := []gosip.Header{header("Allow", a.allow())}
	tags := slices.DeleteFunc(a.supported(), func(tag string) bool { return slices.Contains(without, tag) })
	if len(tags) > 0 {
		hs = append(hs, header("Supported", strings.Join(tags, ", ")))
	}
	return hs
}

// supported lists the extensions that we know; with an instance also what proxies do for it (RFC 5627 §4.4, RFC 5626 §4.3).
func (a *Agent) supported() []string {
	if a.opts.InstanceID == "" {
		return a.extensions()
	}
	return append(a.extensions(), "gruu", "outbound")
}

// unsupported lists the option tags in Require that we do not know (RFC 3261 §8.2.2.3).
func (a *Agent) unsupported(req *gosip.Request) string {
	var tags []string
	for _, tag := range listed(req, "Require") {
		if !slices.Contains(a.extensions(), tag) {
			tags = append(tags, tag)
		}
	}
	return strings.Join(tags, ", ")
}

// supports reports whether the sender of m knows the extension: Supported, k for short, or Require.
func supports(m message, extension string) bool {
	return slices.ContainsFunc([]string{"Supported", "k", "Require"}, func(name string) bool {
		return slices.Contains(listed(m, name), extension)
	})
}
