package msrp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
	"unicode/utf8"

	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// RelayOptions say which relay to ask for a way through, and as whom (RFC 4976 section 5.1).
type RelayOptions struct {
	// URI is the relay's, for example msrps://example.com;tcp. Without a port the domain's SRV records for _msrps._tcp say where it is and are tried
	// in their order, and without such records it is port 2855 of the domain itself (section 8). The certificate has to be for the host of the URI in
	// any case, or for ServerName of Options.TLS where that is set.
	URI string
	// Username and Password are for Digest authentication; the password itself is not sent. A user name is needed.
	Username, Password string
	// Expires is asked for as the time for which the relay's URI is to be valid, in whole seconds; it is renewed before. A relay that wants another
	// time is asked once more, for the nearest that it allows. Default: nothing is asked, and the relay decides. Kamailio answers only so.
	Expires time.Duration
	// AllowTCP permits an msrp URI, and msrp URIs from the relay: neither message nor path is protected from those who can read the connection,
	// against RFC 4976 section 9.2. Default false: such a URI is refused with ErrInsecure.
	AllowTCP bool
	// Shared lets several sessions use the Relay, one after the other or at once, until it is closed. RFC 4976 section 3.1 gives each session a URI
	// of its own: with shared ones every peer knows what leads to the others' connection, though not their session-ids. AG Projects' relay takes one
	// session. Default false: one session, with which the Relay ends.
	Shared bool
	// DigestURI says whether the credentials name the URI that they are for. Default URIUnlessOpaque.
	DigestURI DigestURI
	// Next is a further relay, asked through this one. Its Shared counts for nothing. Default: none.
	Next *RelayOptions
}

// DigestURI says whether Authorization has the parameter "uri". RFC 4976 section 9.1 takes the URI from To-Path and allows the parameter; AG
// Projects' relay does not answer who sends it, and Kamailio refuses who does not.
type DigestURI uint8

// When to send the parameter.
const (
	URIUnlessOpaque DigestURI = iota // unless the challenge has "opaque", as that of AG Projects' relay does and that of Kamailio does not
	URIAlways
	URINever
)

const (
	maxRelays      = 8                // of a chain, and URIs in a Use-Path
	addressTimeout = 10 * time.Second // for connecting to one address of several
)

// DialRelay connects to a relay and asks it, and those behind it, for a way through (AUTH, RFC 4976 section 5.1). If the relay's domain has several
// addresses the next one is tried where connecting or TLS fails, or where the relay does not answer or has a fault of its own (5xx). ctx bounds the
// call; connecting takes 30 s at most, 10 s where there are more addresses, and each of at most 6 answers of a relay 30 s. It needs no Options.Host:
// without one the sessions' URIs have our address on the connection to the relay. Certificates of Options.TLS are not shown to relays (section 9.2).
// The Relay lives until it is closed or lost, whether a session takes it or not.
//
// Errors: one that names the field of o that is wrong, ErrInsecure, ErrNoTLS, ErrClosed, *StatusError for a refusal (401 or 403 for a wrong
// password), one wrapping ErrRspauth or ErrMalformed for a relay that cannot be trusted or understood, ErrTimeout, ctx's error, or what the network
// said.
func (e *Endpoint) DialRelay(ctx context.Context, o *RelayOptions) (*Relay, error) {
	chain, err := o.check()
	switch {
	case err != nil:
		return nil, err
	case chain[0].uri.Secure && e.o.TLS == nil:
		return nil, ErrNoTLS
	}
	ctx, cancel := e.whileOpen(ctx)
	defer cancel()
	r, err := e.dialDomain(ctx, chain)
	if err != nil && e.Err() != nil {
		err = ErrClosed
	}
	return r, err
}

// Validate checks o and the relays behind it as DialRelay does, without I/O. The error names the field that is wrong.
func (o *RelayOptions) Validate() error {
	_, err := o.check()
	return err
}

