package sip

import (
	"slices"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// targets are the URIs that an INVITE of ours goes to, one after the other: the one that was called, and those that 3xx responses
// name (RFC 3261 §8.1.3.4). Their number is bounded, and none comes twice, so that nothing goes round in circles.
type targets struct {
	secure bool // sips was called
	left   int
	known  map[string]bool
	queue  []gosip.Uri
}

func newTargets(first gosip.Uri, redirects int) *targets {
	return &targets{
		secure: strings.EqualFold(first.Scheme, "sips"),
		left:   1 + max(redirects, 0),
		known:  map[string]bool{targetKey(first): true},
		queue:  []gosip.Uri{first},
	}
}

// next takes the target whose turn it is.
func (t *targets) next() (gosip.Uri, bool) {
	if t.left == 0 || len(t.queue) == 0 {
		return gosip.Uri{}, false
	}
	u := t.queue[0]
	t.left--
	t.queue = t.queue[1:]
	return u, true
}

// add puts what a response redirects to before the targets that are left, the highest q first. Of the redirections it follows those
// that only say where the user is: 305 asks us to trust a proxy that we did not choose, and 380 describes other services.
func (t *targets) add(res *gosip.Response) {
	switch res.StatusCode {
	case 300, gosip.StatusMovedPermanently, gosip.StatusMovedTemporarily:
	default:
		return
	}
	if !isClean(res) {
		return
	}
	var found []redirection
	for h := range named(res, "Contact") {
		if c, ok := h.(*gosip.ContactHeader); ok && len(found) < t.left && t.takes(c) {
			u := requestURI(c.Address)
			t.known[targetKey(u)] = true
			found = append(found, redirection{u, qOf(c)})
		}
	}
	slices.SortStableFunc(found, func(a, b redirection) int { return b.q - a.q })
	var us []gosip.Uri
	for _, r := range found {
		us = append(us, r.target)
	}
	t.queue = append(us, t.queue...)
}

type redirection struct {
	target gosip.Uri
	q      int // in thousandths
}

// takes reports whether we call a URI that a peer names: one that Invite would take, new to us, and secure where the first was. Header
// fields in the URI are not ours to send, and left out (RFC 3261 §19.1.5).
func (t *targets) takes(c *gosip.ContactHeader) bool {
	u := requestURI(c.Address)
	if u.Wildcard || t.known[targetKey(u)] {
		return false
	}
	parsed, err := parseURI(u.String())
	return err == nil && (!t.secure || parsed.Scheme == "sips")
}

// targetKey is the same for URIs that differ in the case of the host only.
func targetKey(u gosip.Uri) string {
	u.Host = strings.ToLower(u.Host)
	return u.String()
}

// qOf is the q of a Contact (RFC 3261 §20.10): the highest where there is none, the lowest where it is malformed.
func qOf(c *gosip.ContactHeader) int {
	s := param(c.Params, "q")
	if s == "" {
		return 1000
	}
	q, err := strconv.ParseFloat(s, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return int(q * 1000)
}
