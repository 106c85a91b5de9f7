package sip

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// maxFingerprints bounds those of one side.
const maxFingerprints = 16

// hashes are those of RFC 8122 §5 that a fingerprint may have, and their sizes in bytes. MD5 and MD2 must not be used.
var hashes = map[string]int{"sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}

// parseFingerprint reads the value of a=fingerprint and returns it in one form: the hash in lower case, the bytes in upper case. It is empty
// for MD5, MD2 and hashes that nobody knows.
func parseFingerprint(s string) (string, error) {
	hash, text, _ := strings.Cut(s, " ")
	hash, text = strings.ToLower(hash), strings.ToUpper(strings.TrimSpace(text))
	size, ok := hashes[hash]
	if !ok {
		return "", nil
	}
	sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(sum) != size || text != strings.ToUpper(colons(sum)) {
		return "", fmt.Errorf("%w: malformed fingerprint", ErrMedia)
	}
	return hash + " " + text, nil
}

// colons writes bytes as "ab:cd".
func colons(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% x", b), " ", ":") }

// fingerprints are those of a media line, or of the session where the line has none (RFC 8122 §5).
func (d *description) fingerprints(m *mediaLine) ([]string, error) {
	values := findAll(m.attributes, "fingerprint")
	if len(values) == 0 {
		values = findAll(d.attributes, "fingerprint")
	}
	var prints []string
	for _, v := range values {
		p, err := parseFingerprint(v)
		if err != nil {
			return nil, err
		}
		if p != "" && !slices.Contains(prints, p) {
			prints = append(prints, p)
		}
	}
	return prints, nil
}

// checkFingerprints makes sure that fingerprints can be written, and that they say something: without TLS there is no certificate, and with a
// relay it is the relay's.
func (m *Media) checkFingerprints() error {
	switch {
	case len(m.Fingerprints) == 0:
		return nil
	case !m.mayHaveFingerprints():
		return fmt.Errorf("%w: Fingerprints are for TLS without a relay", ErrMedia)
	case len(m.Fingerprints) > maxFingerprints:
		return fmt.Errorf("%w: more than %d fingerprints", ErrMedia, maxFingerprints)
	}
	for _, f := range m.Fingerprints {
		if p, err := parseFingerprint(f); err != nil || p != f {
			return fmt.Errorf("%w: a fingerprint is not like %q with a hash that can be trusted", ErrMedia, "sha-256 AB:CD")
		}
	}
	return nil
}

func (m *Media) mayHaveFingerprints() bool { return m.TLS && len(m.Path) == 1 }
