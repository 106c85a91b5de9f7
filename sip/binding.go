package sip

import (
	"errors"
	"slices"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

var errNotBound = errors.New("sip: the registrar does not list our Contact")

// A binding is what a registrar granted in its 200 to a REGISTER.
type binding struct {
	contact       *gosip.ContactHeader // as we sent it
	hop           hop                  // where the REGISTER went
	gone          <-chan struct{}      // closed with the connection that it went over; nil for UDP
	granted       time.Duration
	expires       time.Time
	gruu          string    // public GRUU
	gruuURI       gosip.Uri // the same
	temporaryGRUU string
	routes        []gosip.Uri            // Service-Route
	outbound      bool                   // requests to us come over that connection (RFC 5626 §6)
	flowTimer     time.Duration          // 0: none
	old           []*gosip.ContactHeader // of ours, still listed
}

// binding reads the response to a REGISTER that asked for a time.
func (s *registering) binding(asked time.Duration, instance string) (*binding, error) {
	res, seq := s.response, s.request.CSeq().SeqNo
	if !isClean(res) || res.CSeq() == nil || res.CSeq().SeqNo != seq {
		return nil, errMalformed
	}
	ours := s.own(instance)
	if ours == nil {
		return nil, errNotBound
	}
	b := &binding{contact: s.contact(), hop: s.hop, granted: min(grantedTime(res, ours, asked), asked)}
	if b.granted <= 0 {
		return nil, errNotBound
	}
	b.expires = time.Now().Add(b.granted)
	b.routes = serviceRoute(res)
	if instance != "" {
		b.gruu, b.gruuURI = gruu(ours["pub-gruu"])
		b.temporaryGRUU, _ = gruu(ours["temp-gruu"])
		b.outbound = slices.Contains(listed(res, "Require"), "outbound")
	}
	b.flowTimer, _ = seconds(headerValue(res, "Flow-Timer"))
	return b, nil
}

// inCalls is what stands in the Contact of our calls where u is our own address: the public GRUU, or u with the mark that requests shall come over
// the connection that we registered over (RFC 5627 §4.3, RFC 5626 §4.3). b may be nil.
func (b *binding) inCalls(u gosip.Uri, h hop) gosip.Uri {
	switch {
	case b == nil:
	case b.gruu != "" && b.gruuURI.Scheme == u.Scheme:
		return *b.gruuURI.Clone()
	case b.outbound && h.network == b.hop.network && h.addr == b.hop.addr:
		u.UriParams = append(u.UriParams, gosip.HeaderKV{K: "ob"})
	}
	return u
}

// pings is how often the flow wants a ping, where the registrar has promised to answer (RFC 5626 §4.4.1); 0 where it has not. usual is
// what other connections get.
func (b *binding) pings(usual time.Duration) time.Duration {
	switch {
	case b.flowTimer > 0 && (b.flowTimer < usual || usual < 0):
		return max(b.flowTimer, minRefresh)
	case b.flowTimer > 0 || b.outbound:
		return usual
	}
	return 0
}

// own finds our binding among those that the response lists and returns its parameters: the one with our instance and reg-id (RFC 5626 §6), otherwise
// the one with our URI that is no other instance's (RFC 3261 §10.2.4).
func (s *registering) own(instance string) map[string]string {
	var own map[string]string
	_, flow := s.contact().Params.Get("reg-id")
	for h := range named(s.response, "Contact") {
		c, ok := h.(*gosip.ContactHeader)
		if !ok || c.Address.Wildcard {
			continue
		}
		ps := contactParams(c)
		its, named := ps["+sip.instance"]
		same := named && strings.EqualFold(its, "<"+instance+">")
		switch {
		case flow && same && ps["reg-id"] == "1":
			return ps
		case instance != "" && named && !same:
		case sameURI(c.Address, s.contact().Address):
			own = ps
		}
	}
	return own
}

// lists reports whether a response lists a URI among the bindings.
func lists(res *gosip.Response, u gosip.Uri) bool {
	for h := range named(res, "Contact") {
		if c, ok := h.(*gosip.ContactHeader); ok && !c.Address.Wildcard && sameURI(c.Address, u) {
			return true
		}
	}
	return false
}

// grantedTime is what the binding says, or else the message, or else what we asked for (RFC 3261 §10.2.4).
func grantedTime(res *gosip.Response, ours map[string]string, asked time.Duration) time.Duration {
	for _, value := range []string{ours["expires"], headerValue(res, "Expires")} {
		if d, ok := seconds(value); ok {
			return d
		}
	}
	return asked
}

// contactParams reads the parameters of a Contact, their names in lower case. sipgo cuts at each semicolon, also inside of quotes.
func contactParams(c *gosip.ContactHeader) map[string]string {
	var text strings.Builder
	for _, p := range c.Params {
		text.WriteString(p.K)
		if p.V != "" {
			text.WriteString("=" + p.V)
		}
		text.WriteString(";")
	}
	params := make(map[string]string)
	for _, p := range split(text.String(), ';') {
		name, value, _ := strings.Cut(p, "=")
		value = strings.TrimSpace(value)
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = unquote(value[1 : len(value)-1])
		}
		params[strings.ToLower(strings.TrimSpace(name))] = value
	}
	return params
}

// gruu checks what a registrar gives as a GRUU (RFC 5627 §3): it goes into our own header fields.
func gruu(s string) (string, gosip.Uri) {
	u, err := parseURI(s)
	if err != nil || u.User == "" || !hasParam(u.UriParams, "gr") {
		return "", gosip.Uri{}
	}
	return s, u
}
