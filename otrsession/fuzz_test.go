package otrsession

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzDecrypt feeds messages to sessions in every state. An encrypted pair is
// dear, so one serves until a message has changed its state; the fuzzing engine
// is told nothing of it, since a session's state never depends on more.
func FuzzDecrypt(f *testing.F) {
	seed := encryptedPair(f, Options{AllowV2: true}, Options{AllowV2: true})
	seed2 := newPair(f, Options{}, Options{FragmentSize: 200})
	seed2.run(seed2.alice, must(seed2.alice.Start()))
	for _, m := range append(seed2.alice.sent, seed2.bob.sent...) {
		f.Add(m)
	}
	for i, plain := range []string{"text", "", "text\x00" + string(tlv(1, nil)), "\x00" + string(tlv(2, []byte{0xff, 0xff, 0xff, 0xff}))} {
		f.Add(seed.bob.forge(forged{counter: uint64(i + 1), plain: []byte(plain), revealed: make([]byte, 51)}))
	}
	for _, m := range []string{
		"", "hello", "hello" + tagBase + tagV3, "?OTR?", "?OTRv23? hi", "?OTR?v2?", "?OTR Error: no", "?OTR:", "?OTR:.", "?OTR:AAMD.",
		"?OTR|00000100|00000000,00001,00002,?OTR:AAMD,", "?OTR,1,1,?OTRv2?,", "?OTR:AAEK", "?OTRX",
	} {
		f.Add([]byte(m))
	}
	encrypted := encryptedPair(f, Options{}, Options{AllowV2: true})
	f.Fuzz(func(t *testing.T, message []byte) {
		plain, err := New(&Options{Key: aliceKey(), AllowV2: true, MaxMessage: 1 << 16})
		require.NoError(t, err)
		for range 2 {
			check(t, plain, message)
		}
		if encrypted.alice.State() != Encrypted {
			encrypted = encryptedPair(t, Options{}, Options{AllowV2: true})
		}
		check(t, encrypted.alice.Session, encrypted.address(message))
	})
}

// address gives a message of version 3 bob's tag and alice's, and if it is a
// data message a valid MAC, so that it gets further.
func (p *pair) address(message []byte) []byte {
	m, err := parseEncoded(message)
	if err != nil || m.version != 3 {
		return message
	}
	if m.kind == typeData {
		if len(m.body) == 0 {
			return message
		}
		p.forgeries++
		return p.bob.forge(forged{counter: p.forgeries, flags: m.body[0], plain: m.body[1:]})
	}
	for i := range 4 {
		m.raw[3+i] = byte(p.bob.tag >> (24 - 8*i))
		m.raw[7+i] = byte(p.alice.tag >> (24 - 8*i))
	}
	return m.message()
}

func check(t *testing.T, s *Session, message []byte) {
	before := s.State()
	step, err := s.Decrypt(message)
	if err != nil {
		require.ErrorIs(t, err, ErrTooLarge)
		require.Zero(t, step)
		return
	}
	require.False(t, step.Encrypted && (before != Encrypted || !step.HasMessage))
	require.LessOrEqual(t, len(step.Send), 2)
	for _, m := range step.Send {
		require.NotEqual(t, KindPlaintext, Classify(m))
		require.NotEqual(t, KindTagged, Classify(m))
	}
	for _, e := range step.Events {
		require.False(t, errors.Is(e.Err, ErrBroken))
	}
}

func FuzzParseKey(f *testing.F) {
	text, err := aliceKey().Export()
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte("(privkeys (account (name x) (protocol y) (private-key (dsa (p #00#)))))"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParseKey(text)
		if err != nil {
			require.ErrorIs(t, err, ErrKeyFormat)
			return
		}
		again, err := k.Export()
		require.NoError(t, err)
		same, err := ParseKey(again)
		require.NoError(t, err)
		require.Equal(t, k.Fingerprint(), same.Fingerprint())
	})
}
