package otrsession

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUnreadable(t *testing.T) {
	p := newPair(t, Options{}, Options{})
	other := encryptedPair(t, Options{}, Options{})
	data := must(other.bob.Encrypt([]byte("not for you"))).Send[0]
	m, err := parseEncoded(data)
	require.NoError(t, err)
	for tag := range 4 {
		m.raw[3+tag] = byte(p.bob.tag >> (24 - 8*tag))
		m.raw[7+tag] = byte(p.alice.tag >> (24 - 8*tag))
	}
	data = m.message()

	step := hearing(t, p.alice.Session, data)
	assert.Equal(t, []Event{{Type: EventUnreadable, Err: ErrNotEncrypted}}, step.Events)
	assert.Equal(t, [][]byte{[]byte(replyNotEncrypted)}, step.Send)

	p.run(p.alice, must(p.alice.Start()))
	step = hearing(t, p.alice.Session, data)
	assert.Equal(t, []Event{{Type: EventUnreadable, Err: ErrUnreadable}}, step.Events)
	assert.Equal(t, [][]byte{[]byte(replyUnreadable)}, step.Send)

	m.raw[11] |= ignoreUnreadable
	assert.Zero(t, hearing(t, p.alice.Session, m.message()))
	p.say(p.bob, "for you")
}

func TestMalformed(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	good := must(p.bob.Encrypt([]byte("good"))).Send[0]
	m, err := parseEncoded(good)
	require.NoError(t, err)
	cut := func(n int) []byte { return encoded{raw: m.raw[:n]}.message() }
	for name, message := range map[string][]byte{
		"nothing":             []byte("?OTR:"),
		"no end":              good[:len(good)-1],
		"empty":               []byte("?OTR:."),
		"not base64":          []byte("?OTR:AAMD!!!!."),
		"base64 without end":  []byte("?OTR:AAM."),
		"NUL":                 []byte("?OTR:AAMD\x00AAA."),
		"only a version":      cut(2),
		"only a type":         cut(3),
		"half a header":       cut(9),
		"version 0":           []byte("?OTR:AAAD."),
		"version 1":           []byte("?OTR:AAED."),
		"version 4":           []byte("?OTR:AAQD."),
		"sender's tag":        []byte("?OTR:AAMDAAAA/wAAAAA=."),
		"receiver's tag":      []byte("?OTR:AAMDAAABAAAAAAE=."),
		"no body":             cut(11),
		"half a body":         cut(40),
		"half a next key":     cut(100),
		"half a counter":      cut(11 + 9 + 4 + 192 + 4),
		"half a ciphertext":   cut(11 + 9 + 4 + 192 + 8 + 4 + 10),
		"without MAC":         cut(len(m.raw) - 4 - 20),
		"with half a MAC":     cut(len(m.raw) - 4 - 10),
		"two messages in one": append(bytes.Clone(good), good...),
	} {
		t.Run(name, func(t *testing.T) {
			step := hearing(t, p.alice.Session, message)
			assert.Equal(t, []Event{{Type: EventUnreadable, Err: ErrMalformed}}, step.Events)
			assert.Equal(t, [][]byte{[]byte(replyMalformed)}, step.Send)
			assert.False(t, step.HasMessage)
		})
	}
	step := hearing(t, p.alice.Session, append(good, "\r\n"...))
	assert.Equal(t, "good", string(step.Plaintext), "white space at the end does no harm")
	for _, unknown := range []string{"?OTR", "?OTR#", "?OTRX:", "?OTR Err"} {
		assert.Equal(t, Step{Events: []Event{{Type: EventUnrecognized}}}, hearing(t, p.alice.Session, []byte(unknown)))
	}
	m.raw[2] = 0x77
	assert.Equal(t, Step{Events: []Event{{Type: EventUnrecognized}}}, hearing(t, p.alice.Session, m.message()))
}

func TestReplay(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	first := must(p.bob.Encrypt([]byte("pay once"))).Send[0]
	second := must(p.bob.Encrypt([]byte("second"))).Send[0]
	assert.True(t, hearing(t, p.alice.Session, first).HasMessage)
	for _, m := range [][]byte{first, first} {
		step := hearing(t, p.alice.Session, m)
		assert.False(t, step.HasMessage)
		require.Len(t, step.Events, 1)
		assert.ErrorIs(t, step.Events[0].Err, ErrUnreadable)
	}
	assert.Equal(t, "second", string(hearing(t, p.alice.Session, second).Plaintext))
}

