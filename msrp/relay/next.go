package relay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// dialTimeout is for a connection to the next hop, all of its addresses together.
const dialTimeout = 30 * time.Second

// A nextHop is what a connection of ours is for: everything that goes to a relay, or one session of an endpoint. Blink and AG Projects' relay take one
// session on a connection. The zero value is that of a connection which is for nothing of the kind.
type nextHop struct {
	secure  bool
	host    string // in lower case
	port    uint16
	session string // of an endpoint; empty for a relay
}

func relayAt(u msrp.URI) nextHop {
	return nextHop{secure: u.Secure, host: strings.ToLower(u.Host), port: u.Port}
}

func endpointAt(u msrp.URI) nextHop {
	h := relayAt(u)
	h.session = "/" + u.SessionID
	return h
}

// towards returns the connection to a next hop for a client of u. If there is none it is begun: what is queued meanwhile is sent when it is there. A
// status other than 0 says why not.
func (r *Relay) towards(h nextHop, u *user) (c *conn, code int) {
	if h.secure && r.o.TLS == nil {
		return nil, msrp.StatusForbidden
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.hops[h]; c != nil && !c.closed() {
		return c, 0
	}
	if r.closed || len(r.conns) >= r.o.MaxConnections || u.dialled >= r.o.MaxSessions {
		return nil, msrp.StatusTimeout
	}
	c = newConn(r)
	c.hop, c.secure, c.dialler = h, h.secure, u
	u.dialled++
	r.hops[h] = c
	r.register(c)
	go c.dialLoop()
	return c, 0
}

// dialLoop is what begin is for accepted connections.
func (c *conn) dialLoop() {
	defer c.r.wg.Done()
	nc, err := c.dial()
	if err != nil {
		c.close(err)
		return
	}
	if c.open(nc) {
		c.r.wg.Add(1)
		go c.readLoop()
	}
}

// dial connects to the next hop: to a relay at the addresses that DNS has for it (RFC 4976 section 8).
func (c *conn) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, dialTimeout)
	defer cancel()
	addresses, err := hop.Find(ctx, c.r.o.Resolver.LookupSRV, c.hop.host, c.hop.port)
	if err != nil {
		return nil, err
	}
	var cfg *tls.Config
	if c.hop.secure {
		cfg = c.r.o.TLS
	}
	var errs []error
	for _, a := range addresses {
		nc, err := hop.Dial(ctx, c.r.o.Dialer.DialContext, a, cfg, c.hop.host)
		if err == nil {
			return nc, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// open begins the life of a connection that was dialled, false if it was closed meanwhile.
func (c *conn) open(nc net.Conn) bool {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		nc.Close()
		return false
	}
	c.nc = nc
	c.mu.Unlock()
	c.cert = c.certificate()
	c.kick()
	return true
}

// isRelay tells whether another relay is at the other end, as far as we know. What others ask of a connection that is being dialled does not depend on its certificate.
func (c *conn) isRelay() bool {
	if c.hop.host != "" {
		return c.hop.session == ""
	}
	return c.cert != nil
}

// proves tells whether the peer has shown by its certificate that it is the relay of this name (RFC 4976 section 6.3).
func (c *conn) proves(host string) bool { return c.cert != nil && c.cert.VerifyHostname(host) == nil }

// certificate is what the peer has shown, if that makes it another relay; nil for clients, whatever they show (RFC 4976 section 9.2). A client can have us dial any
// host: that is no relay to be trusted either, unless Options.Relays says so.
func (c *conn) certificate() *x509.Certificate {
	tc, ok := c.nc.(interface{ ConnectionState() tls.ConnectionState })
	if !ok || c.r.o.Relays == nil {
		return nil
	}
	shown := tc.ConnectionState().PeerCertificates
	if len(shown) == 0 {
		return nil
	}
	usage := x509.ExtKeyUsageClientAuth
	if c.hop != (nextHop{}) {
		usage = x509.ExtKeyUsageServerAuth
	}
	o := x509.VerifyOptions{Roots: c.r.o.Relays, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{usage}}
	for _, cert := range shown[1:] {
		o.Intermediates.AddCert(cert)
	}
	if _, err := shown[0].Verify(o); err != nil {
		c.r.o.Logger.Debug("relay: a certificate that is not another relay's", "remote", c.nc.RemoteAddr(), "error", err)
		return nil
	}
	return shown[0]
}

// serves makes an accepted connection the one to the relay at its other end, if there is none yet (RFC 4976 section 6.4.2).
func (c *conn) serves(relay msrp.URI) {
	if !relay.Secure || !c.proves(relay.Host) {
		return
	}
	h := relayAt(relay)
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if has := c.r.hops[h]; has != nil && !has.closed() {
		return
	}
	if len(c.served) == maxServed {
		return
	}
	c.r.hops[h] = c
	c.served = append(c.served, h)
}
