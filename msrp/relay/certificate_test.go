package relay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shown is a TLS connection whose peer has shown a certificate.
type shown struct {
	net.Conn
	leaf *x509.Certificate
}

func (s shown) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{PeerCertificates: []*x509.Certificate{s.leaf}}
}

func (s shown) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// A certificate that is for servers alone makes nobody another relay: whoever runs a server of that name for the same authority may not be one.
func TestCertificatesAreForClients(t *testing.T) {
	for usage, want := range map[x509.ExtKeyUsage]bool{x509.ExtKeyUsageClientAuth: true, x509.ExtKeyUsageServerAuth: false, x509.ExtKeyUsageEmailProtection: false} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"relay.example.net"},
			BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		leaf, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		pool := x509.NewCertPool()
		pool.AddCert(leaf)
		c := newConn(newRig(t, &Options{Relays: pool}).r)
		c.nc = shown{leaf: leaf}
		c.cert = c.certificate()
		require.Equal(t, want, c.proves("relay.example.net"), usage)
		require.False(t, c.proves("other.example.net"))
	}
}
