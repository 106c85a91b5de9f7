package digest

import (
	"crypto/subtle"
	"fmt"
	"strconv"
	"strings"
)

// Credentials are the answer to a challenge: the value of Authorization or Proxy-Authorization (RFC 7616 section 3.4).
type Credentials struct {
	Username, Realm, Nonce string
	URI                    string    // of the request, as the client wrote it; empty if absent, as RFC 4976 allows
	Algorithm              Algorithm // empty if absent
	Opaque                 string    // empty if absent
	Cnonce                 string    // of the client's making, not empty
	NC                     uint32    // how many requests the client has sent with this nonce, this one included
	Response               string    // the proof, in hexadecimal digits

	// What a Client answers besides; ParseCredentials refuses it.
	Protection Protection
	Session    bool
	body       string // its hash in hexadecimal digits; for AuthInt
}

// ParseCredentials reads the client's answer. The error wraps ErrMalformed, or ErrUnsupported for another scheme, algorithm or quality of protection.
// It checks no value but nc and qop: what they are worth is for the caller and for Verify.
func ParseCredentials(value string) (*Credentials, error) {
	p, err := parseScheme(value)
	if err != nil {
		return nil, err
	}
	c := &Credentials{
		Username: p.get("username"), Realm: p.get("realm"), Nonce: p.get("nonce"), URI: p.get("uri"),
		Opaque: p.get("opaque"), Cnonce: p.get("cnonce"), Response: p.get("response"),
	}
	for _, name := range []string{"username", "realm", "nonce", "cnonce", "nc", "qop", "response"} {
		if !p.has(name) {
			return nil, malformed("no %s", name)
		}
	}
	var ok bool
	if c.Algorithm, ok = parseAlgorithm(p.get("algorithm")); !ok {
		return nil, fmt.Errorf("%w: algorithm", ErrUnsupported)
	}
	if !strings.EqualFold(p.get("qop"), "auth") || strings.EqualFold(p.get("userhash"), "true") {
		return nil, fmt.Errorf("%w: quality of protection or userhash", ErrUnsupported)
	}
	if c.NC, ok = parseNC(p.get("nc")); !ok || c.Cnonce == "" {
		return nil, malformed("nc or cnonce")
	}
	return c, nil
}

// parseNC reads eight hexadecimal digits as formatNC writes them: they are hashed as they stand.
func parseNC(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 16, 32)
	return uint32(n), err == nil && formatNC(uint32(n)) == s
}

func formatNC(n uint32) string { return fmt.Sprintf("%08x", n) }

// Verify tells whether Response proves that the client knows the password behind ha1, for a request with this method and URI. It takes the same time
// for every wrong response. An HA1 that is empty or of another algorithm verifies nothing.
func (c *Credentials) Verify(method, uri, ha1 string) bool {
	want := c.proof(method, uri, ha1)
	return len(ha1) == len(want) && equal(c.Response, want)
}

// Info returns the value of the Authentication-Info header with which a server shows that it knows the password too (RFC 7616 section 3.5). The client
// goes on with nextnonce, unless that is empty.
func (c *Credentials) Info(uri, ha1, nextnonce string) string {
	var w writer
	w.optional("nextnonce", nextnonce)
	w.quoted("rspauth", c.proof("", uri, ha1))
	w.quoted("cnonce", c.Cnonce)
	w.token("nc", formatNC(c.NC))
	w.token("qop", "auth")
	return w.String()
}

// proof is the response of RFC 7616 section 3.4.1, and with an empty method the rspauth of section 3.5.
func (c *Credentials) proof(method, uri, ha1 string) string {
	ha2 := []string{method, uri}
	if c.Protection == AuthInt {
		ha2 = append(ha2, c.body)
	}
	if c.Protection == NoQOP {
		return c.Algorithm.sum(ha1, c.Nonce, c.Algorithm.sum(ha2...))
	}
	return c.Algorithm.sum(ha1, c.Nonce, formatNC(c.NC), c.Cnonce, c.Protection.String(), c.Algorithm.sum(ha2...))
}

func equal(a, b string) bool {
	return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// String returns the value of an Authorization header.
func (c *Credentials) String() string {
	w := writer{separator: "Digest "}
	w.quoted("username", c.Username)
	w.quoted("realm", c.Realm)
	w.quoted("nonce", c.Nonce)
	w.optional("uri", c.URI)
	w.optional("opaque", c.Opaque)
	w.algorithm(c.Algorithm, c.Session)
	if c.Protection != NoQOP {
		w.token("qop", c.Protection.String())
		w.token("nc", formatNC(c.NC))
		w.quoted("cnonce", c.Cnonce)
	}
	w.quoted("response", c.Response)
	return w.String()
}
