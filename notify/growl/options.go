package growl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"unicode/utf8"

	"github.com/otrchat/otrchat/internal/gntp"
	"github.com/otrchat/otrchat/notify/internal/plain"
)

// Hash is how the key is made of the password.
type Hash string

// The hashes of GNTP. MD5 and SHA1 are legacy, for servers that know nothing better, and too short for AES and TripleDES.
const (
	SHA256 Hash = "SHA256"
	SHA512 Hash = "SHA512"
	SHA1   Hash = "SHA1"
	MD5    Hash = "MD5"
)

// Cipher is how requests are encrypted.
type Cipher string

// The ciphers of GNTP. DES and TripleDES are legacy, for servers that know nothing better.
const (
	AES         Cipher = "AES"
	TripleDES   Cipher = "3DES"
	DES         Cipher = "DES"
	Unencrypted Cipher = "NONE" // the server sees that the password is known, and everybody sees the rest
)

const (
	maxName     = 256
	maxPassword = 1 << 10
	maxURL      = 2 << 10
	maxIcon     = 256 << 10

	defaultAddress = "127.0.0.1:23053"
)

// Options are those of a [Notifier].
type Options struct {
	// AppName is the name of the program as its users know it, by which they also find it in the server's settings. Required; one line, at most 256 bytes.
	AppName string
	// Address is the server's host and port. Default: 127.0.0.1:23053, the port that GNTP has.
	Address string
	// Password is the one that the server's user has set. UTF-8, at most 1,024 bytes. Default: empty, requests are neither authenticated nor encrypted.
	Password string
	// Hash makes the key of the Password. Set it only for a server that knows nothing better. Default: SHA256; without a Password there is none.
	Hash Hash
	// Cipher encrypts. Set it only for a server that knows nothing better. Default: AES; without a Password there is none.
	Cipher Cipher
	// AllowPlaintext lets requests that are not encrypted go to another machine, so that whoever is on the way reads who writes to whom, and what the
	// notifications say. Default: false, only to an address of the loopback interface, or to the name localhost.
	AllowPlaintext bool
	// Icon is an image, PNG being the one that every server knows, at most 256 KiB. It goes with each request. Default: none.
	Icon []byte
	// IconURL is an http or https address from which the server loads the icon, instead of Icon. Default: empty, none.
	IconURL string
	// Dialer opens the connections. Default: a net.Dialer.
	Dialer Dialer
}

// Dialer is the part of net.Dialer that a [Notifier] needs. It must return when its context ends.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// New makes a [Notifier]; it does no I/O. The error names the option that is wrong.
func New(o *Options) (*Notifier, error) {
	if o == nil {
		o = &Options{}
	}
	n := &Notifier{o: *o, turn: make(chan struct{}, 1)}
	n.o.Icon = bytes.Clone(o.Icon)
	n.o.setDefaults()
	if err := n.o.validate(); err != nil {
		return nil, err
	}
	return n, nil
}

func (o *Options) setDefaults() {
	if o.Address == "" {
		o.Address = defaultAddress
	}
	if o.Dialer == nil {
		o.Dialer = new(net.Dialer)
	}
	if o.Password == "" {
		return
	}
	if o.Hash == "" {
		o.Hash = SHA256
	}
	if o.Cipher == "" {
		o.Cipher = AES
	}
}

func (o *Options) validate() error {
	host, port, err := net.SplitHostPort(o.Address)
	number, errPort := strconv.ParseUint(port, 10, 16)
	switch {
	case o.AppName == "" || o.AppName != plain.Line(o.AppName, maxName):
		return errors.New("growl: Options.AppName must be one line of text, of at most 256 bytes")
	case err != nil || errPort != nil || host == "" || number == 0:
		return errors.New("growl: Options.Address must be a host and a port")
	case o.Password == "" && (o.Hash != "" || o.Cipher != ""):
		return errors.New("growl: Options.Password is missing, without which there is neither a Hash nor a Cipher")
	case !o.encrypts() && !o.AllowPlaintext && !loopback(host):
		return errors.New("growl: Options.AllowPlaintext is not set, and nothing would be encrypted on the way to another machine")
	}
	if err := o.validateKey(); err != nil {
		return err
	}
	return o.validateIcon()
}

func (o *Options) validateKey() error {
	if o.Password == "" {
		return nil
	}
	if len(o.Password) > maxPassword || !utf8.ValidString(o.Password) {
		return errors.New("growl: Options.Password must be UTF-8, of at most 1024 bytes")
	}
	if _, err := gntp.NewKey(string(o.Hash), string(o.Cipher), o.Password); err != nil {
		return fmt.Errorf("growl: Options.Hash or Options.Cipher: %w", err)
	}
	return nil
}

func (o *Options) validateIcon() error {
	if len(o.Icon) > maxIcon {
		return errors.New("growl: Options.Icon has more than 256 KiB")
	}
	if o.IconURL == "" {
		return nil
	}
	u, err := url.Parse(o.IconURL)
	switch {
	case len(o.Icon) > 0:
		return errors.New("growl: Options.IconURL is set, and so is Icon")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || o.IconURL != plain.Line(o.IconURL, maxURL):
		return errors.New("growl: Options.IconURL must be an http or https address, of at most 2048 bytes")
	}
	return nil
}

func (o *Options) encrypts() bool { return o.Password != "" && o.Cipher != Unencrypted }

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost"
}
