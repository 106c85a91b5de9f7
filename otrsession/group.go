package otrsession

import "math/big"

// The Diffie-Hellman group of OTR: RFC 3526 §2, 1,536 bits, generator 2.
const (
	primeHex = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD1" +
		"29024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
		"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245" +
		"E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
		"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D" +
		"C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F" +
		"83655D23DCA3AD961C62F356208552BB9ED529077096966D" +
		"670C354E4ABC9804F1746C08CA237327FFFFFFFFFFFFFFFF"
	primeSize = 192 // bytes
)

var (
	two           = big.NewInt(2)
	prime, _      = new(big.Int).SetString(primeHex, 16)
	primeMinusTwo = new(big.Int).Sub(prime, two)
	order         = new(big.Int).Rsh(prime, 1) // (p-1)/2
)

// groupElement tells whether n lies in [2, p-2], which every public value and
// every SMP value has to (OTR version 3 specification, "SMP hash functions"
// and the state machine's checks).
func groupElement(n *big.Int) bool { return n.Cmp(two) >= 0 && n.Cmp(primeMinusTwo) <= 0 }

// exponent tells whether n lies in [1, q).
func exponent(n *big.Int) bool { return n.Sign() > 0 && n.Cmp(order) < 0 }