// One message of a stranger's must not make bob's look replayed.
func TestForgedCounter(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	m, err := parseEncoded(p.bob.forge(forged{counter: 1 << 63, plain: []byte("forged")}))
	require.NoError(t, err)
	m.raw[len(m.raw)-10] ^= 1
	step := hearing(t, p.alice.Session, m.message())
	assert.Equal(t, []Event{{Type: EventUnreadable, Err: ErrUnreadable}}, step.Events)
	p.say(p.bob, "not forged")
}

// Blink sends 51 to 62 bytes of something as its list of revealed MAC keys.
func TestRevealedKeysMayBeGarbage(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	for i, n := range []int{0, 1, 20, 51, 62, 100000} {
		step := hearing(t, p.alice.Session, p.bob.forge(forged{
			counter: uint64(i + 1), plain: []byte("text"), revealed: make([]byte, n),
		}))
		assert.Equal(t, "text", string(step.Plaintext))
		assert.Empty(t, step.Events)
	}
}

func TestTextAndTLVs(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	for i, c := range []struct {
		name, plain, text string
		has               bool
	}{
		{"heartbeat", "", "", false},
		{"only a NUL", "\x00", "", false},
		{"trailing NUL", "text\x00", "text", true},
		{"no NUL", "text", "text", true},
		{"padding", "text\x00" + string(tlv(0, make([]byte, 9))), "text", true},
		{"unknown TLV", "text\x00" + string(tlv(99, []byte("x"))), "text", true},
		{"extra symmetric key", "text\x00" + string(tlv(8, []byte("abcdxyz"))), "text", true},
		{"broken extra symmetric key", "text\x00" + string(tlv(8, []byte("ab"))), "text", true},
		{"cut off TLV", "text\x00\x00\x00\xff", "text", true},
		{"TLV longer than the message", "text\x00\x00\x02\xff\xff\x00", "text", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			step := hearing(t, p.alice.Session, p.bob.forge(forged{counter: uint64(i + 1), plain: []byte(c.plain)}))
			assert.Equal(t, c.text, string(step.Plaintext))
			assert.Equal(t, c.has, step.HasMessage)
			assert.Equal(t, c.has, step.Encrypted)
			assert.Empty(t, step.Events)
		})
	}
	step := hearing(t, p.alice.Session, p.bob.forge(forged{counter: 100, plain: append([]byte("bye\x00"), tlv(1, nil)...)}))
	assert.Equal(t, "bye", string(step.Plaintext))
	assert.True(t, step.Encrypted)
	assert.Equal(t, []Event{{Type: EventFinished, Fingerprint: bobKey().Fingerprint()}}, step.Events)
	assert.Equal(t, Finished, p.alice.State())
}

func numbers(ns ...*big.Int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(ns)))
	for _, n := range ns {
		b = appendData(b, n.Bytes())
	}
	return b
}

func repeat(n int, values ...*big.Int) []*big.Int {
	out := make([]*big.Int, n)
	for i := range out {
		out[i] = values[i%len(values)]
	}
	return out
}

