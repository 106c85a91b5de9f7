package contacts

import (
	"encoding/hex"
	"errors"
	"strings"
)

// ErrFingerprint is returned when a text is not a fingerprint of 40 hexadecimal digits.
var ErrFingerprint = errors.New("contacts: a fingerprint is 40 hexadecimal digits")

// Fingerprint is the SHA-1 fingerprint of an OTR public key, as the OTR version 3 specification
// defines it: 20 bytes. It is comparable, and the zero value is no key's fingerprint.
type Fingerprint [20]byte

// ParseFingerprint reads 40 hexadecimal digits of either case, with or without spaces between
// them. It returns [ErrFingerprint] for anything else, and for the all-zero fingerprint.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	if len(s) > 80 {
		return f, ErrFingerprint
	}
	digits := strings.ReplaceAll(s, " ", "")
	if len(digits) != 2*len(f) {
		return f, ErrFingerprint
	}
	if _, err := hex.Decode(f[:], []byte(digits)); err != nil || f.IsZero() {
		return Fingerprint{}, ErrFingerprint
	}
	return f, nil
}

// IsZero tells whether f is the zero value, which stands for no fingerprint.
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

// String is the form that people compare: five groups of eight upper-case hexadecimal digits.
func (f Fingerprint) String() string {
	digits := strings.ToUpper(hex.EncodeToString(f[:]))
	return digits[:8] + " " + digits[8:16] + " " + digits[16:24] + " " + digits[24:32] + " " + digits[32:]
}

// MarshalText returns the same text as String.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what [ParseFingerprint] reads.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	parsed, err := ParseFingerprint(string(text))
	if err != nil {
		return err
	}
	*f = parsed
	return nil
}
