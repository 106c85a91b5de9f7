package digest

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
)

// Conditions that a caller can test with errors.Is.
var (
	// ErrMalformed is wrapped by every error about a header value that breaks the grammar or lacks a parameter.
	ErrMalformed = errors.New("digest: malformed")
	// ErrUnsupported is wrapped by errors about another scheme, algorithm or quality of protection than ours.
	ErrUnsupported = errors.New("digest: not supported")
	// ErrRspauth says that the server did not show that it knows the password, or answered another request than our last.
	ErrRspauth = errors.New("digest: the server's own authentication is wrong")
)

// Algorithm names a hash as the algorithm parameter does (RFC 7616 section 6.1). The zero value stands for an absent parameter, which means MD5.
type Algorithm string

// The algorithms that are known.
const (
	MD5       Algorithm = "MD5"
	SHA256    Algorithm = "SHA-256"
	SHA512256 Algorithm = "SHA-512-256"
)

// algorithms are those that are known, the weakest first.
var algorithms = []struct {
	Algorithm
	hash func() hash.Hash
}{{"", md5.New}, {MD5, md5.New}, {SHA256, sha256.New}, {SHA512256, sha512.New512_256}}

// strength is the place of the algorithm in algorithms, -1 for one that is not known.
func (a Algorithm) strength() int {
	for i, known := range algorithms {
		if a == known.Algorithm {
			return i
		}
	}
	return -1
}

// parseAlgorithm reads the parameter, in any case (RFC 7616 section 3.3 quotes tokens, and tokens are compared without regard to case).
func parseAlgorithm(s string) (Algorithm, bool) {
	for _, known := range algorithms {
		if strings.EqualFold(s, string(known.Algorithm)) {
			return known.Algorithm, true
		}
	}
	return "", false
}

// sum is the hash of the parts with colons between them, in hexadecimal digits; empty for an algorithm that is not known.
func (a Algorithm) sum(parts ...string) string {
	i := a.strength()
	if i < 0 {
		return ""
	}
	h := algorithms[i].hash()
	for i, part := range parts {
		if i > 0 {
			io.WriteString(h, ":")
		}
		io.WriteString(h, part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// HA1 is what a server keeps of a password: the hash of user name, realm and password in hexadecimal digits (RFC 7616 section 3.4.2). It is empty for
// an algorithm that is not known.
func HA1(a Algorithm, username, realm, password string) string {
	return a.sum(username, realm, password)
}
