package gntp

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// ErrPassword is a request with another password, or with none.
var ErrPassword = errors.New("gntp: wrong password")

// None is the name of the cipher that leaves everything in the clear.
const None = "NONE"

var hashes = map[string]func() hash.Hash{"MD5": md5.New, "SHA1": sha1.New, "SHA256": sha256.New, "SHA512": sha512.New}

var ciphers = map[string]struct {
	new func([]byte) (cipher.Block, error)
	key int // length in bytes
}{
	"AES":  {aes.NewCipher, 24},
	"3DES": {des.NewTripleDESCipher, 24},
	"DES":  {des.NewCipher, 8},
}

const saltLength = 16

// Key authenticates one request, and encrypts it and its response where it has a cipher. The nil Key does neither.
type Key struct {
	hash, cipher string
	salt, iv     []byte
	key          []byte       // secret
	block        cipher.Block // nil without a cipher
}

// NewKey makes a Key with a new salt and a new initialization vector. The hash is MD5, SHA1, SHA256 or SHA512, the cipher AES, 3DES, DES or
// [None]. It fails for other names, and for a hash that is too short for the cipher: AES and 3DES need SHA256 or SHA512.
func NewKey(hash, cipher, password string) (*Key, error) {
	salt := make([]byte, saltLength)
	rand.Read(salt)
	k, err := derive(hash, cipher, password, salt)
	if err != nil || k.block == nil {
		return k, err
	}
	k.iv = make([]byte, k.block.BlockSize())
	rand.Read(k.iv)
	return k, nil
}

// derive makes a Key without an initialization vector.
func derive(hash, cipher, password string, salt []byte) (*Key, error) {
	newHash := hashes[hash]
	if newHash == nil {
		return nil, errors.New("gntp: unknown hash")
	}
	k := &Key{hash: hash, cipher: cipher, salt: salt, key: digest(newHash, []byte(password), salt)}
	if cipher == None {
		return k, nil
	}
	c, known := ciphers[cipher]
	if !known {
		return nil, errors.New("gntp: unknown cipher")
	}
	if len(k.key) < c.key {
		return nil, fmt.Errorf("gntp: %s is too short for the key of %s", hash, cipher)
	}
	block, err := c.new(k.key[:c.key])
	if err != nil {
		return nil, fmt.Errorf("gntp: %s: %w", cipher, err)
	}
	k.block = block
	return k, nil
}

func digest(newHash func() hash.Hash, parts ...[]byte) []byte {
	h := newHash()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func (k *Key) encrypts() bool { return k != nil && k.block != nil }

// appendInfo appends the part of the first line that says how the message is protected. A response says nothing about the key.
func (k *Key) appendInfo(dst []byte, response bool) []byte {
	if k.encrypts() {
		dst = fmt.Appendf(dst, "%s:%X", k.cipher, k.iv)
	} else {
		dst = append(dst, None...)
	}
	if k == nil || response {
		return dst
	}
	return fmt.Appendf(dst, " %s:%X.%X", k.hash, digest(hashes[k.hash], k.key), k.salt)
}

// parseKey reads the third and the fourth word of a request's first line. Without a password it takes what is neither authenticated nor encrypted.
func parseKey(words []string, password string) (*Key, error) {
	if len(words) == 1 {
		if words[0] != None {
			return nil, fmt.Errorf("%w: encrypted without a key", ErrMalformed)
		}
		if password != "" {
			return nil, ErrPassword
		}
		return nil, nil
	}
	cipher, iv, _ := strings.Cut(words[0], ":")
	hash, proof, _ := strings.Cut(words[1], ":")
	sum, saltHex, _ := strings.Cut(proof, ".")
	salt, err := hex.DecodeString(saltHex)
	got, err2 := hex.DecodeString(sum)
	if len(words) > 2 || err != nil || err2 != nil || len(salt) == 0 || hashes[hash] == nil {
		return nil, fmt.Errorf("%w: first line", ErrMalformed)
	}
	k, err := derive(hash, cipher, password, salt)
	if err != nil {
		return nil, fmt.Errorf("%w: cipher", ErrMalformed)
	}
	if password == "" || !hmac.Equal(got, digest(hashes[hash], k.key)) {
		return nil, ErrPassword
	}
	return k.withIV(iv)
}

// withIV returns the Key with the initialization vector of a message that was received, in hexadecimal.
func (k *Key) withIV(text string) (*Key, error) {
	iv, err := hex.DecodeString(text)
	size := 0
	if k.encrypts() {
		size = k.block.BlockSize()
	}
	if err != nil || len(iv) != size {
		return nil, fmt.Errorf("%w: initialization vector", ErrMalformed)
	}
	c := *k
	c.iv = iv
	return &c, nil
}

// encrypt returns text in CBC with the padding of PKCS 7, or text itself without a cipher.
func (k *Key) encrypt(text []byte) []byte {
	if !k.encrypts() {
		return text
	}
	n := k.block.BlockSize() - len(text)%k.block.BlockSize()
	out := append(bytes.Clone(text), bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(k.block, k.iv).CryptBlocks(out, out)
	return out
}

// decrypt reverses encrypt.
func (k *Key) decrypt(b []byte) ([]byte, error) {
	if !k.encrypts() {
		return b, nil
	}
	size := k.block.BlockSize()
	if len(b) == 0 || len(b)%size != 0 {
		return nil, fmt.Errorf("%w: length of encrypted data", ErrMalformed)
	}
	out := make([]byte, len(b))
	cipher.NewCBCDecrypter(k.block, k.iv).CryptBlocks(out, b)
	n := int(out[len(out)-1])
	if n < 1 || n > size || !bytes.Equal(out[len(out)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, fmt.Errorf("%w: padding", ErrMalformed)
	}
	return out[:len(out)-n], nil
}
