package relay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

const (
	nonceTimeout = 5 * time.Minute // from when a nonce is given out
	maxCounted   = 1 << 16         // nonces whose count is remembered
)

// nonceID is the time a nonce was given out at, and random bytes.
type nonceID [16]byte

func newNonceID(now time.Duration) (id nonceID) {
	binary.BigEndian.PutUint64(id[:8], uint64(now))
	rand.Read(id[8:])
	return id
}

func (id nonceID) time() time.Duration { return time.Duration(binary.BigEndian.Uint64(id[:8])) }

// nonces gives nonces out and takes them back. A nonce carries its time and a MAC over it and over whom it was given to, so those that nobody
// answers to cost no memory; of those used with the right password the count is kept. A nonce is good for requests with rising counts, for 5 minutes.
type nonces struct {
	key   [sha256.Size]byte
	start time.Time // what the times count from

	mu     sync.Mutex
	counts map[nonceID]uint32
	floor  time.Duration // nonces of this time and before are too old
}

func newNonces() *nonces {
	n := &nonces{start: time.Now(), floor: -1, counts: make(map[nonceID]uint32)}
	rand.Read(n.key[:])
	return n
}

// issue makes a nonce for holder.
func (n *nonces) issue(holder string) string {
	return n.seal(newNonceID(time.Since(n.start)), holder)
}

func (n *nonces) seal(id nonceID, holder string) string {
	mac := hmac.New(sha256.New, n.key[:])
	mac.Write(id[:])
	mac.Write([]byte(holder))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(id[:])[:2*len(id)])
}

// use tells whether the nonce is one of ours, was given to holder, is not too old, and has not been used with this count or a higher one; if so it is
// now. Only a request whose credentials were right may use one: it costs memory.
func (n *nonces) use(nonce, holder string, count uint32) bool {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) < len(nonceID{}) {
		return false
	}
	id := nonceID(b)
	if !hmac.Equal([]byte(n.seal(id, holder)), []byte(nonce)) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Since(n.start)
	if id.time() <= n.floor || now-id.time() > nonceTimeout || count <= n.counts[id] {
		return false
	}
	if len(n.counts) == maxCounted { // forget them all, but let none of them be used again
		clear(n.counts)
		n.floor = now
	}
	n.counts[id] = count
	return true
}
