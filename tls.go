package otrchat

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/sip"
)

// checkCertificate parses the certificate for direct chats.
func (o *Options) checkCertificate() error {
	if o.MSRPCertificate == nil {
		return nil
	}
	if len(o.MSRPCertificate.Certificate) == 0 || o.MSRPCertificate.PrivateKey == nil {
		return errors.New("otrchat: Options.MSRPCertificate lacks the certificate or its key")
	}
	leaf, err := x509.ParseCertificate(o.MSRPCertificate.Certificate[0])
	if err != nil {
		return fmt.Errorf("otrchat: Options.MSRPCertificate: %w", err)
	}
	own := *o.MSRPCertificate
	own.Leaf = leaf
	o.MSRPCertificate = &own
	return nil
}

// fingerprint is that of the certificate for direct chats.
func (o *Options) fingerprint() string { return msrp.Fingerprint(o.MSRPCertificate.Leaf) }

// dialTLS is for connections that we open: to relays, which are shown no certificate, and to peers.
func (o *Options) dialTLS() *tls.Config {
	if o.MSRPCertificate == nil {
		return o.TLS
	}
	cfg := o.TLS.Clone()
	cfg.Certificates, cfg.GetClientCertificate = []tls.Certificate{*o.MSRPCertificate}, nil
	return cfg
}

// serveMSRP takes connections for direct chats. Peers are asked for a certificate; whether one must be there is said by their SDP.
func (c *Client) serveMSRP(l net.Listener) error {
	if cert := c.o.MSRPCertificate; cert != nil && c.o.Relay == nil {
		l = tls.NewListener(l, &tls.Config{
			Certificates: []tls.Certificate{*cert}, ClientAuth: tls.RequestClientCert, DynamicRecordSizingDisabled: true,
		})
	}
	return c.msrp.Serve(l)
}

// suits tells whether we have an answer to an offer: both sides have TLS or neither, unless the one that has it has it with its relay alone.
func (c *Client) suits(offer *sip.Media) bool {
	switch {
	case offer == nil || offer.TLS == c.secure:
		return true
	case offer.TLS:
		return len(offer.Path) > 1
	}
	return c.o.Relay != nil
}
