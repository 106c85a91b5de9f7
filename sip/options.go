package sip

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// Options configure an Agent. Only Address is required.
type Options struct {
	// Address is our address of record, a SIP URI with a user part such as
	// "sip:alice@example.com" (RFC 3261 §19.1). Required.
	Address string

	// DisplayName is shown to the peer beside the address (RFC 3261 §20.20). Default: none.
	DisplayName string

	// Username answers digest challenges. Default: the user part of Address.
	Username string

	// Password answers digest challenges (401 and 407). Default: none, challenges are not answered.
	Password string

	// Realm is the only digest realm that is given an answer. Anybody we call can challenge us and
	// then guess the password offline from the response, so set it where the server's realm is known.
	// Default: every realm.
	Realm string

	// InstanceID names this installation, the same at each start: "urn:uuid:" and a UUID (RFC 5626 §4.1). With it a registration can
	// ask that requests for us come over the connection that we opened (RFC 5626), and for a URI that reaches
	// this agent and no other of the same address (GRUU, RFC 5627). Default: none, and neither of the two.
	InstanceID string

	// OutboundProxy is a SIP or SIPS URI, such as "sip:proxy.example.com;transport=tcp", of the proxy that
	// every request outside a dialog goes to first, by a preloaded route (RFC 3261 §8.1.2); the target's own name is
	// then not looked up. Default: none.
	OutboundProxy string

	// Resolver finds the servers of a domain (RFC 3263). Default: new(DNS), which asks the system.
	Resolver Resolver

	// Dialer opens TCP connections, also those under TLS and WebSocket. Default: a net.Dialer.
	Dialer Dialer

	// TLS is used on the networks tls and wss: RootCAs (and Certificates, where the server asks for one) on connections that we open,
	// Certificates on those that we accept. ServerName, where it is set, is the name that every server's certificate must hold; otherwise
	// it is the host of the URI that the request goes to (RFC 5922 §4). Versions before 1.2 are refused. Default: the system's roots and no certificate.
	TLS *tls.Config

	// KeepAlive is how often connections that we opened are pinged (RFC 5626 §3.5.1, and WebSocket pings on ws and wss), each time after 80 to
	// 100 percent of it. A peer that has answered pings and misses one for 10 seconds is gone, and its connection closed; one that never
	// answered may not know of pings. At least one second. Default: 30 seconds; negative: no pings.
	KeepAlive time.Duration

	// Focus says that we are the focus of a conference: our Contact carries isfocus (RFC 4579 §4).
	// Default: false.
	Focus bool

	// AcceptTLS takes offers of TCP/TLS/MSRP. Set it only where the program can run MSRP over TLS; such
	// a media line is declined otherwise. Default: false.
	AcceptTLS bool

	// MessageTypes are the content types of MESSAGE requests (RFC 3428) that the application reads with ReceiveMessage,
	// such as "text/plain" or "text/*". Default: none, MESSAGE is refused with 405.
	MessageTypes []string

	// SessionExpires is the session interval that we ask for (RFC 4028): every call is refreshed at half of it, so that a
	// peer that has vanished is found. At least 90 s. Negative: none, and a call whose peer vanishes stays up until Bye or
	// Close. Default: DefaultSessionExpires.
	SessionExpires time.Duration

	// UserAgent is the text of the User-Agent and Server header fields. Default: "otrchat".
	UserAgent string

	// MaxRedirects bounds how many targets one Invite follows to that 3xx responses name (RFC 3261 §8.1.3.4).
	// Default: DefaultMaxRedirects; negative: none.
	MaxRedirects int

	// MaxCalls bounds the calls that are up, ours included, and the unanswered invitations; a further
	// INVITE of a peer is refused with 486. Default: DefaultMaxCalls.
	MaxCalls int

	// MaxInvitations bounds the invitations that wait for Accept; a further INVITE is refused with
	// 480. Default: DefaultMaxInvitations.
	MaxInvitations int

	// MaxConnections bounds the connections over tcp, tls, ws and wss; the one that was silent longest is closed to make
	// room for a new one, of those that we accepted if there are any; where there are none, a further one is not accepted. Default: DefaultMaxConnections.
	MaxConnections int

	// Logger gets events without bodies, credentials or peers' raw text. Default: nil, which discards.
	Logger *slog.Logger
}

