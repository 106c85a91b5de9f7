package sip

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

const (
	maxChallenges = 8 // realms that one call answers
	maxAttempts   = 4 // times that one request is sent, challenges included
)

// credentials answer digest challenges (RFC 3261 §22, RFC 8760) for one call and remember them, so that later
// requests carry an answer from the start.
type credentials struct {
	username, password, realm string

	mu         sync.Mutex
	challenges []*challenge
}

// A challenge is what one server asked, and how often its nonce was used.
type challenge struct {
	*digest.Challenge
	header string // where the answer goes: Authorization or Proxy-Authorization
	count  int
}

// round holds which challenges a request has answered already, by header and realm.
type round map[[2]string]bool

// learn takes the challenges of a 401 or 407. It reports whether it is worth sending the request again: there is a
// new challenge to answer. A second challenge from the same realm means that the answer was wrong, unless
// the server says that only the nonce was old.
func (c *credentials) learn(res *gosip.Response, answered round) bool {
	if c.password == "" || (res.StatusCode != 401 && res.StatusCode != 407) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh, seen := false, make(round)
	for _, h := range res.Headers() {
		ch := parseChallenge(h)
		if ch == nil || (c.realm != "" && ch.Realm != c.realm) {
			continue
		}
		key := [2]string{ch.header, ch.Realm}
		if seen[key] { // RFC 8760 §2.4: the topmost that we know
			continue
		}
		seen[key] = true
		if answered[key] && !ch.Stale {
			continue
		}
		answered[key] = true
		fresh = c.keep(ch) || fresh
	}
	return fresh
}

// keep replaces what is known of the realm.
func (c *credentials) keep(ch *challenge) bool {
	i := slices.IndexFunc(c.challenges, func(o *challenge) bool {
		return o.header == ch.header && o.Realm == ch.Realm
	})
	switch {
	case i >= 0:
		c.challenges[i] = ch
	case len(c.challenges) < maxChallenges:
		c.challenges = append(c.challenges, ch)
	default:
		return false
	}
	return true
}

// parseChallenge returns nil for what is no digest challenge, or one with an algorithm or a quality of protection
// that we do not know.
func parseChallenge(h gosip.Header) *challenge {
	ch := new(challenge)
	switch strings.ToLower(h.Name()) {
	case "www-authenticate":
		ch.header = "Authorization"
	case "proxy-authenticate":
		ch.header = "Proxy-Authorization"
	default:
		return nil
	}
	d, err := digest.ParseChallenge(h.Value())
	if err != nil {
		return nil
	}
	for i := range d.QOP {
		d.QOP[i] = strings.ToLower(strings.TrimSpace(d.QOP[i]))
	}
	if !digest.CanDigest(d) {
		return nil
	}
	ch.Challenge = d
	return ch
}

// sign puts the answer to every known challenge into req.
func (c *credentials) sign(req *gosip.Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.challenges {
		ch.count++
		answer, err := digest.Digest(ch.Challenge, digest.Options{
			Method:   string(req.Method),
			URI:      req.Recipient.String(),
			Username: c.username,
			Password: c.password,
			Count:    ch.count,
			GetBody:  func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(req.Body())), nil },
		})
		if err != nil {
			return err
		}
		req.AppendHeader(gosip.NewHeader(ch.header, answer.String()))
	}
	return nil
}

func (a *Agent) newCredentials() *credentials {
	return &credentials{username: a.opts.Username, password: a.opts.Password, realm: a.opts.Realm}
}
