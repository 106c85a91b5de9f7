package otrsession

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAKE(t *testing.T) {
	for _, c := range []struct {
		name       string
		alice, bob Options
		query      string
		version    int
	}{
		{"version 3", Options{}, Options{}, "?OTRv3?", 3},
		{"version 3 before 2", Options{AllowV2: true}, Options{AllowV2: true}, "?OTRv23?", 3},
		{"only one allows 2", Options{AllowV2: true}, Options{}, "?OTRv23?", 3},
		{"fragments", Options{FragmentSize: MinFragmentSize}, Options{FragmentSize: 200}, "?OTRv3?", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, c.alice, c.bob)
			_, ok := p.alice.RemoteFingerprint()
			assert.False(t, ok)
			assert.Zero(t, p.alice.Version())
			step := must(p.alice.Start())
			require.Len(t, step.Send, 1)
			assert.Equal(t, c.query, string(step.Send[0]))
			p.run(p.alice, step)
			p.checkEncrypted(t, c.version)
			for _, m := range append(p.alice.sent, p.bob.sent...) {
				if c.alice.FragmentSize > 0 {
					assert.LessOrEqual(t, len(m), 200)
				}
			}
		})
	}
}

// checkEncrypted checks that both sides know each other, after one AKE.
func (p *pair) checkEncrypted(t *testing.T, version int) {
	t.Helper()
	ssid, ok := p.alice.SSID()
	require.True(t, ok)
	for _, s := range []*side{p.alice, p.bob} {
		peer := p.other(s).opts.Key.Fingerprint()
		assert.Equal(t, Encrypted, s.State())
		assert.Equal(t, version, s.Version())
		got, ok := s.RemoteFingerprint()
		assert.True(t, ok)
		assert.Equal(t, peer, got)
		require.Equal(t, []EventType{EventEncrypted}, s.types(), s.name)
		e := s.last()
		assert.Equal(t, Event{Type: EventEncrypted, Fingerprint: peer, SSID: ssid, Version: version}, e)
	}
}

func TestAKEVersion2(t *testing.T) {
	p := newPair(t, Options{AllowV2: true}, Options{AllowV2: true})
	p.deliver(p.bob, [][]byte{[]byte("?OTR?v2?")})
	p.checkEncrypted(t, 2)
	p.say(p.alice, "two")
	p.say(p.bob, "zwei")
}

func TestVersion2IsRefusedByDefault(t *testing.T) {
	s := newSession(t, Options{Key: aliceKey()})
	for _, query := range []string{"?OTRv2?", "?OTR?v2?", "?OTR?", "?OTRv?", "?OTRv4?", "?OTRv"} {
		step := hearing(t, s, []byte(query))
		assert.Empty(t, step.Send, query)
		assert.False(t, step.HasMessage, query)
		assert.Equal(t, []Event{{Type: EventAKEFailed, Err: ErrNoCommonVersion}}, step.Events, query)
	}
	v2 := newPair(t, Options{AllowV2: true}, Options{AllowV2: true})
	commit := hearing(t, v2.alice.Session, []byte("?OTRv2?")).Send[0]
	step := hearing(t, s, commit)
	assert.Empty(t, step.Send)
	assert.Equal(t, []Event{{Type: EventUnreadable, Err: ErrNoCommonVersion}}, step.Events)
}

// A conversation of version 3 does not turn into one of version 2.
func TestNoDowngradeWhileEncrypted(t *testing.T) {
	p := encryptedPair(t, Options{AllowV2: true}, Options{AllowV2: true})
	p.alice.since = p.alice.since.Add(-requery)
	old := newPair(t, Options{AllowV2: true}, Options{AllowV2: true})
	commit := hearing(t, old.bob.Session, []byte("?OTRv2?")).Send[0]
	for _, m := range [][]byte{commit, []byte("?OTRv2?")} {
		step := hearing(t, p.alice.Session, m)
		assert.Equal(t, Step{Events: []Event{{Type: EventAKEFailed, Err: ErrNoCommonVersion}}}, step)
	}
	p.say(p.alice, "still version 3")
}

// Blink sends its query as soon as a chat starts, and so do we: the two D-H
// Commit messages cross, with either of them the winner.
func TestAKECollision(t *testing.T) {
	won := map[string]int{}
	for i := 0; (won["alice"] == 0 || won["bob"] == 0) && i < 40; i++ {
		p := newPair(t, Options{}, Options{})
		fromAlice := p.alice.take(must(p.alice.Start()))
		fromBob := p.bob.take(must(p.bob.Start()))
		for len(fromAlice)+len(fromBob) > 0 {
			var nextAlice, nextBob [][]byte
			for _, m := range fromBob {
				nextAlice = append(nextAlice, p.alice.take(hearing(t, p.alice.Session, m))...)
			}
			for _, m := range fromAlice {
				nextBob = append(nextBob, p.bob.take(hearing(t, p.bob.Session, m))...)
			}
			fromAlice, fromBob = nextAlice, nextBob
		}
		p.checkEncrypted(t, 3)
		p.say(p.alice, "after a collision")
		p.say(p.bob, "indeed")
		for _, s := range []*side{p.alice, p.bob} {
			if last, err := parseEncoded(s.sent[1]); assert.NoError(t, err) && assert.EqualValues(t, typeDHCommit, last.kind) {
				if again, err := parseEncoded(s.sent[2]); assert.NoError(t, err) && again.kind == typeDHCommit {
					won[s.name]++
				}
			}
		}
	}
	assert.Positive(t, won["alice"])
	assert.Positive(t, won["bob"])
}

