package digest

import (
	"crypto/rand"
	"fmt"
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
	client := &Client{
		credentials: Credentials{
			Username: username, Realm: c.Realm, Nonce: c.Nonce, Opaque: c.Opaque, Algorithm: c.Algorithm, Protection: c.Protection, Session: c.Session,
		},
		ha1: HA1(c.Algorithm, username, c.Realm, password),
	}
	if c.Session { // the key of the session stays, and so does the cnonce that it is made with (RFC 7616 section 3.4.2)
		client.credentials.Cnonce = rand.Text()
		client.ha1 = c.Algorithm.sum(client.ha1, c.Nonce, client.credentials.Cnonce)
	}
	return client
}

// Fresh tells whether the next request would be the first with its nonce: that of the challenge, or one that the server has given for it (nextnonce).
func (c *Client) Fresh() bool { return c.credentials.NC == 0 }

// Authorization returns the header value for a request without a body, with a cnonce of its own and the next count.
func (c *Client) Authorization(method, uri string) string {
	return c.AuthorizationFor(method, uri, nil)
}

// AuthorizationFor is Authorization for a request with a body, which counts where the challenge wants AuthInt.
func (c *Client) AuthorizationFor(method, uri string, body []byte) string {
	c.credentials.NC++
	c.last, c.uri = c.credentials, uri
	if !c.last.Session {
		c.last.Cnonce = rand.Text()
	}
	if c.last.Protection == AuthInt {
		c.last.body = c.last.Algorithm.sum(string(body))
	}
	c.last.Response = c.last.proof(method, uri, c.ha1)
	if !c.OmitURI {
		c.last.URI = uri
	}
	return c.last.String()
}

// Verify checks the Authentication-Info that came with the response to the latest request (RFC 7616 section 3.5), and goes on with its nextnonce if
// there is one. The error wraps ErrRspauth where the server does not prove that it knows the password, ErrMalformed, or ErrUnsupported where it was
// asked for another quality of protection than Auth; then nothing has changed. Whether a response may come without the header is the caller's to decide.
func (c *Client) Verify(info string) error {
	p, err := parseParams(info)
	if err != nil {
		return err
	}
	if c.last.Protection != Auth {
		return fmt.Errorf("%w: quality of protection", ErrUnsupported)
	}
	if !equal(p.get("rspauth"), c.last.proof("", c.uri, c.ha1)) {
		return ErrRspauth
	}
	for _, echo := range []struct{ name, want string }{{"cnonce", c.last.Cnonce}, {"nc", formatNC(c.last.NC)}, {"qop", "auth"}} {
		if value, ok := p.lookup(echo.name); ok && !strings.EqualFold(value, echo.want) {
			return ErrRspauth
		}
	}
	c.follow(p)
	return nil
}

// Follow is Verify for protocols whose servers need not prove anything: an Authentication-Info without rspauth has its nextnonce taken as well. One with
// a wrong rspauth is an error all the same.
func (c *Client) Follow(info string) error {
	p, err := parseParams(info)
	if err != nil {
		return err
	}
	if p.has("rspauth") {
		return c.Verify(info)
	}
	c.follow(p)
	return nil
}

func (c *Client) follow(p params) {
	if next := p.get("nextnonce"); next != "" {
		c.credentials.Nonce, c.credentials.NC = next, 0
	}
}
