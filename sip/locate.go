package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"github.com/otrchat/otrchat/internal/rfc2782"
)

// Limits of one search, whatever DNS answers.
const (
	searchTime   = 30 * time.Second
	askTime      = 5 * time.Second // for each question
	maxNAPTR     = 8               // records that are followed
	maxServers   = 16              // whose addresses are asked for
	maxAddresses = 8               // of one server
	maxHops      = 16
)

// A way is a transport, and how DNS names it (RFC 3263 §4.1, RFC 7118 §5.5).
type way struct {
	network    string
	naptr      string // service of NAPTR records
	srv, proto string // of SRV records
	port       int    // without an SRV record
}

// ways stand in the order in which we take them where a domain has SRV records and leaves the order to us: encrypted first,
// then the one that tells at once when a server is dead; WebSockets are for those who have nothing else.
var ways = []way{
	{"tls", "SIPS+D2T", "sips", "tcp", 5061},
	{"tcp", "SIP+D2T", "sip", "tcp", 5060},
	{"udp", "SIP+D2U", "sip", "udp", 5060},
	{"wss", "SIPS+D2W", "sips", "ws", 443},
	{"ws", "SIP+D2W", "sip", "ws", 80},
}

// can reports whether the agent can send requests over the network: it opens connections as it needs them.
func (a *Agent) can(network string) bool {
	_, listens := a.listensOn("udp")
	return listens || network != "udp"
}

// A search finds the servers for one URI.
type search struct {
	resolver Resolver
	name     string // of the domain, which certificates are checked for (RFC 5922 §4)
	target   string // whose addresses are looked for
	port     int    // 0: none in the URI
	ways     []way  // that the URI and the agent allow
	chosen   bool   // the transport is known, it is ways[0]
	fallback way    // where DNS says nothing about transports

	mu     sync.Mutex
	failed error // the failure that tells most
}

// locate finds where a request for u can be sent to, the best hop first (RFC 3263 §4). prefer is the network for a URI
// that leaves the choice to us, "" where there is no reason for any. The hops of a sips URI are TLS or WSS. The error is ErrNoServer,
// ErrNotListening, that of ctx, or says what is wrong with the URI.
func (a *Agent) locate(ctx context.Context, u gosip.Uri, prefer string) ([]hop, error) {
	if isNowhere(u.Host) {
		return []hop{{network: cmp.Or(prefer, "ws"), name: u.Host}}, nil
	}
	s, err := a.newSearch(u, prefer)
	if err != nil {
		return nil, fmt.Errorf("sip: locate: %w", err)
	}
	within, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	hops := s.hops(within)
	switch {
	case len(hops) > 0:
		return hops, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%w %s: %w", ErrNoServer, s.target, s.failed)
}

func (a *Agent) newSearch(u gosip.Uri, prefer string) (*search, error) {
	host := strings.ToLower(strings.Trim(u.Host, "[]"))
	target := strings.ToLower(strings.Trim(cmp.Or(param(u.UriParams, "maddr"), host), "[]")) // RFC 3263 §4
	switch {
	case u.Scheme != "sip" && u.Scheme != "sips":
		return nil, errURIScheme
	case u.Port < 0 || u.Port > 65535 || !isHost(host) || !isHost(target):
		return nil, errURI
	}
	s := &search{resolver: a.opts.Resolver, name: strings.TrimSuffix(host, "."), target: target, port: u.Port}
	network, err := networkOf(u, prefer)
	if err != nil {
		return nil, err
	}
	for _, w := range ways {
		if (network == "" || network == w.network) && (u.Scheme == "sip" || usesTLS(w.network)) && a.can(w.network) {
			s.ways = append(s.ways, w)
		}
	}
	if len(s.ways) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotListening, cmp.Or(network, "sips"))
	}
	s.chosen = network != ""
	s.fallback = s.ways[0]
	if u.Scheme == "sip" && !s.chosen { // UDP (RFC 3263 §4.1) if we have it, never TLS where nothing says that there is any
		s.fallback = s.plainest()
	}
	return s, nil
}

// networkOf is the network that a URI asks for, "" where it asks for none. In a sips URI the transport parameter says what
// is under TLS (RFC 3261 §26.2.2).
func networkOf(u gosip.Uri, prefer string) (string, error) {
	asked := strings.ToLower(param(u.UriParams, "transport"))
	network := cmp.Or(asked, prefer)
	if u.Scheme == "sips" {
		switch network {
		case "tcp":
			network = "tls"
		case "ws":
			network = "wss"
		case "udp":
			if asked == "" { // the dialog's, and no wish of the URI
				return "", nil
			}
		}
	}
	known := slices.ContainsFunc(ways, func(w way) bool { return w.network == network })
	if network != "" && !known || u.Scheme == "sips" && network == "udp" {
		return "", fmt.Errorf("transport %q is not supported", printable(network))
	}
	return network, nil
}

func (s *search) plainest() way {
	for _, network := range []string{"udp", "tcp"} {
		if i := slices.IndexFunc(s.ways, func(w way) bool { return w.network == network }); i >= 0 {
			return s.ways[i]
		}
	}
	return s.ways[0]
}

// hops goes from the names to addresses (RFC 3263 §4.1, §4.2). A record that leads nowhere costs no other.
func (s *search) hops(ctx context.Context) []hop {
	if _, err := netip.ParseAddr(s.target); err != nil && s.port == 0 {
		if !s.chosen {
			if hops := s.byNAPTR(ctx); len(hops) > 0 || ctx.Err() != nil {
				return hops
			}
		}
		if hops, found := s.bySRV(ctx); found || ctx.Err() != nil {
			return hops
		}
	}
	return s.addresses(ctx, []server{{s.fallback, s.target, cmp.Or(s.port, s.fallback.port)}})
}

