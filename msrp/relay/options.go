package relay

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/otrchat/otrchat/msrp"
)

// Options set up a Relay. Authenticator is required, everything else has a default.
type Options struct {
	// Host is the host or host:port in the URIs that the relay gives out, and its own name: others find the relay, and no other one, by it, and its certificate is for it. RFC 4976
	// section 4 wants a domain name. Without a port they have that of the listener through which the client came. Default: the address at which the client has reached us.
	Host string
	// Realm is what user names and passwords are for (RFC 7616 section 3.3); clients may also address an AUTH to it, as they do if it is the domain that their SRV
	// lookup began with. Default: the host of Host, which is then required.
	Realm string
	// Authenticator knows the users. Required.
	Authenticator Authenticator
	// Algorithms are what clients may authenticate with, the one to be preferred first. Default: SHA-256 and MD5.
	Algorithms []Algorithm
	// TLS is used when dialling msrps next hops, with ServerName set to the hop's host where it is empty; other relays want a certificate in it (RFC 4976 section
	// 9.2). Default: such next hops are refused.
	TLS *tls.Config
	// Relays are the authorities of the certificates by which other relays are known (RFC 4976 section 6.3), those that connect to us to go on for clients
	// of theirs and those that we have dialled. Their certificates are for their host names, and for client and server authentication. The listener has to ask for them,
	// with tls.RequestClientCert and nothing stricter: clients may have certificates too, which say nothing here. Default: other relays are treated as
	// clients are, and a URI given to a client behind one is good for the connection of its AUTH alone.
	Relays *x509.CertPool
	// AllowTCP lets clients authenticate over connections without TLS, and the relay dial other relays without, both of which RFC 4976 section 9.2 forbids. A
	// next hop that is an endpoint, without a relay, may have an msrp URI in any case. Default false.
	AllowTCP bool
	// Permit tells which addresses the relay may dial for its clients: who can have it dial anything reaches what only the relay's machine should. It is asked
	// for every address that a name resolves to. Default: public addresses, and ports from 1024 on.
	Permit func(netip.AddrPort) bool
	// Dialer opens connections to next hops. One that is not a *net.Dialer is given addresses by their names and has to ask Permit itself. Default: a net.Dialer.
	Dialer msrp.Dialer
	// Resolver finds relays by the SRV records of their domain (RFC 4976 section 8). Default: net.DefaultResolver.
	Resolver msrp.Resolver
	// MinExpires is the shortest time that a client may ask a URI for. Default 60 s.
	MinExpires time.Duration
	// MaxExpires is the longest one, and what a client is given that asks for none. Default 1 hour.
	MaxExpires time.Duration
	// MaxConnections bounds the connections, those to next hops included. Default 16384.
	MaxConnections int
	// MaxUnauthenticated bounds the connections that have neither authenticated nor had a request forwarded; the oldest is closed for a new one. Default 1024.
	MaxUnauthenticated int
	// MaxSessions bounds the URIs that one user has at a time, and the connections that are dialled for the user. For each of them there may be 64
	// requests without an answer. Default 64.
	MaxSessions int
	// Rate bounds what a user sends, in bytes for a second; who sends more is read no faster. The same bounds each connection on which others than
	// relays send to clients. Default 32 MiB.
	Rate int
	// QueueBytes bounds what waits to be written to one connection, in bytes; it is at least 128 KiB. Default 1 MiB.
	QueueBytes int
	// MaxQueueBytes bounds what waits on all connections together, with what has been read of frames that are not whole yet. Default 512 MiB.
	MaxQueueBytes int
	// IdleTimeout is how long a connection may be silent (RFC 4976 section 6.5); it is closed within an eighth of that time more. Default 1 hour.
	IdleTimeout time.Duration
	// Coalesce lets frames that wait to be written share a Write of up to 64 KiB, as msrp.Options.Coalesce does. Default false: over TLS a frame is a record of its
	// own, without TLS small frames share a Write as long as they fit into one segment, and larger ones up to 64 KiB, but not both.
	Coalesce bool
	// Logger gets what happens, never a session URI or anything of a message. Default: nothing is logged.
	Logger *slog.Logger
}

