package digest

import (
	"fmt"
	"strings"
)

// Challenge is what a server demands: a value of WWW-Authenticate or Proxy-Authenticate (RFC 7616 section 3.3).
type Challenge struct {
	Realm      string     // which user name and password are wanted
	Nonce      string     // of the server's making
	Opaque     string     // echoed as it is; empty if absent
	Algorithm  Algorithm  // empty if absent
	Stale      bool       // the credentials were right, only their nonce was too old
	Protection Protection // Auth, but for what ParseAny reads
	Session    bool       // the session variant of Algorithm, such as MD5-sess; only ParseAny reads it
}

// Protection is the quality of protection: what the proof of the password covers.
type Protection int

// The qualities of protection.
const (
	Auth    Protection = iota // "auth": method and URI
	AuthInt                   // "auth-int": the body too
	NoQOP                     // the parameter is absent: method and URI, without a count of requests (RFC 2069)
)

// String is the value of the qop parameter, empty where it is absent.
func (p Protection) String() string { return [...]string{"auth", "auth-int", ""}[p] }

const session = "-sess" // what the names of the session variants end with

// ParseChallenge reads one challenge with the quality of protection "auth". The error wraps ErrMalformed, or ErrUnsupported for one that cannot be
// answered.
func ParseChallenge(value string) (*Challenge, error) {
	c, err := ParseAny(value)
	switch {
	case err != nil:
		return nil, err
	case c.Session:
		return nil, fmt.Errorf("%w: algorithm", ErrUnsupported)
	case c.Protection != Auth:
		return nil, fmt.Errorf("%w: quality of protection", ErrUnsupported)
	}
	return c, nil
}

// ParseAny reads every challenge that a Client can answer, for protocols with old servers: without a quality of protection, with "auth-int" alone, and
// with the session variants of the algorithms. The error is as that of ParseChallenge.
func ParseAny(value string) (*Challenge, error) {
	p, err := parseScheme(value)
	if err != nil {
		return nil, err
	}
	c := &Challenge{Realm: p.get("realm"), Nonce: p.get("nonce"), Opaque: p.get("opaque"), Stale: strings.EqualFold(p.get("stale"), "true")}
	if !p.has("realm") || c.Nonce == "" {
		return nil, malformed("challenge without a realm or a nonce")
	}
	algorithm := p.get("algorithm")
	if n := len(algorithm) - len(session); n > 0 && strings.EqualFold(algorithm[n:], session) {
		algorithm, c.Session = algorithm[:n], true
	}
	var ok bool
	if c.Algorithm, ok = parseAlgorithm(algorithm); !ok {
		return nil, fmt.Errorf("%w: algorithm", ErrUnsupported)
	}
	if c.Protection, ok = protection(p); !ok || c.Session && c.Protection == NoQOP { // a session needs a cnonce
		return nil, fmt.Errorf("%w: quality of protection", ErrUnsupported)
	}
	return c, nil
}

// protection chooses among those that are offered, "auth" where it can.
func protection(p params) (chosen Protection, ok bool) {
	offer, present := p.lookup("qop")
	if !present {
		return NoQOP, true
	}
	for qop := range strings.SplitSeq(offer, ",") {
		switch {
		case strings.EqualFold(trim(qop), "auth"):
			return Auth, true
		case strings.EqualFold(trim(qop), "auth-int"):
			chosen, ok = AuthInt, true
		}
	}
	return chosen, ok
}

// Strongest returns the challenge with the strongest algorithm that is known, the first of these. Those that are malformed or cannot be answered
// are passed over; the error is that of the last of them, and wraps ErrUnsupported where there are none at all.
func Strongest(values ...string) (strongest *Challenge, err error) {
	err = fmt.Errorf("%w: no challenge", ErrUnsupported)
	for _, value := range values {
		c, problem := ParseChallenge(value)
		switch {
		case problem != nil:
			err = problem
		case strongest == nil || c.Algorithm.strength() > strongest.Algorithm.strength():
			strongest = c
		}
	}
	if strongest != nil {
		return strongest, nil
	}
	return nil, err
}

// String returns the value of a WWW-Authenticate header.
func (c *Challenge) String() string {
	w := writer{separator: "Digest "}
	w.quoted("realm", c.Realm)
	w.optional("qop", c.Protection.String())
	w.quoted("nonce", c.Nonce)
	w.optional("opaque", c.Opaque)
	w.algorithm(c.Algorithm, c.Session)
	if c.Stale {
		w.token("stale", "true")
	}
	return w.String()
}