// What an authenticated peer can put into SMP messages: the first one of these
// ends the process when otr3 gets to see it, others cost it seconds, and with
// the group's edges SMP of version 2 succeeds without the secret.
func TestHostileSMP(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 400000)
	ok := big.NewInt(5)
	element := func(g *big.Int) []*big.Int { return []*big.Int{g, ok, ok, g, ok, ok} }
	for name, tlvs := range map[string][]byte{
		"4294967295 numbers":    tlv(2, []byte{0xff, 0xff, 0xff, 0xff}),
		"with question":         tlv(7, []byte("why\x00\xff\xff\xff\xff")),
		"question without end":  tlv(7, []byte("why")),
		"2^27 numbers":          tlv(3, []byte{0x08, 0, 0, 0}),
		"no numbers":            tlv(4, nil),
		"too few":               tlv(5, numbers(ok, ok)),
		"too many":              tlv(5, numbers(ok, ok, ok, ok)),
		"a number cut off":      tlv(5, []byte{0, 0, 0, 3, 0, 0, 0, 9, 1}),
		"huge exponent":         tlv(2, numbers(ok, ok, huge, ok, ok, ok)),
		"huge hash":             tlv(2, numbers(ok, new(big.Int).Lsh(ok, 300), ok, ok, ok, ok)),
		"element 0":             tlv(2, numbers(element(big.NewInt(0))...)),
		"element 1":             tlv(2, numbers(element(big.NewInt(1))...)),
		"element p-1":           tlv(2, numbers(element(new(big.Int).Sub(prime, big.NewInt(1)))...)),
		"element p":             tlv(2, numbers(element(prime)...)),
		"exponent 0":            tlv(2, numbers(ok, ok, new(big.Int), ok, ok, ok)),
		"exponent q":            tlv(2, numbers(ok, ok, order, ok, ok, ok)),
		"SMP 2 with element 0":  tlv(3, numbers(repeat(11, new(big.Int), ok, ok)...)),
		"SMP 3 with element 1":  tlv(4, numbers(repeat(8, big.NewInt(1))...)),
		"SMP 4 with element 0":  tlv(5, numbers(new(big.Int), ok, ok)),
		"three SMP messages":    bytes.Repeat(tlv(2, numbers(repeat(6, ok)...)), 3),
		"behind another record": append(tlv(0, make([]byte, 10)), tlv(5, []byte{0xff, 0xff, 0xff, 0xff})...),
	} {
		t.Run(name, func(t *testing.T) { assert.ErrorIs(t, checkTLVs(tlvs), errBadSMP) })
	}

	p := encryptedPair(t, Options{}, Options{})
	bomb := append([]byte("text\x00"), tlv(2, []byte{0xff, 0xff, 0xff, 0xff})...)
	step := hearing(t, p.alice.Session, p.bob.forge(forged{counter: 10, plain: bomb}))
	require.Len(t, step.Events, 1)
	assert.ErrorIs(t, step.Events[0].Err, ErrMalformed)
	assert.Equal(t, [][]byte{[]byte(replyMalformed)}, step.Send)
	assert.False(t, step.HasMessage)

	p.run(p.bob, must(p.bob.StartSMP("", []byte("x"))))
	step = hearing(t, p.alice.Session, p.bob.forge(forged{counter: 11, flags: ignoreUnreadable, plain: bomb}))
	assert.Equal(t, []Event{{Type: EventSMPFailed, Fingerprint: bobKey().Fingerprint()}}, step.Events)
	assert.Len(t, step.Send, 1, "an SMP abort")
	p.forget()
	p.deliver(p.alice, step.Send)
	assert.Equal(t, []EventType{EventSMPAborted}, p.bob.types())
	p.run(p.alice, must(p.alice.StartSMP("", []byte("y"))))
	p.run(p.bob, must(p.bob.AnswerSMP([]byte("y"))))
	assert.Equal(t, EventSMPSucceeded, p.alice.last().Type)
}

// An SMP message at the wrong time ends the run; nothing succeeds unasked.
func TestSMPMessageAtTheWrongTime(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	five := big.NewInt(5)
	for i, tlvs := range [][]byte{
		tlv(3, numbers(repeat(11, five)...)), tlv(4, numbers(repeat(8, five)...)),
		tlv(5, numbers(repeat(3, five)...)), tlv(6, nil),
	} {
		step := hearing(t, p.alice.Session, p.bob.forge(forged{counter: uint64(10 + i), plain: append([]byte{0}, tlvs...)}))
		assert.Empty(t, step.Events)
	}
	p.run(p.alice, must(p.alice.StartSMP("", []byte("x"))))
	step := hearing(t, p.alice.Session, p.bob.forge(forged{counter: 20, plain: append([]byte{0}, tlv(5, numbers(repeat(3, five)...))...)}))
	assert.Equal(t, []Event{{Type: EventSMPAborted, Fingerprint: bobKey().Fingerprint()}}, step.Events)
}

func TestLargeAKE(t *testing.T) {
	s := newSession(t, Options{Key: aliceKey()})
	raw := []byte{0, 3, typeDHCommit, 0, 0, 1, 0, 0, 0, 0, 0}
	raw = appendData(raw, make([]byte, maxAKE))
	step := hearing(t, s, encoded{raw: appendData(raw, make([]byte, 32))}.message())
	assert.Equal(t, Step{Events: []Event{{Type: EventAKEFailed, Err: ErrTooLarge}}}, step)
	assert.Nil(t, s.exchange)
}

func TestPrintable(t *testing.T) {
	assert.Equal(t, "a b", printable("a\nb", 9))
	assert.Equal(t, "ab", printable("abc", 2))
	assert.Equal(t, "a", printable("aé", 2))
	assert.Equal(t, "\uFFFDx", printable("\xff\xfe"+"x", 9))
	assert.Equal(t, strings.Repeat(" ", 4), printable("\u2028\u202e\x1b\u0085", 9))
}
