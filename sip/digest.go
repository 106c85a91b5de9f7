package sip

import (
	"slices"
	"strings"
	"sync"

	gosip "github.com/emiago/sipgo/sip"

	"github.com/otrchat/otrchat/internal/digest"
)

const (
	maxChallenges = 8       // realms that one call or registration answers
	maxAttempts   = 4       // times that one request is sent, challenges included
	maxChallenge  = 2 << 10 // bytes of one that is answered: each later request repeats most of it
)

// credentials answer digest challenges (RFC 3261 §22, RFC 8760) for one call or registration and remember them, so that
// later requests carry an answer from the start. They are not shared: an answer that the home server takes is no
// business of whoever else we call.
type credentials struct {
	username, password, realm string

	mu         sync.Mutex
	challenges []*challenge
}

// A challenge is what one server asked, and what answers it.
type challenge struct {
	*digest.Challenge
	header string // where the answer goes: Authorization or Proxy-Authorization
	secret bool   // it came over TLS, and the answer goes over nothing else
	client *digest.Client
}

// round holds which challenges a request has answered already, by header and realm.
type round map[[2]string]bool

// learn takes what a final response says of digest: the challenges of a 401 or 407, or the next nonce. It reports whether it is worth sending the request again: there is a
// new challenge to answer. A second challenge from the same realm means that the answer was wrong, unless
// the server says that only the nonce was old.
func (c *credentials) learn(res *gosip.Response, answered round) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inform(res)
	if c.password == "" || !isChallenge(res) {
		return false
	}
	fresh, seen := false, make(round)
	for _, h := range res.Headers() {
		ch := parseChallenge(h)
		if ch == nil || (c.realm != "" && ch.Realm != c.realm) {
			continue
		}
		ch.secret = cameOverTLS(res)
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
	if i < 0 && len(c.challenges) == maxChallenges {
		return false
	}
	ch.client = digest.NewClient(ch.Challenge, c.username, c.password)
	if i < 0 {
		c.challenges = append(c.challenges, ch)
	} else {
		c.challenges[i] = ch
	}
	return true
}

func isChallenge(res *gosip.Response) bool { return res.StatusCode == 401 || res.StatusCode == 407 }

// isStale reports whether the last answer was right but for its nonce.
func isStale(res *gosip.Response) bool {
	return isChallenge(res) && slices.ContainsFunc(res.Headers(), func(h gosip.Header) bool {
		ch := parseChallenge(h)
		return ch != nil && ch.Stale
	})
}

// parseChallenge returns nil for what is no digest challenge, or one that we cannot answer.
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
	if len(h.Value()) > maxChallenge {
		return nil
	}
	var err error
	if ch.Challenge, err = digest.ParseAny(h.Value()); err != nil {
		return nil
	}
	return ch
}

// cameOverTLS reports whether a response came over the connection of a request that went by TLS.
func cameOverTLS(res *gosip.Response) bool {
	via := res.Via()
	return via != nil && usesTLS(strings.ToLower(via.Transport))
}

// sign puts the answer to every known challenge into req, which goes over the network. Those over TLS show nobody else what passwords can be tried
// on: a peer leads the requests of a call where it likes.
func (c *credentials) sign(req *gosip.Request, network string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.challenges {
		if ch.secret && !usesTLS(network) {
			continue
		}
		answer := ch.client.AuthorizationFor(string(req.Method), req.Recipient.String(), req.Body())
		req.AppendHeader(gosip.NewHeader(ch.header, answer))
	}
}

// inform takes the next nonce from Authentication-Info (RFC 3261 §20.6), where it is clear whose it is. A header field with a wrong
// rspauth is passed over and no error: a server that does not know the password would leave it out. It is called with c.mu held.
func (c *credentials) inform(res *gosip.Response) {
	info := res.GetHeader("Authentication-Info")
	if info == nil {
		return
	}
	var asked []*challenge
	for _, ch := range c.challenges {
		if ch.header == "Authorization" {
			asked = append(asked, ch)
		}
	}
	if len(asked) == 1 {
		_ = asked[0].client.Follow(info.Value()) // an error changes nothing: the next request may be challenged
	}
}

func (a *Agent) newCredentials() *credentials {
	return &credentials{username: a.opts.Username, password: a.opts.Password, realm: a.opts.Realm}
}