// check reads the options of a chain of relays, the first hop first.
func (o *RelayOptions) check() (chain []relayOptions, err error) {
	for field := "RelayOptions"; o != nil; o, field = o.Next, field+".Next" {
		if len(chain) == maxRelays {
			return nil, fmt.Errorf("msrp: %s: a chain of more than %d relays", field, maxRelays)
		}
		r := relayOptions{RelayOptions: *o}
		r.uri, err = ParseURI(o.URI)
		switch {
		case err != nil:
			return nil, fmt.Errorf("msrp: %s.URI: %w", field, err)
		case !r.uri.Secure && !o.AllowTCP:
			return nil, fmt.Errorf("msrp: %s.URI: %w", field, ErrInsecure)
		case o.Username == "" || !utf8.ValidString(o.Username) || !validText([]byte(o.Username)):
			return nil, fmt.Errorf("msrp: %s.Username is empty, or no text", field)
		case o.Expires < 0 || o.Expires%time.Second != 0:
			return nil, fmt.Errorf("msrp: %s.Expires is negative, or no whole number of seconds", field)
		case o.DigestURI > URINever:
			return nil, fmt.Errorf("msrp: %s.DigestURI is unknown", field)
		}
		chain = append(chain, r)
	}
	if len(chain) == 0 {
		return nil, errors.New("msrp: no RelayOptions")
	}
	return chain, nil
}

// relayOptions are checked.
type relayOptions struct {
	RelayOptions
	uri URI
}

// whileOpen is ctx, which ends when the Endpoint is closed, too.
func (e *Endpoint) whileOpen(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-e.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// dialDomain tries the addresses of a relay one after the other.
func (e *Endpoint) dialDomain(ctx context.Context, chain []relayOptions) (*Relay, error) {
	addresses, err := e.findRelay(ctx, chain[0].uri)
	if err != nil {
		return nil, err
	}
	for {
		address, more := addresses[0], len(addresses) > 1
		r, err := e.dialRelay(ctx, chain, address, more)
		if err == nil || !more || isFinal(err) || ctx.Err() != nil {
			return r, err
		}
		e.o.Logger.Warn("msrp: trying the next relay of the domain", "error", err)
		addresses = addresses[1:]
	}
}

// findRelay returns the addresses of a relay. SRV records are for TLS alone (RFC 4976 section 8).
func (e *Endpoint) findRelay(ctx context.Context, u URI) ([]string, error) {
	if !u.Secure {
		return []string{u.hostport()}, nil
	}
	addresses, err := hop.Find(ctx, e.o.Resolver.LookupSRV, u.Host, u.Port)
	if err != nil {
		return nil, fmt.Errorf("msrp: %w", err)
	}
	return addresses, nil
}

// dialRelay makes a Relay of what is at an address.
func (e *Endpoint) dialRelay(ctx context.Context, chain []relayOptions, address string, more bool) (*Relay, error) {
	nc, err := e.reachRelay(ctx, chain[0].uri, address, more)
	if err != nil {
		return nil, fmt.Errorf("msrp: %w", err)
	}
	r, err := e.newRelay(nc, chain[0].Shared)
	if err != nil {
		nc.Close()
		return nil, err
	}
	if err = r.register(ctx, chain); err == nil && !r.conn.spawn(r.keep) {
		err = r.lost()
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// reachRelay connects to an address.
func (e *Endpoint) reachRelay(ctx context.Context, u URI, address string, more bool) (net.Conn, error) {
	if more {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, addressTimeout)
		defer cancel()
	}
	var cfg *tls.Config
	if u.Secure {
		cfg = e.o.TLS.Clone()
		cfg.Certificates, cfg.GetClientCertificate = nil, nil // who shows one is a relay (RFC 4976 sections 6.3 and 9.2)
	}
	return hop.Dial(ctx, e.o.Dialer.DialContext, address, cfg, u.Host)
}

// newRelay runs the connection to a relay.
func (e *Endpoint) newRelay(nc net.Conn, shared bool) (*Relay, error) {
	c := newConn(e, nc, false)
	r := &Relay{e: e, shared: shared, conn: c, sessions: map[*Session]struct{}{}}
	r.ended, r.cancel = context.WithCancelCause(context.Background())
	c.relay = r
	e.mu.Lock()
	host := cmp.Or(e.host, nc.LocalAddr().String())
	e.mu.Unlock()
	var err error
	if r.own, err = newURI(host, c.secure); err != nil {
		return nil, err
	}
	return r, e.start(c)
}
