package digest

import (
	"fmt"
	"strings"
)

// Challenge is what a server demands: a value of WWW-Authenticate or Proxy-Authenticate (RFC 7616 section 3.3), with the quality of protection "auth".
type Challenge struct {
	Realm     string    // which user name and password are wanted
	Nonce     string    // of the server's making
	Opaque    string    // echoed as it is; empty if absent
	Algorithm Algorithm // empty if absent
	Stale     bool      // the credentials were right, only their nonce was too old
}

// ParseChallenge reads one challenge. The error wraps ErrMalformed, or ErrUnsupported for one that cannot be answered.
func ParseChallenge(value string) (*Challenge, error) {
	p, err := parseScheme(value)
	if err != nil {
		return nil, err
	}
	c := &Challenge{Realm: p.get("realm"), Nonce: p.get("nonce"), Opaque: p.get("opaque"), Stale: strings.EqualFold(p.get("stale"), "true")}
	if !p.has("realm") || c.Nonce == "" {
		return nil, malformed("challenge without a realm or a nonce")
	}
	var ok bool
	if c.Algorithm, ok = parseAlgorithm(p.get("algorithm")); !ok {
		return nil, fmt.Errorf("%w: algorithm", ErrUnsupported)
	}
	for qop := range strings.SplitSeq(p.get("qop"), ",") {
		if strings.EqualFold(trim(qop), "auth") {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: quality of protection", ErrUnsupported)
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
	w.quoted("qop", "auth")
	w.quoted("nonce", c.Nonce)
	w.optional("opaque", c.Opaque)
	if c.Algorithm != "" {
		w.token("algorithm", string(c.Algorithm))
	}
	if c.Stale {
		w.token("stale", "true")
	}
	return w.String()
}
