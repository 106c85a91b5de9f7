package msrp

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// certificates are those that the peer has shown, the endpoint's own first; none without TLS.
func (c *conn) certificates() []*x509.Certificate {
	if tc, ok := c.nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
		return tc.ConnectionState().PeerCertificates
	}
	return nil
}

// fingerprints are those of one hash, of which a certificate must have one (RFC 8122 section 5.1). A nil one demands nothing.
type fingerprints struct {
	hash crypto.Hash
	sums [][]byte
}

// Hashes that can be trusted, the strongest first. RFC 8122 section 5 forbids MD5 and MD2 and no longer demands SHA-1.
var hashes = []struct {
	name string
	hash crypto.Hash
}{{"sha-512", crypto.SHA512}, {"sha-384", crypto.SHA384}, {"sha-256", crypto.SHA256}}

// parseFingerprints picks from the values of the SDP attribute "fingerprint" those with the strongest hash.
func parseFingerprints(values []string) (*fingerprints, error) {
	for _, h := range hashes {
		f := &fingerprints{hash: h.hash}
		for _, v := range values {
			name, text, _ := strings.Cut(strings.TrimSpace(v), " ")
			text = strings.TrimSpace(text)
			if !strings.EqualFold(name, h.name) {
				continue
			}
			sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
			if err != nil || len(sum) != h.hash.Size() || len(text) != 3*len(sum)-1 {
				return nil, malformed("fingerprint")
			}
			f.sums = append(f.sums, sum)
		}
		if len(f.sums) > 0 {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%w: none of those given has a hash that can be trusted", ErrFingerprint)
}

// check looks at the certificates that a peer has shown.
func (f *fingerprints) check(certs []*x509.Certificate) error {
	if f == nil {
		return nil
	}
	if len(certs) == 0 {
		return fmt.Errorf("%w: the peer has shown none", ErrFingerprint)
	}
	h := f.hash.New()
	h.Write(certs[0].Raw)
	sum := h.Sum(nil)
	if !slices.ContainsFunc(f.sums, func(x []byte) bool { return bytes.Equal(x, sum) }) {
		return ErrFingerprint
	}
	return nil
}

// demand is cfg asking for a certificate with the fingerprint, in place of one with the right name and issuer. No server name is to be sent, for which a peer with a
// self-signed certificate could only refuse us, as Blink does.
func (f *fingerprints) demand(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	next := cfg.VerifyConnection
	cfg.InsecureSkipVerify = true
	cfg.VerifyConnection = func(state tls.ConnectionState) error { // for resumed sessions too
		if err := f.check(state.PeerCertificates); err != nil {
			return err
		}
		if next != nil {
			return next(state)
		}
		return nil
	}
	return cfg
}

// String is the same for the same demand.
func (f *fingerprints) String() string {
	if f == nil {
		return ""
	}
	sums := make([]string, len(f.sums))
	for i, s := range f.sums {
		sums[i] = hex.EncodeToString(s)
	}
	slices.Sort(sums)
	return strings.Join(slices.Compact(sums), " ")
}