func TestEndGivesUpTheExchange(t *testing.T) {
	p := newPair(t, Options{}, Options{})
	commit := hearing(t, p.alice.Session, must(p.bob.Start()).Send[0]).Send
	dhKey := hearing(t, p.bob.Session, commit[0]).Send
	assert.Empty(t, must(p.alice.End()).Send)
	step := hearing(t, p.alice.Session, dhKey[0])
	assert.Empty(t, step.Send)
	assert.Empty(t, step.Events)
	assert.Equal(t, Plaintext, p.alice.State())
}

// A peer can renew the keys at any time (otr4j does), and so can we.
func TestNewAKEWhileEncrypted(t *testing.T) {
	now := time.Now()
	p := encryptedPair(t, Options{}, Options{Now: func() time.Time { return now }})
	p.run(p.alice, must(p.alice.Start()))
	assert.Empty(t, p.bob.sent, "a query right after an AKE is not answered")

	before, _ := p.alice.SSID()
	now = now.Add(requery)
	p.run(p.alice, must(p.alice.Start()))
	for _, s := range []*side{p.alice, p.bob} {
		require.Equal(t, []EventType{EventEncrypted}, s.types())
		assert.True(t, s.last().Again)
		assert.NotEqual(t, before, s.last().SSID)
	}
	p.say(p.alice, "fresh")
	p.say(p.bob, "frisch")
}

// Somebody between the two takes bob's place, and tries to get at what was said.
func TestNewAKEWithAnotherKey(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	for range 3 {
		p.say(p.alice, "for bob alone")
	}
	require.Empty(t, hearing(t, p.alice.Session, []byte("?OTR Error: please repeat")).Send)
	p.alice.since = p.alice.since.Add(-requery)
	p.bob = &side{Session: newSession(t, Options{Key: malloryKey()}), name: "mallory"}
	p.bob.tag = p.alice.live.remoteTag()
	p.forget()

	p.run(p.bob, must(p.bob.Start()))
	assert.Equal(t, []EventType{EventEncrypted}, p.alice.types())
	e := p.alice.last()
	assert.True(t, e.Again)
	assert.Equal(t, malloryKey().Fingerprint(), e.Fingerprint, "the change is told before any text")
	assert.Empty(t, p.bob.texts, "nothing that was said before is said again")
	p.say(p.bob, "I am not bob")
	got, _ := p.alice.RemoteFingerprint()
	assert.Equal(t, malloryKey().Fingerprint(), got)
}

// A stranger's half of a key exchange, with bob's tag, changes nothing.
func TestFailedAKELeavesTheConversationAlone(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	ssid, _ := p.alice.SSID()
	mallory := newSession(t, Options{Key: malloryKey()})
	mallory.tag = p.alice.live.remoteTag()

	commit := hearing(t, mallory, []byte("?OTRv3?")).Send[0]
	dhKey := hearing(t, p.alice.Session, commit).Send[0]
	reveal := hearing(t, mallory, dhKey).Send[0]
	m, err := parseEncoded(reveal)
	require.NoError(t, err)
	m.raw[len(m.raw)-30] ^= 1
	step := hearing(t, p.alice.Session, m.message())
	require.Len(t, step.Events, 1)
	assert.Equal(t, EventAKEFailed, step.Events[0].Type)
	assert.Error(t, step.Events[0].Err)
	assert.Empty(t, step.Send)

	assert.Equal(t, Encrypted, p.alice.State())
	now, _ := p.alice.SSID()
	assert.Equal(t, ssid, now)
	remote, _ := p.alice.RemoteFingerprint()
	assert.Equal(t, bobKey().Fingerprint(), remote)
	p.say(p.alice, "undisturbed")
	p.run(p.alice, must(p.alice.StartSMP("", []byte("secret"))))
	p.run(p.bob, must(p.bob.AnswerSMP([]byte("secret"))))
	assert.Equal(t, EventSMPSucceeded, p.alice.last().Type)
}

func TestOtherInstances(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	other := newSession(t, Options{Key: bobKey()})
	ignored := func(name string, message []byte) {
		t.Helper()
		step := hearing(t, p.alice.Session, message)
		assert.Equal(t, Step{Events: []Event{{Type: EventOtherInstance}}}, step, name)
	}
	ignored("another sender's commit", hearing(t, other, []byte("?OTRv3?")).Send[0])

	text := must(p.bob.Encrypt([]byte("for another"))).Send[0]
	m, err := parseEncoded(text)
	require.NoError(t, err)
	m.raw[10] ^= 1 // the receiver's tag
	ignored("another receiver", m.message())
	m.raw[10] ^= 1
	m.raw[6] ^= 1 // the sender's tag
	ignored("another sender", m.message())
	ignored("our own message", must(p.alice.Encrypt([]byte("mirror"))).Send[0])
	ignored("a fragment for another", []byte("?OTR|00000100|00000101,00001,00002,abc,"))
	p.say(p.bob, "for you")
}

// Before anything is encrypted, the instance that begins an exchange counts.
func TestPeerComesBackAsAnotherInstance(t *testing.T) {
	p := newPair(t, Options{}, Options{})
	gone := newSession(t, Options{Key: bobKey()})
	hearing(t, p.alice.Session, hearing(t, gone, []byte("?OTRv3?")).Send[0])
	p.deliver(p.alice, [][]byte{[]byte("?OTRv3?")})
	p.checkEncrypted(t, 3)
}
