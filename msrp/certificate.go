package msrp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"time"
)

const (
	certificateAge  = 24 * time.Hour       // of a new one, for peers whose clock is late
	certificateLife = 365 * 24 * time.Hour // though fingerprints do not expire
)

// SelfSigned makes a certificate for peers who verify it by its Fingerprint: for Options.TLS and for the tls.Config of a listener. It has a fresh ECDSA P-256 key and names
// nobody, and is valid for a year. RFC 4975 section 14.4 wants one for each user, and one of its own for a user who stays anonymous. The error is that of the
// system's random numbers.
func SelfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("msrp: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("msrp: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: pkix.Name{CommonName: "msrp"}, // an issuer may not be empty (RFC 5280)
		NotBefore: now.Add(-certificateAge), NotAfter: now.Add(certificateLife), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("msrp: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("msrp: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// Fingerprint is the value of the SDP attribute "fingerprint" for a certificate, with SHA-256 (RFC 8122 section 5): of the Leaf of a tls.Certificate of our own, for
// the offer or answer that also carries LocalPath.
func Fingerprint(cert *x509.Certificate) string {
	var b strings.Builder
	b.WriteString("sha-256 ")
	for i, x := range sha256.Sum256(cert.Raw) {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02X", x)
	}
	return b.String()
}
