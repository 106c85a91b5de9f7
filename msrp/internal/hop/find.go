package hop

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/otrchat/otrchat/internal/rfc2782"
)

// defaultPort is that of an MSRP URI without a port (RFC 4975 section 15 registers it), where DNS has no SRV records for its host (RFC 4976 section 8).
const defaultPort = 2855

const maxAddresses = 8 // what a domain can make us try

// ErrNoService says that the domain has no relay: its one SRV record has the target "." (RFC 2782).
var ErrNoService = errors.New("the domain has no MSRP relay: so says its SRV record")

// LookupSRV is the method of that name of net.Resolver. The records may come in any order.
type LookupSRV func(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)

// Find returns where a host is dialled, as host:port, the first to be tried first. A port other than 0 and an address literal say it themselves; for a
// domain it asks for the SRV records of _msrps._tcp, and if there are none the domain itself is dialled at port 2855 (RFC 4976 section 8).
// Errors: ErrNoService, or that of the lookup, if it is another than that there are no records.
func Find(ctx context.Context, lookup LookupSRV, host string, port uint16) ([]string, error) {
	itself := []string{Address(host, port)}
	if _, err := netip.ParseAddr(host); err == nil || port != 0 {
		return itself, nil
	}
	_, records, err := lookup(ctx, "msrps", "tcp", host)
	if len(records) == 0 {
		if notFound := (*net.DNSError)(nil); err == nil || errors.As(err, &notFound) && notFound.IsNotFound {
			return itself, nil
		}
		return nil, err
	}
	records = slices.DeleteFunc(slices.Clone(records), func(r *net.SRV) bool { return r == nil || r.Target == "." || r.Port == 0 })
	if len(records) == 0 {
		return nil, ErrNoService
	}
	var found []string // records that can be used are, even if others are malformed and err says so
	for _, r := range rfc2782.Order(records, rand.IntN)[:min(len(records), maxAddresses)] {
		found = append(found, Address(strings.TrimSuffix(r.Target, "."), r.Port))
	}
	return found, nil
}

// Address is host:port for a Dialer. Port 0 stands for 2855.
func Address(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(cmp.Or(port, defaultPort))))
}
