package digest

import (
	"crypto/rand"
	"strings"
)

// Client answers one challenge for one user, in as many requests as there are, and goes on with the nonces that the server hands out after it. For a
// new challenge make a new Client. It keeps the HA1 and not the password.
type Client struct {
	// OmitURI leaves the uri parameter out, for servers that know the URI from elsewhere in the request. Default false.
	OmitURI bool

	credentials Credentials // what stays the same, the nonce, and how often it was used
	ha1         string
	last        Credentials // what the latest request carried
	uri         string      // of the latest request
}

// NewClient returns what answers the challenge for this user.
func NewClient(c *Challenge, username, password string) *Client {
	return &Client{
		credentials: Credentials{Username: username, Realm: c.Realm, Nonce: c.Nonce, Opaque: c.Opaque, Algorithm: c.Algorithm},
		ha1:         HA1(c.Algorithm, username, c.Realm, password),
	}
}

// Fresh tells whether the next request would be the first with its nonce: that of the challenge, or one that the server has given for it (nextnonce).
func (c *Client) Fresh() bool { return c.credentials.NC == 0 }

// Authorization returns the header value for a request, with a cnonce of its own and the next count.
func (c *Client) Authorization(method, uri string) string {
	c.credentials.NC++
	c.last, c.uri = c.credentials, uri
	c.last.Cnonce = rand.Text()
	c.last.Response = c.last.proof(method, uri, c.ha1)
	if !c.OmitURI {
		c.last.URI = uri
	}
	return c.last.String()
}

// Verify checks the Authentication-Info that came with the response to the latest request (RFC 7616 section 3.5), and goes on with its nextnonce if
// there is one. The error wraps ErrRspauth where the server does not prove that it knows the password, or ErrMalformed; then nothing has changed.
// Whether a response may come without the header is the caller's to decide.
func (c *Client) Verify(info string) error {
	p, err := parseParams(info)
	if err != nil {
		return err
	}
	if !equal(p.get("rspauth"), c.last.proof("", c.uri, c.ha1)) {
		return ErrRspauth
	}
	for _, echo := range []struct{ name, want string }{{"cnonce", c.last.Cnonce}, {"nc", formatNC(c.last.NC)}, {"qop", "auth"}} {
		if value, ok := p.lookup(echo.name); ok && !strings.EqualFold(value, echo.want) {
			return ErrRspauth
		}
	}
	if next := p.get("nextnonce"); next != "" {
		c.credentials.Nonce, c.credentials.NC = next, 0
	}
	return nil
}
