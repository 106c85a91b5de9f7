package otrchat

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
	"github.com/otrchat/otrchat/sip"
)

// Policy says when a chat is encrypted. The policy saved with a contact goes before Options.Policy.
type Policy = contacts.Policy

// The policies.
const (
	// Opportunistic asks every peer for encryption and goes on in plain text with a peer that does not answer. It is the default.
	Opportunistic = contacts.Opportunistic
	// Always never lets a text of the user's leave unencrypted.
	Always = contacts.Always
	// Never neither asks for encryption nor answers to it.
	Never = contacts.Never
)

// Options set up a Client.
type Options struct {
	// Address is our address of record, "sip:alice@example.com". Required.
	Address string
	// DisplayName is shown to peers beside the address. Default: none.
	DisplayName string
	// Username and Password answer digest challenges of SIP servers. Default: the user part of Address, and no answer.
	Username, Password string
	// Realm is the only digest realm that gets an answer; set it where it is known. Default: every realm.
	Realm string
	// Key is our OTR key. Required; otrsession.GenerateKey makes one, otrsession.SaveKey keeps it.
	Key *otrsession.Key
	// Contacts remembers the fingerprints and the policy of each contact. A store's methods must return when their context ends.
	// A contacts.Watcher is watched while there are chats, which follow what is changed elsewhere.
	// Default: a store in memory, which forgets everything with the process.
	Contacts contacts.Store
	// Notifier tells the user what must not wait until they look at the chat, besides the events there: of changed and revoked keys, and contacts that cannot
	// be read or saved (notify.Critical), of encryption that ended, of a peer that asks for verification, and of messages where NotifyMessages says so.
	// Default: nobody.
	Notifier notify.Notifier
	// NotifyMessages says what Notifier is told of messages that come. Default: NotifyNoMessages.
	NotifyMessages NotifyMessages
	// Texts are the words of notifications and SystemMessages, in the user's language. Default: English, also for each kind that has no text there.
	Texts notify.Catalogue
	// Policy holds for contacts that have none of their own. Default: Opportunistic.
	Policy Policy
	// OTRTimeout is how long a peer may take to answer our request for encryption before an Opportunistic chat goes on in plain text; what
	// the user sends meanwhile waits. A peer that writes in plain text ends the waiting at once. Default: 5 s.
	OTRTimeout time.Duration
	// Focus says that we are the focus of a conference: OTR is never used. Default: false.
	Focus bool
	// SIP is what else there is to say of SIP: an outbound proxy, an instance ID for the registrar, a resolver and so on. What the Client itself
	// decides does not count there: Address, DisplayName, Username, Password, Realm, Focus, AcceptTLS, MessageTypes and Logger. Its Dialer
	// opens the connections of MSRP too, to peers and relays, where the address may hold a host name, and its Resolver finds the relays of a domain. Default: the
	// defaults of sip.Options.
	SIP sip.Options
	// MSRPHost is the host or host:port that peers connect to for the chat itself, where it is not the address that is listened on.
	// Default: that address.
	MSRPHost string
	// MSRPCertificate has chats without a relay run over TLS, and is what we show there: msrp.SelfSigned makes one. Both sides verify each other by the
	// fingerprints in the SDP (RFC 8122), which are as good as the way that the SDP comes by; a peer that gives none is verified by name if it is we
	// who connect, else not at all. Chats with peers that have no TLS do not come about then. Default: none, chats without a relay run over TCP.
	MSRPCertificate *tls.Certificate
	// Relay is the MSRP relay through which every chat goes, and our name and password there, for who cannot be reached directly (RFC 4976). A chat that
	// gets no way through it fails: it never goes without. Each chat has its own connection to the relay, or all have one if Relay.Shared is set. Default: none.
	Relay *msrp.RelayOptions
	// TLS verifies MSRP relays, our own and those of peers, and with MSRPCertificate peers that give no fingerprint. It is not for SIP: see SIP.TLS. Default:
	// by the authorities that the system trusts.
	TLS *tls.Config
	// Logger gets what happens, never a text, a key or a secret. Default: nothing is logged.
	Logger *slog.Logger
}

const defaultOTRTimeout = 5 * time.Second

func (o *Options) withDefaults() (Options, error) {
	if o == nil {
		return Options{}, errors.New("otrchat: Options.Address is required")
	}
	r := *o
	if err := r.check(); err != nil {
		return r, err
	}
	r.Texts = maps.Clone(r.Texts)
	if err := r.checkCertificate(); err != nil {
		return r, err
	}
	if r.Relay != nil {
		if err := r.Relay.Validate(); err != nil {
			return r, fmt.Errorf("otrchat: Options.Relay: %w", err)
		}
		r.Relay = cloneRelay(r.Relay)
	}
	if r.TLS == nil {
		r.TLS = &tls.Config{}
	}
	if r.Policy == contacts.Inherit {
		r.Policy = Opportunistic
	}
	if r.OTRTimeout == 0 {
		r.OTRTimeout = defaultOTRTimeout
	}
	if r.Contacts == nil {
		r.Contacts = contacts.NewMemory()
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	return r, nil
}

// check names the option that is wrong.
func (o *Options) check() error {
	switch {
	case o.Address == "":
		return errors.New("otrchat: Options.Address is required")
	case o.Key == nil || o.Key.Fingerprint().IsZero():
		return errors.New("otrchat: Options.Key is required")
	case o.OTRTimeout < 0:
		return errors.New("otrchat: Options.OTRTimeout is negative")
	case o.Policy < contacts.Inherit || o.Policy > contacts.Never:
		return fmt.Errorf("otrchat: Options.Policy %d is unknown", o.Policy)
	case o.NotifyMessages < NotifyNoMessages || o.NotifyMessages > NotifyTexts:
		return fmt.Errorf("otrchat: Options.NotifyMessages %d is unknown", o.NotifyMessages)
	}
	if err := o.Texts.Validate(); err != nil {
		return fmt.Errorf("otrchat: Options.Texts: %w", err)
	}
	return nil
}

// agent are the options of the SIP agent.
func (o *Options) agent() *sip.Options {
	s := o.SIP
	s.Address, s.DisplayName, s.Username, s.Password, s.Realm = o.Address, o.DisplayName, o.Username, o.Password, o.Realm
	s.Focus, s.AcceptTLS, s.MessageTypes, s.Logger = o.Focus, true, nil, o.Logger
	return &s
}

// endpoint are the options of the MSRP endpoint. Whoever sends SIP through a proxy, or has a resolver of their own, would give themselves away by MSRP that goes
// another way.
func (o *Options) endpoint() *msrp.Options {
	m := &msrp.Options{
		Host: o.MSRPHost, TLS: o.dialTLS(), MaxMessage: maxMessage, InboxMessages: maxInbox, ManualReports: true, Logger: o.Logger, Dialer: o.SIP.Dialer,
	}
	if o.SIP.Resolver != nil {
		m.Resolver = o.SIP.Resolver
	}
	return m
}

// cloneRelay keeps options for later, whatever their owner does with them.
func cloneRelay(o *msrp.RelayOptions) *msrp.RelayOptions {
	if o == nil {
		return nil
	}
	r := *o
	r.Next = cloneRelay(r.Next)
	return &r
}