// byNAPTR follows the records of the lowest order that lead to a server by a way of ours, the preferred first. Higher orders
// do not count then (RFC 3403 §4.1).
func (s *search) byNAPTR(ctx context.Context) []hop {
	records := s.lookupNAPTR(ctx)
	for len(records) > 0 {
		n := 0
		for n < len(records) && records[n].Order == records[0].Order {
			n++
		}
		found := parallel(records[:n], func(r *NAPTR) []server {
			servers, _ := s.lookupSRV(ctx, s.wayOf(r), "", "", r.Replacement)
			return servers
		})
		if hops := s.addresses(ctx, slices.Concat(found...)); len(hops) > 0 {
			return hops
		}
		records = records[n:]
	}
	return nil
}

// lookupNAPTR returns the usable records in their order.
func (s *search) lookupNAPTR(ctx context.Context) []*NAPTR {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	records, err := s.resolver.LookupNAPTR(ctx, s.target)
	s.note(err)
	records = slices.DeleteFunc(slices.Clone(records), func(r *NAPTR) bool {
		return r == nil || !strings.EqualFold(r.Flags, "s") || r.Regexp != "" || s.wayOf(r).network == "" || !isHost(r.Replacement)
	})
	slices.SortStableFunc(records, func(a, b *NAPTR) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference))
	})
	return records[:min(len(records), maxNAPTR)]
}

// wayOf is the zero value for a service that is not ours.
func (s *search) wayOf(r *NAPTR) way {
	for _, w := range s.ways {
		if strings.EqualFold(r.Service, w.naptr) {
			return w
		}
	}
	return way{}
}

// bySRV asks for the SRV records of each way. It reports whether there are any: then the domain's own addresses do not count.
func (s *search) bySRV(ctx context.Context) ([]hop, bool) {
	var found bool
	type answer struct {
		servers []server
		found   bool
	}
	answers := parallel(s.ways, func(w way) (a answer) {
		a.servers, a.found = s.lookupSRV(ctx, w, w.srv, w.proto, s.target)
		return a
	})
	var servers []server
	for _, a := range answers {
		servers, found = append(servers, a.servers...), found || a.found
	}
	return s.addresses(ctx, servers), found
}

// A server is what an SRV record names.
type server struct {
	way
	host string
	port int
}

var (
	errNoService = errors.New("the domain says that it has no such service")
	errNoAddress = errors.New("no address that a request can be sent to")
)

// lookupSRV returns the servers of a name in their order, and whether the name has any record, if only one that says that there is no
// server (RFC 2782: the target is ".").
func (s *search) lookupSRV(ctx context.Context, w way, service, proto, name string) ([]server, bool) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	_, records, err := s.resolver.LookupSRV(ctx, service, proto, name)
	s.note(err)
	found := len(records) > 0
	records = slices.DeleteFunc(slices.Clone(records), func(r *net.SRV) bool {
		return r == nil || r.Port == 0 || !isHost(r.Target)
	})
	if found && len(records) == 0 {
		s.note(errNoService)
	}
	var servers []server
	for _, r := range rfc2782.Order(records, rand.IntN) {
		servers = append(servers, server{w, r.Target, int(r.Port)})
	}
	return servers, found
}

// addresses looks up the servers' addresses and makes the hops. Nothing in plain follows a hop with TLS, so that who cuts our TLS connections
// does not get the request that way.
func (s *search) addresses(ctx context.Context, servers []server) []hop {
	servers = servers[:min(len(servers), maxServers)]
	ips := parallel(servers, func(v server) []netip.Addr { return s.lookupIP(ctx, v.host) })
	var hops []hop
	encrypted := false
	for i, v := range servers {
		if encrypted && !usesTLS(v.network) {
			continue
		}
		encrypted = encrypted || usesTLS(v.network) && len(ips[i]) > 0
		for _, ip := range ips[i] {
			h := hop{network: v.network, addr: netip.AddrPortFrom(ip, uint16(v.port))}
			if v.network != "udp" && v.network != "tcp" {
				h.name = s.name
			}
			if len(hops) < maxHops && !slices.Contains(hops, h) {
				hops = append(hops, h)
			}
		}
	}
	return hops
}

// lookupIP returns addresses that a request can be sent to, in the resolver's order (RFC 6724, RFC 7984).
func (s *search) lookupIP(ctx context.Context, host string) []netip.Addr {
	ips := make([]netip.Addr, 1)
	var err error
	if ips[0], err = netip.ParseAddr(host); err != nil {
		ctx, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		ips, err = s.resolver.LookupNetIP(ctx, "ip", host)
		s.note(err)
	}
	var usable []netip.Addr
	for _, ip := range ips {
		if ip = ip.Unmap(); ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() && ip.Zone() == "" {
			usable = append(usable, ip)
		}
	}
	if err == nil && len(usable) == 0 {
		s.note(errNoAddress)
	}
	return usable[:min(len(usable), maxAddresses)]
}

// note keeps the last failure, but none that says "no such name" in the place of one that says more.
func (s *search) note(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var dns *net.DNSError
	if s.failed == nil || !errors.As(err, &dns) || !dns.IsNotFound {
		s.failed = err
	}
}

// parallel returns f of each element; all run at the same time.
func parallel[T, R any](in []T, f func(T) R) []R {
	out := make([]R, len(in))
	var wg sync.WaitGroup
	for i, v := range in {
		wg.Go(func() { out[i] = f(v) })
	}
	wg.Wait()
	return out
}
