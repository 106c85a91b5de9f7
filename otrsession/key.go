package otrsession

import (
	"crypto/rand"
	"fmt"

	"github.com/coyim/otr3"
)

// Key is a long-term private key: DSA with 1,024 bits, the only kind that OTR
// versions 2 and 3 know. The zero value is no key. A Key never changes after
// GenerateKey, LoadKey or ParseKey made it, and is then safe for
// concurrent use by any number of sessions.
type Key struct{ private *otr3.DSAPrivateKey }

// GenerateKey makes a new key from the system's random source. It takes about
// 60 ms of one processor core.
func GenerateKey() (*Key, error) {
	private := new(otr3.DSAPrivateKey)
	if err := private.Generate(rand.Reader); err != nil {
		return nil, fmt.Errorf("otrsession: generate key: %w", err)
	}
	return &Key{private}, nil
}

// Fingerprint identifies the key's public half. It is zero for the zero Key.
func (k *Key) Fingerprint() Fingerprint {
	if k == nil || k.private == nil {
		return Fingerprint{}
	}
	return Fingerprint(k.private.Fingerprint())
}

// String shows the fingerprint, never the key, so that a key that ends up in a
// log line gives nothing away.
func (k *Key) String() string { return "OTR key " + k.Fingerprint().String() }

// GoString is String, for %#v.
func (k *Key) GoString() string { return k.String() }
