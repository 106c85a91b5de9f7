package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/relay"
)

// passwords are those of the relay's users. A relay for many looks them up in a database: see relay.Authenticator.
var passwords = relay.Users{"alice": "looking-glass", "bob": "can-we-fix-it"}

const aClient = "a client" // so the recording of the relay calls each of them

// hub is an MSRP relay in this process (RFC 4976). A real one stands where everybody can reach it, and so those behind it can be reached.
type hub struct {
	uri   string
	roots *x509.CertPool // whom the clients trust for its certificate
	wire  *tap.Recorder  // all that it reads and writes, inside TLS
}

func (s *story) newHub(ctx context.Context) (*hub, error) {
	l, err := s.listenTCP(ctx)
	if err != nil {
		return nil, err
	}
	s.atEnd(func() error { l.Close(); return nil })
	cert, roots, err := certify(host)
	if err != nil {
		return nil, err
	}
	server, err := relay.New(&relay.Options{
		Host:          l.Addr().String(),
		Authenticator: passwords,
		Permit:        func(a netip.AddrPort) bool { return a.Addr().IsLoopback() }, // where it connects to: here Carol and the conference
	})
	if err != nil {
		return nil, err
	}
	s.atEnd(server.Close)
	wire := tap.New(s.tapOptions("the relay", aClient))
	inside := tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true})
	return &hub{"msrps://" + l.Addr().String() + ";tcp", roots, wire}, server.Serve(tap.Listener(inside, wire))
}

// through has a chat program go through the relay. This is all that it takes.
func (h *hub) through(name string, o *otrchat.Options) {
	user := strings.ToLower(name)
	o.Relay = &msrp.RelayOptions{URI: h.uri, Username: user, Password: passwords[user]}
	o.TLS = &tls.Config{RootCAs: h.roots} // not needed where an authority that the system trusts has signed the certificate
}

// certify makes a certificate for an address, which is an authority of its own.
func certify(ip string) (cert tls.Certificate, roots *x509.CertPool, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "quickstart"}, IPAddresses: []net.IP{net.ParseIP(ip)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return cert, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return cert, nil, err
	}
	roots = x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots, nil
}

// relayed is the last step with -relay. That the greetings are found shows that the search finds what there is.
func (s *story) relayed(context.Context) (err error) {
	s.say("TLS ends at the relay. It could read whatever was not encrypted, such as Alice's greetings to Carol and to the conference:")
	for _, sought := range []struct {
		name, text string
		times      int
	}{{"Alice's message", words, 0}, {"Her question", asks, 0}, {"Bob's answer", secret, 0}, {"Her greetings", hello, 2}} {
		found, recorded := seen(sought.text, s.hub.wire)
		s.show(sought.name, times(found, recorded))
		err = errors.Join(err, check(sought.name+" in clear at the relay", found, sought.times))
	}
	return errors.Join(err, check("bytes that were not recorded", s.hub.wire.Lost(), 0))
}
