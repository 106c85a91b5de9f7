package otrsession

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math/big"
)

// OTR's message types (version 3 specification, "Encoded messages").
const (
	typeDHCommit  = 0x02
	typeData      = 0x03
	typeDHKey     = 0x0a
	typeRevealSig = 0x11
	typeSignature = 0x12
)

// minTag is the smallest instance tag that may stand for an instance.
const minTag = 0x100

// ignoreUnreadable is the flag of data messages whose loss does not matter.
const ignoreUnreadable = 0x01

// encoded is a decoded "?OTR:…" message.
type encoded struct {
	raw              []byte // all of it, from the version on
	body             []byte // what follows the header
	version          int
	kind             byte
	sender, receiver uint32 // instance tags, 0 in version 2
}

// parseEncoded takes the envelope off and reads the header.
func parseEncoded(message []byte) (encoded, error) {
	text, ended := bytes.CutSuffix(bytes.TrimRight(message, " \t\r\n"), []byte("."))
	if !ended || !bytes.HasPrefix(text, []byte(encodedMarker)) {
		return encoded{}, ErrMalformed
	}
	text = text[len(encodedMarker):]
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(raw, text)
	if err != nil {
		return encoded{}, ErrMalformed
	}
	m := encoded{raw: raw[:n]}
	r := reader{rest: m.raw}
	m.version, m.kind = int(r.short()), r.byte()
	if m.version == 3 {
		m.sender, m.receiver = r.word(), r.word()
	}
	m.body = r.rest
	badReceiver := m.receiver != 0 && m.receiver < minTag
	if r.failed || m.version < 2 || m.version > 3 || m.version == 3 && (m.sender < minTag || badReceiver) {
		return encoded{}, ErrMalformed
	}
	return m, nil
}

// message puts the envelope on.
func (m encoded) message() []byte {
	out := make([]byte, 0, len(encodedMarker)+base64.StdEncoding.EncodedLen(len(m.raw))+1)
	out = append(out, encodedMarker...)
	return append(base64.StdEncoding.AppendEncode(out, m.raw), '.')
}

// dataMessage is the body of a data message.
type dataMessage struct {
	flags              byte
	senderKey          uint32
	recipientKey       uint32
	nextKey            *big.Int
	counter            [8]byte
	encrypted          []byte
	signed             []byte // the bytes of the whole message that the MAC covers
	mac                []byte
	unreadableIsNormal bool
}

// parseData reads the body of a data message. The list of revealed MAC keys at
// its end is left out: nobody needs it, and some programs send a broken one.
func parseData(m encoded) (dataMessage, error) {
	r := reader{rest: m.body}
	d := dataMessage{flags: r.byte(), senderKey: r.word(), recipientKey: r.word(), nextKey: r.mpi()}
	copy(d.counter[:], r.bytes(len(d.counter)))
	d.encrypted = r.data()
	d.signed = m.raw[:len(m.raw)-len(r.rest)]
	d.mac = r.bytes(20)
	d.unreadableIsNormal = d.flags&ignoreUnreadable != 0
	if r.failed || !groupElement(d.nextKey) {
		return d, ErrMalformed
	}
	return d, nil
}

// withoutRevealedKeys is the same message with an empty list of revealed MAC
// keys, which the MAC does not cover.
func (d dataMessage) withoutRevealedKeys(m encoded) encoded {
	m.raw = append(append(bytes.Clone(d.signed), d.mac...), 0, 0, 0, 0)
	return m
}

// commitHash is the hash of g^x in a D-H Commit message, by which a collision
// of two of them is decided. It is nil in a malformed one.
func commitHash(m encoded) []byte {
	r := reader{rest: m.body}
	r.data()
	hash := r.data()
	if r.failed || len(hash) != 32 {
		return nil
	}
	return hash
}

// reader takes OTR's data types off the front of a message. After a failure it
// returns zero values.
type reader struct {
	rest   []byte
	failed bool
}

// bytes returns the next n bytes, as part of the message.
func (r *reader) bytes(n int) []byte {
	if r.failed || n > len(r.rest) {
		r.failed = true
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) short() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) word() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// data reads a DATA: a length and as many bytes.
func (r *reader) data() []byte {
	n := r.word()
	if uint64(n) > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	return r.bytes(int(n))
}

// mpi reads an MPI of at most the group's size, and never returns nil.
func (r *reader) mpi() *big.Int {
	b := r.data()
	if len(b) > primeSize {
		r.failed = true
		return new(big.Int)
	}
	return new(big.Int).SetBytes(b)
}
