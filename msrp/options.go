package msrp

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Options set up an Endpoint. The zero value is ready to use.
type Options struct {
	// Host is the host or host:port that session URIs tell the peer, for an endpoint behind a port forwarding or one that only dials;
	// without a port, port 2855. Default: the address of the first listener given to Serve.
	Host string
	// Dialer opens connections for active sessions. It decides on TCP keep-alive, which finds out about a peer that is gone without a word. Default:
	// a net.Dialer, which probes a silent connection after 15 s and gives it up after 9 probes without an answer, 15 s apart.
	Dialer Dialer
	// Resolver finds relays by the SRV records of their domain (RFC 4976 section 8). Default: net.DefaultResolver.
	Resolver Resolver
	// ShareConnections lets an active session use the connection that another one has dialled to the same next hop, instead of dialling again (RFC 4975 section
	// 5.4): same scheme, host and port, same ConnectOptions.Address and same demands on the certificate. It is not the default because AG Projects' relay,
	// which SIP2SIP runs, takes one session on a connection. A peer may share its connections with us in any case. Default false.
	ShareConnections bool
	// TLS is used when dialling msrps paths, with ServerName set to the hop's host where it is empty, and one record for one frame of
	// up to 16 KiB. A peer that demands fingerprints of us wants a certificate in it: see SelfSigned. Default: msrps is refused with ErrNoTLS.
	TLS *tls.Config
	// MaxMessage bounds a received message's body, in bytes; a longer one is answered with 413. Default 8 MiB.
	MaxMessage int
	// InboxMessages bounds what waits for Receive, per session, in messages; what does not fit is answered with 413. Default 256.
	InboxMessages int
	// InboxBytes bounds the bodies of what waits for Receive, per session, in bytes; headers of a message over 512 bytes count too, each as 64 bytes
	// more than its text. Default 16 MiB, or MaxMessage if that is more.
	InboxBytes int
	// StreamAbove has Receive return a message before it is whole, with Reader instead of Body, once more than so many bytes of it are there and no gap is before
	// them. MaxMessage does not bound such a message; see "Limits" on what stops its sender when it is read slowly. It is at most MaxMessage. Default 0: never.
	StreamAbove int
	// KeepAlive has a session that has sent no request for so long send an empty one, which keeps the state of NATs alive and finds out whether the peer is still
	// there: a session whose keep-alive is refused or not answered ends with that error. Blink does it every 60 s. At least 1 s. Default 0: never.
	KeepAlive time.Duration
	// Coalesce lets frames that wait to be written share a Write, which makes small messages several times faster. Not for peers that need one frame in
	// one segment or TLS record: Blink and AG Projects' relay. Default false: one frame is one Write.
	Coalesce bool
	// ManualReports leaves success reports to the caller, who calls Session.Report once the message has really been understood,
	// decrypted for example. Default: a report is sent when the message is in the inbox.
	ManualReports bool
	// Limits bound the frames of a peer. Default: see Limits.
	Limits Limits
	// Logger gets what happens, never a message body. Default: nothing is logged.
	Logger *slog.Logger
}

// SessionOptions set up one session.
type SessionOptions struct {
	// Secure makes the session's URI an msrps one, as "TCP/TLS/MSRP" in the SDP demands of both sides, and refuses a connection
	// without TLS. It needs Options.TLS; a passive session also needs a listener that gives out TLS connections: *tls.Conn, or whatever
	// has its ConnectionState method. Set DynamicRecordSizingDisabled in the listener's tls.Config too. Default false.
	Secure bool
	// MatchSessionID takes a frame for one of this session if the session-ids of both endpoints' URIs are right, and compares neither scheme, host and port nor the
	// relays of a path. It is for peers behind NATs and session border controllers, which change addresses in the SDP and not in the frames, or
	// the other way about, and for Blink. It gives up the check that the peer calls itself what the SDP has called it; the 128 random bits of our own
	// session-id remain, and so does what is demanded of the connection. Default false: all of a path is compared (RFC 4975 section 6.1).
	MatchSessionID bool
	// AcceptTypes are the media types that Receive wants, as in the SDP attribute "accept-types": "text/plain", "image/*" or "*", without regard to
	// parameters. A message of another type is refused with 415 (RFC 4975 section 7.3.1), which also wants multipart/mixed and multipart/alternative
	// to be among them. Default: every type.
	AcceptTypes []string
	// Relay is the session's way out and in (RFC 4976): LocalPath begins with it, and nothing is dialled or accepted for the session elsewhere,
	// whatever its role (RFC 6135 section 4.5). Secure then demands that the connection to the relay runs over TLS. Default: none.
	Relay *Relay
}

