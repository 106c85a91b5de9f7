package relay

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otrchat/otrchat/msrp"
)

const maxAuths = 4 // requests of one connection that wait for the gate

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
	case !c.isName(to.Host) && !c.r.isOurs(to):
		return errStray
	case to.SessionID != "" && !c.has(to):
		return c.refuse(f, msrp.StatusNoSession)
	}
	f = clone(f)
	c.mu.Lock()
	err = c.until(c.ctx, func() bool { return c.auths < maxAuths })
	c.auths++
	c.mu.Unlock()
	if err == nil && !c.spawn(func() { c.admitClient(f, to, from) }) {
		err = ErrClosed
	}
	return err
}

// has tells whether a URI was given to a client on this connection.
func (c *conn) has(u msrp.URI) bool {
	b := c.r.binding(u)
	return b != nil && b.conn == c
}

// isName tells whether a client that asks for host means us.
func (c *conn) isName(host string) bool {
	own := c.r.host.Host
	if own == "" {
		own = localHost(c.nc).Host
	}
	return strings.EqualFold(host, own) || strings.EqualFold(host, c.r.o.Realm)
}

// admitClient asks the gate and answers.
func (c *conn) admitClient(f *msrp.Frame, to msrp.URI, from msrp.Path) {
	v := c.r.gate.check(c.ctx, origin{conn: c.id, remote: c.remote(), secure: c.secure}, f)
	var b *binding
	if v.code == msrp.StatusOK {
		if b = c.r.bind(c, v.user, to, from, v.expires); b == nil {
			v = verdict{code: msrp.StatusForbidden, failed: true}
		}
	}
	answer := msrp.Frame{Header: v.header}
	if b != nil {
		c.established()
		answer.Add("Use-Path", b.usePath().String())
		answer.Add("Expires", strconv.Itoa(int(v.expires/time.Second)))
	}
	err := c.owe(response(f, v.code, answer.Header))
	c.mu.Lock()
	c.auths--
	if b != nil {
		c.failed = 0
	} else if v.failed {
		c.failed++
	}
	over := c.failed >= maxFailures
	c.look()
	c.mu.Unlock()
	if err == nil && over {
		ctx, cancel := context.WithTimeout(c.ctx, lingerTimeout)
		c.drained(ctx)
		cancel()
		err = errRefused
	}
	if err != nil {
		c.close(err)
		return
	}
	c.kick()
}

// usePath is the way through the relays before us, as the client's requests take it, and through us (RFC 4976 section 5.1).
func (b *binding) usePath() msrp.Path {
	p := slices.Clone(b.client[:len(b.client)-1])
	slices.Reverse(p)
	return append(p, b.uri)
}

// clone copies what an AUTH is made of.
func clone(f *msrp.Frame) *msrp.Frame {
	g := &msrp.Frame{
		TransactionID: bytes.Clone(f.TransactionID), Method: bytes.Clone(f.Method), ToPath: bytes.Clone(f.ToPath), FromPath: bytes.Clone(f.FromPath),
	}
	for _, h := range f.Header {
		g.Header = append(g.Header, msrp.Header{Name: bytes.Clone(h.Name), Value: bytes.Clone(h.Value)})
	}
	return g
}
