package sip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// A Resolver looks up what leads to a SIP server (RFC 3263). Its methods may be called at the same time, and must return when
// their context ends. An error or an empty answer means that there is nothing; what else there is, is used.
// Answers are not trusted: nothing in them makes a request for a sips URI go anywhere without TLS.
type Resolver interface {
	// LookupNAPTR returns the NAPTR records of a domain, in any order.
	LookupNAPTR(ctx context.Context, name string) ([]*NAPTR, error)

	// LookupSRV returns the SRV records of _service._proto.name, or of name itself where service and proto are empty, in
	// any order. It is a method of *net.Resolver.
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)

	// LookupNetIP returns the addresses of a host, the best first; network is "ip". It is a method of *net.Resolver.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// A NAPTR is a record that says by which transport a domain wants to be reached, and whose SRV records to ask for
// (RFC 3263 §4.1, RFC 3403 §4.1).
type NAPTR struct {
	Order       uint16 // the lowest first; no other counts once one was usable
	Preference  uint16 // the lowest first among those of the same order
	Flags       string // "s": Replacement has SRV records. Others are ignored.
	Service     string // "SIP+D2U", "SIP+D2T", "SIPS+D2T", "SIP+D2W" or "SIPS+D2W" (RFC 7118 §5.5); others are ignored
	Regexp      string // must be empty; others are ignored
	Replacement string // the domain name with the SRV records
}

// DNS is the Resolver of an agent whose Options name none. Its zero value asks the system for SRV records and addresses,
// and the servers of /etc/resolv.conf for NAPTR records. Where that file is missing, as on Windows, there are no NAPTR
// records, and the search begins with SRV.
type DNS struct {
	// Servers are asked instead, each an address such as "192.0.2.53:53". /etc/hosts still counts. Default: the system's.
	Servers []string

	next atomic.Uint32 // turn of Servers
}

const (
	resolvConf = "/etc/resolv.conf"
	serverTime = 2 * time.Second // for one server to answer
	maxUDP     = 1232            // bytes of an answer in a datagram that no network fragments
)

// LookupNAPTR implements Resolver. It asks one server after the other until one answers, and all a second time, for datagrams get
// lost; by TCP where the answer is too long for UDP.
func (d *DNS) LookupNAPTR(ctx context.Context, name string) ([]*NAPTR, error) {
	servers := d.Servers
	if len(servers) == 0 {
		servers = systemServers(resolvConf)
	}
	query := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeNAPTR).SetEdns0(maxUDP, false)
	var failed error
	for _, server := range slices.Concat(servers, servers) {
		res, err := ask(ctx, "udp", server, query)
		if err == nil && res.Truncated {
			res, err = ask(ctx, "tcp", server, query)
		}
		if err == nil {
			return naptrs(res), nil
		}
		failed = err
	}
	return nil, failed
}

// systemServers are those of a resolv.conf as it is now; none where there is no such file.
func systemServers(file string) []string {
	conf, err := dns.ClientConfigFromFile(file)
	if err != nil {
		return nil
	}
	servers := make([]string, len(conf.Servers))
	for i, s := range conf.Servers {
		servers[i] = net.JoinHostPort(s, conf.Port)
	}
	return servers
}

var errDNS = errors.New("sip: the DNS server failed")

// ask sends a query to one server. It returns only an answer to that query.
func ask(ctx context.Context, network, server string, query *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, serverTime)
	defer cancel()
	client := &dns.Client{Net: network, Timeout: serverTime}
	conn, err := client.DialContext(ctx, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // the library minds deadlines only
	query = query.Copy()
	query.Id = dns.Id()
	res, _, err := client.ExchangeWithConnContext(ctx, query, conn)
	switch {
	case err != nil:
		return nil, err
	case !res.Response, len(res.Question) != 1, res.Question[0].Qtype != query.Question[0].Qtype,
		!strings.EqualFold(res.Question[0].Name, query.Question[0].Name),
		res.Rcode != dns.RcodeSuccess && res.Rcode != dns.RcodeNameError:
		return nil, errDNS
	}
	return res, nil
}

func naptrs(res *dns.Msg) []*NAPTR {
	var records []*NAPTR
	for _, rr := range res.Answer { // also those of the name that a CNAME leads to
		if n, ok := rr.(*dns.NAPTR); ok {
			records = append(records, &NAPTR{n.Order, n.Preference, n.Flags, n.Service, n.Regexp, n.Replacement})
		}
	}
	return records
}

// LookupSRV implements Resolver. The search list of the system does not apply.
func (d *DNS) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	return d.resolver().LookupSRV(ctx, service, proto, dns.Fqdn(name))
}

// LookupNetIP implements Resolver.
func (d *DNS) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return d.resolver().LookupNetIP(ctx, network, host)
}

func (d *DNS) resolver() *net.Resolver {
	if len(d.Servers) == 0 {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		server := d.Servers[int(d.next.Add(1)-1)%len(d.Servers)]
		return new(net.Dialer).DialContext(ctx, network, server)
	}}
}
