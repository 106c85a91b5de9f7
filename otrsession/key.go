package otrsession

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math/big"

	"github.com/coyim/otr3"
)

// Key is a long-term private key: DSA with 1,024 bits, the only kind that OTR
// versions 2 and 3 know. The zero value is no key. A Key never changes after
// GenerateKey, LoadKey or UnmarshalText made it, and is then safe for
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

// MarshalText writes the private key, in clear, as libotr and the programs
// on it (Pidgin, irssi, profanity) keep it in otr.private_key: one account
// named "otrchat" of the protocol "prpl-otrchat". To use the key there, put the
// account's name and protocol in their places.
func (k *Key) MarshalText() ([]byte, error) {
	if k == nil || k.private == nil {
		return nil, ErrKeyFormat
	}
	var b bytes.Buffer
	b.WriteString("(privkeys\n (account\n(name \"otrchat\")\n(protocol prpl-otrchat)\n(private-key \n (dsa \n")
	d := k.private.PrivateKey
	for _, n := range []struct {
		name  string
		value *big.Int
	}{{"p", d.P}, {"q", d.Q}, {"g", d.G}, {"y", d.Y}, {"x", d.X}} {
		// The leading zero byte keeps libgcrypt from reading a minus sign.
		fmt.Fprintf(&b, "  (%s #00%X#)\n", n.name, n.value.Bytes())
	}
	b.WriteString("  )\n )\n )\n)\n")
	return b.Bytes(), nil
}

// UnmarshalText reads a private key in libotr's format (see MarshalText). The
// text has to hold exactly one account, whatever its name and protocol, and its
// numbers have to belong together; anything else is ErrKeyFormat.
func (k *Key) UnmarshalText(text []byte) error {
	if len(text) > maxKeyFile {
		return ErrKeyFormat
	}
	var accounts []*otr3.Account
	err := protect(func() (err error) {
		accounts, err = otr3.ImportKeys(bytes.NewReader(text))
		return err
	})
	if err != nil || len(accounts) == 0 {
		return ErrKeyFormat
	}
	if len(accounts) > 1 {
		return fmt.Errorf("%w: %d accounts in one file, want one", ErrKeyFormat, len(accounts))
	}
	private, ok := accounts[0].Key.(*otr3.DSAPrivateKey)
	if !ok || !validKey(private) {
		return ErrKeyFormat
	}
	k.private = private
	return nil
}

// validKey checks the sizes and that the public half belongs to the private.
func validKey(k *otr3.DSAPrivateKey) bool {
	d := k.PrivateKey
	for _, n := range []*big.Int{d.P, d.Q, d.G, d.X, d.Y} {
		if n == nil || n.Sign() <= 0 {
			return false
		}
	}
	if d.P.BitLen() != 1024 || d.Q.BitLen() != 160 || d.X.Cmp(d.Q) >= 0 || d.G.Cmp(d.P) >= 0 {
		return false
	}
	one := big.NewInt(1)
	return d.G.Cmp(one) > 0 &&
		new(big.Int).Exp(d.G, d.Q, d.P).Cmp(one) == 0 &&
		new(big.Int).Exp(d.G, d.X, d.P).Cmp(d.Y) == 0
}
