package otrsession

import (
	"encoding/hex"
	"strings"
	"unicode"
)

// Fingerprint identifies a long-term key: the SHA-1 of its public half, as in
// the OTR version 3 specification, "Public keys, signatures, and fingerprints".
// It is comparable, and the zero value is no key's.
type Fingerprint [20]byte

// ParseFingerprint reads a fingerprint as people write it: 40 hexadecimal
// digits in either case, with any white space between them. Anything else is
// ErrFingerprint.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	digits := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
	if len(digits) != hex.EncodedLen(len(f)) {
		return Fingerprint{}, ErrFingerprint
	}
	if _, err := hex.Decode(f[:], []byte(digits)); err != nil {
		return Fingerprint{}, ErrFingerprint
	}
	return f, nil
}

// String writes the fingerprint as OTR programs show it: five groups of eight
// upper-case hexadecimal digits.
func (f Fingerprint) String() string {
	digits := strings.ToUpper(hex.EncodeToString(f[:]))
	groups := make([]string, 0, 5)
	for ; digits != ""; digits = digits[8:] {
		groups = append(groups, digits[:8])
	}
	return strings.Join(groups, " ")
}

// IsZero tells whether f is the zero value, which is no key's fingerprint.
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

// MarshalText writes the fingerprint like String.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads a fingerprint like ParseFingerprint.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	parsed, err := ParseFingerprint(string(text))
	if err == nil {
		*f = parsed
	}
	return err
}
