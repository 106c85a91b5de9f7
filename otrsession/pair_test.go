package otrsession

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Three people; making their keys takes a while, so it is done once.
var (
	aliceKey   = sync.OnceValue(mustKey)
	bobKey     = sync.OnceValue(mustKey)
	malloryKey = sync.OnceValue(mustKey)
)

func mustKey() *Key {
	k, err := GenerateKey()
	if err != nil {
		panic(err)
	}
	return k
}

func newSession(t testing.TB, o Options) *Session {
	t.Helper()
	s, err := New(&o)
	require.NoError(t, err)
	return s
}

// side is a session with all that ever came out of its steps.
type side struct {
	*Session
	name   string
	sent   [][]byte
	texts  []string
	events []Event
}

func (s *side) types() []EventType {
	var types []EventType
	for _, e := range s.events {
		types = append(types, e.Type)
	}
	return types
}

func (s *side) last() Event {
	if len(s.events) == 0 {
		return Event{}
	}
	return s.events[len(s.events)-1]
}

// pair is two sessions with an ordered transport between them.
type pair struct {
	t          testing.TB
	alice, bob *side
	forgeries  uint64
}

func newPair(t testing.TB, alice, bob Options) *pair {
	if alice.Key == nil {
		alice.Key = aliceKey()
	}
	if bob.Key == nil {
		bob.Key = bobKey()
	}
	return &pair{
		t:     t,
		alice: &side{Session: newSession(t, alice), name: "alice"},
		bob:   &side{Session: newSession(t, bob), name: "bob"},
	}
}

// encryptedPair is a pair after its AKE.
func encryptedPair(t testing.TB, alice, bob Options) *pair {
	p := newPair(t, alice, bob)
	p.run(p.alice, must(p.alice.Start()))
	require.Equal(t, Encrypted, p.alice.State())
	require.Equal(t, Encrypted, p.bob.State())
	p.forget()
	return p
}

func (p *pair) forget() {
	for _, s := range []*side{p.alice, p.bob} {
		s.sent, s.texts, s.events = nil, nil, nil
	}
}

func (p *pair) other(s *side) *side {
	if s == p.alice {
		return p.bob
	}
	return p.alice
}

// take notes what came out of a step, and returns what is to be sent.
func (s *side) take(step Step) [][]byte {
	s.events = append(s.events, step.Events...)
	if step.HasMessage {
		s.texts = append(s.texts, string(step.Plaintext))
	}
	s.sent = append(s.sent, step.Send...)
	return step.Send
}

// run carries a step's messages to the other side, and the answers back, until
// nobody has anything to say.
func (p *pair) run(from *side, step Step) {
	p.t.Helper()
	p.deliver(from, from.take(step))
}

func (p *pair) deliver(from *side, messages [][]byte) {
	p.t.Helper()
	to := p.other(from)
	var answers [][]byte
	for _, m := range messages {
		step, err := to.Decrypt(m)
		require.NoError(p.t, err)
		answers = append(answers, to.take(step)...)
	}
	if len(answers) > 0 {
		p.deliver(to, answers)
	}
}

// say sends one text and checks that it arrives, encrypted.
func (p *pair) say(from *side, text string) {
	p.t.Helper()
	step, err := from.Encrypt([]byte(text))
	require.NoError(p.t, err)
	require.NotEmpty(p.t, step.Send)
	to := p.other(from)
	var got Step
	for _, m := range from.take(step) {
		got, err = to.Decrypt(m)
		require.NoError(p.t, err)
		p.deliver(to, got.Send)
	}
	require.True(p.t, got.HasMessage)
	require.True(p.t, got.Encrypted)
	require.Equal(p.t, text, string(got.Plaintext))
}

func must(step Step, err error) Step {
	if err != nil {
		panic(err)
	}
	return step
}

// hearing is what a session makes of one message.
func hearing(t testing.TB, s *Session, message []byte) Step {
	t.Helper()
	step, err := s.Decrypt(message)
	require.NoError(t, err)
	return step
}

// forged is a data message of s's, made by hand: authentic, with anything in it.
type forged struct {
	counter  uint64
	flags    byte
	plain    []byte
	revealed []byte
}

// forge makes a data message with the keys of s, past otr3.
func (s *Session) forge(f forged) []byte {
	k := keysOf(s.live.otr)
	ours, theirs := k.oursBefore, k.theirs
	direction := byte(1)
	if ours.public.Cmp(theirs) < 0 {
		direction = 2
	}
	keys := deriveKeys(ours, theirs, direction)
	d := dataMessage{encrypted: f.plain}
	binary.BigEndian.PutUint64(d.counter[:], f.counter)
	b := []byte{0, byte(s.live.version), typeData}
	if s.live.version == 3 {
		b = binary.BigEndian.AppendUint32(b, s.tag)
		b = binary.BigEndian.AppendUint32(b, s.live.remoteTag())
	}
	b = append(b, f.flags)
	b = binary.BigEndian.AppendUint32(b, k.ourID-1)
	b = binary.BigEndian.AppendUint32(b, k.theirID)
	b = appendData(b, k.ours.public.Bytes())
	b = append(b, d.counter[:]...)
	b = appendData(b, decrypt(keys.aes, d))
	mac := hmac.New(sha1.New, keys.mac)
	mac.Write(b)
	b = appendData(append(b, mac.Sum(nil)...), f.revealed)
	return encoded{raw: b}.message()
}

func appendData(b, data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...)
}

// tlv is one TLV record.
func tlv(kind uint16, value []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(value))), value...)
}
