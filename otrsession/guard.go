package otrsession

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"math/big"

	"github.com/coyim/constbn"
)

// guard checks the data messages of one encrypted conversation before otr3
// gets to see them. otr3 alone would
//
//   - count a message's counter and key IDs before it knows who wrote it, so
//     that one forged message makes all later ones look replayed;
//   - allocate as much as an SMP message declares, which for 4 bytes is 32 GiB
//     and ends the process;
//   - take numbers of any size as SMP exponents, and in version 2 ones outside
//     the group as SMP values, with which SMP succeeds without the secret;
//   - refuse a message whose revealed MAC keys are not a multiple of 20 bytes,
//     as Blink sends them.
type guard struct{ known []sessionKeys }

// sessionKeys decrypt what the peer sends with one pair of Diffie-Hellman keys
// (version 3 specification, "Computing AES keys, MAC keys, and the secure
// session id"). They are kept as long as the pair is current, since they cost
// 2 ms each time.
type sessionKeys struct {
	our, their uint32
	aes, mac   []byte
}

// opened is a data message that the guard let through.
type opened struct {
	message []byte // to hand to otr3
	quiet   bool   // its loss would not matter
}

// open authenticates a data message and checks what is inside.
func (g *guard) open(m encoded, keys keyring) (opened, error) {
	d, err := parseData(m)
	if err != nil {
		return opened{quiet: d.unreadableIsNormal}, err
	}
	o := opened{quiet: d.unreadableIsNormal, message: d.withoutRevealedKeys(m).message()}
	k, ok := g.session(keys, d.recipientKey, d.senderKey)
	if !ok || !validMAC(k.mac, d) {
		return o, ErrUnreadable
	}
	plain := decrypt(k.aes, d)
	defer clear(plain)
	_, tlvs, _ := bytes.Cut(plain, []byte{0})
	return o, checkTLVs(tlvs)
}

// session finds the keys for a pair of key IDs.
func (g *guard) session(keys keyring, our, their uint32) (sessionKeys, bool) {
	if our == 0 || their == 0 || !keys.current(our, their) {
		return sessionKeys{}, false
	}
	g.forget(keys)
	for _, k := range g.known {
		if k.our == our && k.their == their {
			return k, true
		}
	}
	ours, theirs := keys.ours, keys.theirs
	if our != keys.ourID {
		ours = keys.oursBefore
	}
	if their != keys.theirID {
		theirs = keys.theirsPrevious
	}
	if theirs == nil || ours.public == nil {
		return sessionKeys{}, false
	}
	k := receiveKeys(ours, theirs)
	k.our, k.their = our, their
	g.known = append(g.known, k)
	return k, true
}

// forget wipes the keys of pairs that are no longer current.
func (g *guard) forget(keys keyring) {
	kept := g.known[:0]
	for _, k := range g.known {
		if keys.current(k.our, k.their) {
			kept = append(kept, k)
			continue
		}
		k.wipe()
	}
	clear(g.known[len(kept):])
	g.known = kept
}

func (g *guard) wipe() {
	for _, k := range g.known {
		k.wipe()
	}
	g.known = nil
}

func (k sessionKeys) wipe() {
	clear(k.aes)
	clear(k.mac)
}

// receiveKeys computes the receiving half of the session keys.
func receiveKeys(ours dhKey, theirs *big.Int) sessionKeys {
	receive := byte(0x01)
	if ours.public.Cmp(theirs) > 0 { // we are the "high" end
		receive = 0x02
	}
	return deriveKeys(ours, theirs, receive)
}

// deriveKeys computes the keys of one direction, 1 or 2.
func deriveKeys(ours dhKey, theirs *big.Int, direction byte) sessionKeys {
	secret := new(constbn.Int).ExpB(new(constbn.Int).SetBigInt(theirs), ours.private,
		new(constbn.Int).SetBigInt(prime)).GetBigInt().Bytes()
	defer clear(secret)
	h := sha1.New()
	h.Write([]byte{direction})
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(secret))))
	h.Write(secret)
	key := h.Sum(nil)[:16]
	mac := sha1.Sum(key)
	return sessionKeys{aes: key, mac: mac[:]}
}

func validMAC(key []byte, d dataMessage) bool {
	mac := hmac.New(sha1.New, key)
	mac.Write(d.signed)
	return hmac.Equal(mac.Sum(nil), d.mac)
}

// decrypt returns the text, NUL and TLVs of an authenticated message.
func decrypt(key []byte, d dataMessage) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil // cannot be: the key has 16 bytes
	}
	var iv [aes.BlockSize]byte
	copy(iv[:], d.counter[:])
	plain := make([]byte, len(d.encrypted))
	cipher.NewCTR(block, iv[:]).XORKeyStream(plain, d.encrypted)
	return plain
}

// TLV types of SMP (version 3 specification, "TLV Record Types").
const (
	tlvSMP1  = 2
	tlvSMP2  = 3
	tlvSMP3  = 4
	tlvSMP4  = 5
	tlvSMP1Q = 7
)

// maxSMP bounds the SMP messages in one data message, each of which costs tens
// of milliseconds to check.
const maxSMP = 2

// What the numbers of the SMP messages are: g a group element, e an exponent,
// h a hash.
var smpNumbers = map[uint16]string{
	tlvSMP1:  "gheghe",
	tlvSMP1Q: "gheghe",
	tlvSMP2:  "gheghegghee",
	tlvSMP3:  "ggheeghe",
	tlvSMP4:  "ghe",
}

// checkTLVs refuses SMP messages that otr3 must not see. Like otr3 it stops at
// a TLV that is cut off, and passes over the types it does not know.
func checkTLVs(tlvs []byte) error {
	r := reader{rest: tlvs}
	for smp := 0; len(r.rest) > 0; {
		kind := r.short()
		value := r.bytes(int(r.short()))
		if r.failed {
			return nil
		}
		numbers, ok := smpNumbers[kind]
		if !ok {
			continue
		}
		if kind == tlvSMP1Q {
			_, value, ok = bytes.Cut(value, []byte{0})
		}
		if smp++; !ok || smp > maxSMP || !validSMP(value, numbers) {
			return errBadSMP
		}
	}
	return nil
}

// validSMP checks how many numbers an SMP message has and their ranges.
func validSMP(value []byte, numbers string) bool {
	r := reader{rest: value}
	if r.word() != uint32(len(numbers)) {
		return false
	}
	for _, kind := range numbers {
		n := r.mpi()
		switch {
		case r.failed,
			kind == 'g' && !groupElement(n),
			kind == 'e' && !exponent(n),
			kind == 'h' && n.BitLen() > 256:
			return false
		}
	}
	return true
}
