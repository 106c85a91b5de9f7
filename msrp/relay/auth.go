package relay

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
)

const (
	maxAuths    = 4  // requests of one connection that wait for the gate
	maxAttempts = 16 // requests of one that has never been let in
)

// authenticate answers an AUTH that is for us and not to be forwarded (RFC 4976 section 6.3). The gate may take its time: meanwhile the connection goes on.
func (c *conn) authenticate(f *msrp.Frame) error {
	to, err := msrp.ParseURI(string(f.ToPath))
	if err != nil {
		return c.refuse(f, msrp.StatusBadRequest)
	}
	from, err := msrp.ParsePath(string(f.FromPath))
	switch {
	case err != nil || f.Invalid != nil:
		return c.refuse(f, msrp.StatusBadRequest)
	case !c.r.isName(c, to.Host) && !c.r.isOurs(to):
		return errStray
	case c.r.isOurs(from[0]):
		return c.refuse(f, msrp.StatusForbidden) // through ourselves
	case to.SessionID != "" && !c.has(to):
		return c.refuse(f, msrp.StatusNoSession)
	case len(from) > 1 && c.cert != nil && !c.proves(from[0].Host):
		return c.refuse(f, msrp.StatusForbidden)
	}
	if c.attempts++; c.stranger.Load() && c.attempts > maxAttempts {
		return errRefused
	}
	f = f.Clone()
	c.mu.Lock()
	if c.cert != nil && c.auths >= maxLookups { // its other clients do not wait for those
		c.mu.Unlock()
		return c.refuse(f, msrp.StatusTimeout)
	}
	err = c.until(c.ctx, func() bool { return c.auths < maxAuths || c.cert != nil || c.failed >= maxFailures })
	over := c.failed >= maxFailures
	c.auths++
	c.mu.Unlock()
	if over {
		return nil // about to be closed
	}
	if err == nil && !c.spawn(func() { c.admitClient(f, to, from) }) {
		err = ErrClosed
	}
	return err
}

// has tells whether a URI was given to a client on this connection.
func (c *conn) has(u msrp.URI) bool {
	b := c.r.binding(u)
	return b != nil && b.isFrom(c)
}

// admitClient asks the gate and answers.
func (c *conn) admitClient(f *msrp.Frame, to msrp.URI, from msrp.Path) {
	relay := len(from) > 1 && c.proves(from[0].Host)
	v := c.r.gate.check(c.ctx, origin{conn: c.id, remote: c.remote(), secure: c.secure, relay: relay}, f)
	var b *binding
	if v.code == msrp.StatusOK {
		if b = c.r.bind(c, v.user, to, from, v.expires); b == nil {
			v = verdict{code: msrp.StatusForbidden, failed: true}
		}
	}
	answer := msrp.Frame{Header: v.header}
	if b != nil {
		c.established()
		c.serves(from[0])
		answer.Add("Use-Path", b.usePath().String())
		answer.Add("Expires", strconv.Itoa(int(v.expires/time.Second)))
	}
	c.give(c, response(f, v.code, answer.Header), owedBytes)
	c.mu.Lock()
	c.auths--
	if b != nil {
		c.failed = 0
	}
	c.look()
	c.mu.Unlock()
	switch {
	case v.failed:
		c.r.counts.authRefused.Add(1)
		c.authFailed(relay)
	case b != nil:
		c.r.counts.authGranted.Add(1)
	}
}

// authFailed counts the wrong AUTHs of a client, and closes its connection after several (RFC 4976 section 6.3).
func (c *conn) authFailed(relay bool) {
	c.mu.Lock()
	if !relay {
		c.failed++
	}
	over := c.failed == maxFailures
	c.mu.Unlock()
	if over {
		c.spawn(func() {
			c.finish()
			c.close(errRefused)
		})
	}
}

// authAnswered looks at what another relay says to an AUTH with credentials that came through us, and tells whether they were wrong: a client that fails several
// times is cut off (RFC 4976 section 6.3). One that is let in finds that relay on this connection: the URI that it has been given may be good on no other.
func (c *conn) authAnswered(f *msrp.Frame, t *route) (failed bool) {
	if f.Status == msrp.StatusOK && bytes.IndexByte(t.to, ' ') < 0 {
		if use, err := f.UsePath(); err == nil && len(use) > 0 {
			t.bindings[0].meet(use[len(use)-1], c)
		}
	}
	return f.Status == msrp.StatusUnauthorized && !isStale(f)
}

func isStale(f *msrp.Frame) bool {
	c, err := digest.ParseChallenge(string(f.Value("WWW-Authenticate")))
	return err == nil && c.Stale
}

// usePath is the way through the relays before us, as the client's requests take it, and through us (RFC 4976 section 5.1).
func (b *binding) usePath() msrp.Path {
	p := slices.Clone(b.client[:len(b.client)-1])
	slices.Reverse(p)
	return append(p, b.uri)
}