// ConnectOptions are what else the peer's SDP says of the session.
type ConnectOptions struct {
	// Address is where an Active side dials, as host:port: that of the c= and m= lines where both sides use CEMA (RFC 6714). A certificate is still verified for the
	// host of the path, or by Fingerprints. Default: host and port of the path's first URI.
	Address string
	// Fingerprints are those of the peer's certificate as in its SDP attribute "fingerprint" (RFC 8122 section 5): "sha-256 AB:CD:…". The certificate
	// must have one of those with the strongest hash among them; then its names, dates and issuer do not count, and an Active side tells the peer no
	// server name. MD5, SHA-1 and unknown hashes are passed over. They are for paths without relays, with TLS, over an SDP that came by a way which
	// protects it. A Passive side needs a listener whose tls.Config has ClientAuth tls.RequireAnyClientCert, or tls.RequestClientCert if it is also
	// for peers that have no certificate. Default: verification by name and issuer for an Active side, none of the peer's certificate for a Passive
	// one.
	Fingerprints []string
}

// Dialer is the part of net.Dialer that an Endpoint needs.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Resolver is the part of net.Resolver that an Endpoint needs. The records may come in any order: they are tried by priority and weight (RFC 2782).
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

const (
	defaultMaxMessage    = 8 << 20
	defaultInboxMessages = 256
	defaultInboxBytes    = 16 << 20

	// What the relays and clients out there can take: see docs/ARCHITECTURE.md, "What we put on the wire".
	chunkBytes     = 10_000             // body of one frame where a relay is in the path
	unbrokenBytes  = 64 << 10           // body of a frame without a relay that nothing interrupts
	pieceBytes     = 32 << 10           // what is queued at once of a larger one
	interruptible  = 2048               // larger chunks have "*" as range end, only the last may be smaller (RFC 4975 section 7.1.1)
	windowFrames   = 32                 // requests without a response yet, per session
	windowBytes    = 32 * 10240         // their size
	writeQueue     = 256 << 10          // bytes queued on a connection before Send waits
	transferQueue  = 128 << 10          // before the next piece of a long message waits: short ones find room behind it
	responseQueue  = 1 << 20            // bytes queued on a connection before the peer counts as stalled
	strangerQueue  = 32 << 10           // the same of one that carries no session
	headBytes      = 512                // the head and end-line of a SEND, mostly
	ownHeadBytes   = 512                // at most, of a SEND's head without paths, type and headers of the caller's
	maxHeaders     = defaultHeaders - 7 // of the caller's: SEND has seven of its own
	maxPartials    = 16                 // unfinished incoming messages per session
	maxExtents     = 64                 // parts of one that gaps keep apart
	maxWithheld    = 64                 // responses to chunks that wait until a Reader has caught up
	maxUnreported  = 8192               // deliveries of a session that wait for a success report
	maxLateReports = 64                 // failure reports that wait for ReceiveReport
	maxSilent      = 256                // requests whose failure may be answered and whose success is not
	mostConns      = 3                  // shared connections that an active session tries
	queueEntries   = 64                 // a longer write queue is not kept
	maxUnbound     = 256                // accepted connections that have not named a session yet

	responseTimeout = 30 * time.Second // RFC 4975 section 7.1.1: no response is a failure
	writeTimeout    = 30 * time.Second // for one frame, and a second more for each 16 KiB
	readerTimeout   = 30 * time.Second // for the Reader of a message within a chunk
	relieveTimeout  = 5 * time.Second  // for a peer to read its answers before it sends more
	heldTimeout     = 5 * time.Second  // for responses and reports behind a long frame
	lingerTimeout   = time.Second      // for a peer to hang up after our Shutdown
	bindTimeout     = 30 * time.Second // for an accepted connection to name a session
	partialTimeout  = 2 * time.Minute  // between two chunks of a message or two pieces of a frame
	withholdTimeout = 20 * time.Second // for a response withheld from the sender of a message that is read slowly
	roomTimeout     = 30 * time.Second // for the reader of a message to make room while its connection waits
	reportTimeout   = 10 * time.Minute // for a success report
)

func (o *Options) withDefaults() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	for _, n := range []struct {
		name  string
		value *int
		deflt int
	}{
		{"MaxMessage", &r.MaxMessage, defaultMaxMessage},
		{"InboxMessages", &r.InboxMessages, defaultInboxMessages},
		{"InboxBytes", &r.InboxBytes, max(defaultInboxBytes, r.MaxMessage)},
		{"StreamAbove", &r.StreamAbove, 0},
		{"Limits.HeadBytes", &r.Limits.HeadBytes, defaultHeadBytes},
		{"Limits.Headers", &r.Limits.Headers, defaultHeaders},
	} {
		if *n.value < 0 {
			return r, fmt.Errorf("msrp: Options.%s is negative", n.name)
		}
		if *n.value == 0 {
			*n.value = n.deflt
		}
	}
	if r.StreamAbove > r.MaxMessage {
		return r, fmt.Errorf("msrp: Options.StreamAbove is over MaxMessage")
	}
	if r.KeepAlive != 0 && r.KeepAlive < time.Second {
		return r, fmt.Errorf("msrp: Options.KeepAlive is under a second")
	}
	if r.Host != "" {
		var u URI
		if err := u.parseHostPort(r.Host); err != nil {
			return r, fmt.Errorf("msrp: Options.Host: %w", err)
		}
	}
	if r.Dialer == nil {
		r.Dialer = &net.Dialer{}
	}
	if r.Resolver == nil {
		r.Resolver = net.DefaultResolver
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	return r, nil
}