const (
	pieceBytes    = 64 << 10       // body of a frame that is passed on whole
	leastQueue    = 2 * pieceBytes // of Options.QueueBytes
	segment       = 1400           // bytes of small frames that share a Write over TCP
	windowSends   = 64             // requests of one route without an answer, before their senders wait for theirs
	windowBytes   = 320 << 10      // their size
	maxUnanswered = 256            // requests of one route without an answer
	owedBytes     = 512 << 10      // responses and reports that wait for their reader
	maxPeers      = 64             // that a session remembers
	maxServed     = 8              // names under which a connection of another relay is known
	maxPath       = 2048           // bytes of a To-Path or From-Path

	// Of a connection, and of one with another relay, which carries many sessions.
	maxPending, maxRelayPending = 1024, 8192         // requests without an answer
	maxRoutes, maxRelayRoutes   = 128 << 10, 4 << 20 // bytes of routes remembered

	maxFailures = 3  // requests refused before a connection that has had none granted is closed
	maxIdent    = 32 // bytes of a transaction ID or Message-ID (RFC 4975 section 9)

	strangerTimeout = 30 * time.Second // for the first request that succeeds (RFC 4976 section 6.1)
	responseTimeout = 30 * time.Second // RFC 4976 section 6.4.1
	withholdTimeout = 20 * time.Second // for a response that waits for the next hop's
	roomTimeout     = 20 * time.Second // for the next hop to make room
	writeTimeout    = 30 * time.Second // for one Write
	pieceTimeout    = 2 * time.Minute  // for one piece of a frame to come
	relieveTimeout  = 5 * time.Second  // for a peer to read our answers before it is read again
	lingerTimeout   = time.Second      // for a peer to read its last response
)

func (o *Options) withDefaults() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	for _, check := range []func() error{r.numbers, r.times, r.names} {
		if err := check(); err != nil {
			return r, err
		}
	}
	if r.Permit == nil {
		r.Permit = permitPublic
	}
	if r.Resolver == nil {
		r.Resolver = net.DefaultResolver
	}
	switch d := r.Dialer.(type) {
	case nil:
		r.Dialer = permitting(net.Dialer{}, r.Permit)
	case *net.Dialer:
		r.Dialer = permitting(*d, r.Permit)
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	return r, nil
}

// numbers, times and names each fill in their defaults and check what is set.
func (o *Options) numbers() error {
	for _, n := range []struct {
		name         string
		value        *int
		deflt, least int
	}{
		{"MaxConnections", &o.MaxConnections, 16384, 1},
		{"MaxUnauthenticated", &o.MaxUnauthenticated, 1024, 1},
		{"MaxSessions", &o.MaxSessions, 64, 1},
		{"Rate", &o.Rate, 32 << 20, 1024},
		{"QueueBytes", &o.QueueBytes, 1 << 20, leastQueue},
		{"MaxQueueBytes", &o.MaxQueueBytes, 512 << 20, leastQueue},
	} {
		if *n.value == 0 {
			*n.value = n.deflt
		}
		if *n.value < n.least {
			return fmt.Errorf("relay: Options.%s is under %d", n.name, n.least)
		}
	}
	return nil
}

func (o *Options) times() error {
	for _, d := range []struct {
		name  string
		value *time.Duration
		deflt time.Duration
	}{
		{"MinExpires", &o.MinExpires, time.Minute},
		{"MaxExpires", &o.MaxExpires, time.Hour},
		{"IdleTimeout", &o.IdleTimeout, time.Hour},
	} {
		if *d.value == 0 {
			*d.value = d.deflt
		}
		if *d.value < time.Second {
			return fmt.Errorf("relay: Options.%s is under a second", d.name)
		}
	}
	if o.MaxExpires < o.MinExpires {
		return errors.New("relay: Options.MaxExpires is under MinExpires")
	}
	return nil
}

func (o *Options) names() error {
	if o.Host != "" {
		host, err := parseHost(o.Host)
		if err != nil {
			return fmt.Errorf("relay: Options.Host: %w", err)
		}
		if o.Realm == "" {
			o.Realm = host.Host
		}
	}
	if o.Realm == "" {
		return errors.New("relay: Options.Realm and Options.Host are both not set")
	}
	return nil
}
