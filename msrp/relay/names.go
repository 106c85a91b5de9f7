package relay

import (
	"cmp"
	"crypto/rand"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// parseHost reads host or host:port.
func parseHost(s string) (msrp.URI, error) {
	return msrp.ParseURI("msrp://" + s + ";tcp")
}

// localHost has the host and port of an address of ours.
func localHost(a net.Addr) msrp.URI {
	u, err := parseHost(a.String())
	if err != nil {
		return msrp.URI{Host: "localhost"}
	}
	return u
}

// hostport is the same text for the same host and port, however they are written.
func hostport(u msrp.URI) string {
	host := u.Host
	if decoded, err := url.PathUnescape(host); err == nil {
		host = decoded
	}
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.String()
	}
	return hop.Address(strings.ToLower(host), u.Port)
}

// authority is, under r.mu, the host and port of the URIs that clients on c are given: where others reach us.
func (r *Relay) authority(c *conn) msrp.URI {
	local := localHost(c.nc.LocalAddr())
	if c.hop != (nextHop{}) && len(r.listeners) > 0 { // dialled by us: nobody listens there
		local = localHost(r.listeners[0].Addr())
	}
	return msrp.URI{Host: cmp.Or(r.host.Host, local.Host), Port: cmp.Or(r.host.Port, local.Port, msrp.DefaultPort)}
}

// newURI makes, under r.mu, a URI for a client on c.
func (r *Relay) newURI(c *conn) msrp.URI {
	u := r.authority(c)
	r.names[hostport(u)] = struct{}{}
	u.Secure, u.SessionID, u.Transport = c.secure, strings.ToLower(rand.Text()), "tcp"
	return u
}

// isOurs tells whether a URI may be one that the relay has given out some day, before it was last started for example.
func (r *Relay) isOurs(u msrp.URI) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.names[hostport(u)]
	return ok
}

// isName tells whether a client on c that asks for host means us: by our own name, or by the domain whose SRV records have led it here.
func (r *Relay) isName(c *conn, host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.EqualFold(host, r.authority(c).Host) || strings.EqualFold(host, r.o.Realm)
}

// listen takes in, under r.mu, a listener and the name that it has for others.
func (r *Relay) listen(l net.Listener) {
	r.listeners = append(r.listeners, l)
	u := localHost(l.Addr())
	r.names[hostport(msrp.URI{Host: cmp.Or(r.host.Host, u.Host), Port: cmp.Or(r.host.Port, u.Port)})] = struct{}{}
}