// Defaults of Options.
const (
	DefaultSessionExpires = 30 * time.Minute
	DefaultMaxRedirects   = 5
	DefaultMaxCalls       = 256
	DefaultMaxInvitations = 32
	DefaultMaxConnections = 512
)

const defaultUserAgent = "otrchat"

// withDefaults returns a copy of o with the defaults filled in, and the parsed address.
func (o *Options) withDefaults() (Options, gosip.Uri, error) {
	if o == nil {
		return Options{}, gosip.Uri{}, errors.New("sip: Options.Address is required")
	}
	self, err := parseURI(o.Address)
	if err != nil {
		return *o, self, fmt.Errorf("sip: Options.Address: %w", err)
	}
	if self.User == "" {
		return *o, self, errors.New("sip: Options.Address has no user part")
	}
	self.UriParams = nil
	c := *o
	c.Username = cmp.Or(c.Username, self.User)
	c.UserAgent = cmp.Or(c.UserAgent, defaultUserAgent)
	c.MaxRedirects = cmp.Or(c.MaxRedirects, DefaultMaxRedirects)
	c.SessionExpires = cmp.Or(c.SessionExpires, DefaultSessionExpires)
	c.MessageTypes = slices.Clone(c.MessageTypes)
	c.MaxCalls = cmp.Or(c.MaxCalls, DefaultMaxCalls)
	c.MaxInvitations = cmp.Or(c.MaxInvitations, DefaultMaxInvitations)
	c.MaxConnections = cmp.Or(c.MaxConnections, DefaultMaxConnections)
	c.KeepAlive = cmp.Or(c.KeepAlive, defaultKeepAlive)
	c.TLS = cmp.Or(c.TLS, new(tls.Config))
	if c.Resolver == nil {
		c.Resolver = new(DNS)
	}
	if c.Dialer == nil {
		c.Dialer = new(net.Dialer)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, self, c.check()
}

func (o *Options) check() error {
	if o.SessionExpires > 0 && o.SessionExpires < minSession || o.SessionExpires > maxSession {
		return fmt.Errorf("sip: Options.SessionExpires is not between %v and %v", minSession, maxSession)
	}
	if o.KeepAlive > 0 && o.KeepAlive < minKeepAlive {
		return fmt.Errorf("sip: Options.KeepAlive is shorter than %v", minKeepAlive)
	}
	if o.InstanceID != "" && !isInstance(o.InstanceID) {
		return errors.New("sip: Options.InstanceID is no URN such as urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
	}
	if o.OutboundProxy != "" {
		if _, err := parseURI(o.OutboundProxy); err != nil {
			return fmt.Errorf("sip: Options.OutboundProxy: %w", err)
		}
	}
	for name, value := range map[string]int{
		"MaxCalls": o.MaxCalls, "MaxInvitations": o.MaxInvitations, "MaxConnections": o.MaxConnections,
	} {
		if value < 0 {
			return fmt.Errorf("sip: Options.%s is negative", name)
		}
	}
	return cmp.Or(checkTLS(o.TLS), o.checkTexts(), o.checkMessageTypes())
}

func (o *Options) checkTexts() error {
	for name, text := range map[string]string{
		"DisplayName": o.DisplayName, "Username": o.Username, "Password": o.Password, "Realm": o.Realm, "UserAgent": o.UserAgent,
	} {
		if !isText(text) {
			return fmt.Errorf("sip: Options.%s holds a control character or is not UTF-8", name)
		}
		if len(text) > maxText {
			return fmt.Errorf("sip: Options.%s is longer than %d bytes", name, maxText)
		}
	}
	return nil
}

func (o *Options) checkMessageTypes() error {
	if len(o.MessageTypes) > maxWords {
		return fmt.Errorf("sip: Options.MessageTypes has more than %d entries", maxWords)
	}
	for _, t := range o.MessageTypes {
		if major, minor, _ := strings.Cut(t, "/"); len(t) > maxWord || !isToken(major) || !isToken(minor) {
			return errors.New("sip: Options.MessageTypes holds what is no media type such as \"text/plain\"")
		}
	}
	return nil
}
