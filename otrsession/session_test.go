package otrsession

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNewRefusesBadOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		o    *Options
		want string
	}{
		{"nil", nil, "Options.Key"},
		{"no key", &Options{}, "Options.Key"},
		{"zero key", &Options{Key: new(Key)}, "Options.Key"},
		{"fragment size", &Options{Key: aliceKey(), FragmentSize: MinFragmentSize - 1}, "Options.FragmentSize"},
		{"negative fragment size", &Options{Key: aliceKey(), FragmentSize: -1}, "Options.FragmentSize"},
		{"message size", &Options{Key: aliceKey(), MaxMessage: -1}, "Options.MaxMessage"},
		{"timeout", &Options{Key: aliceKey(), FragmentTimeout: -1}, "Options.FragmentTimeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := New(c.o)
			assert.Nil(t, s)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		name       string
		alice, bob Options
	}{
		{"whole", Options{}, Options{}},
		{"fragments", Options{FragmentSize: 1000}, Options{FragmentSize: MinFragmentSize}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := encryptedPair(t, c.alice, c.bob)
			for _, text := range []string{
				"hello",
				"Grüße, 你好, 🙂",
				" leading and trailing ",
				"two\r\nlines\n",
				"?OTR is how messages of OTR begin",
				"?OTR:AAMD.", "?OTR!", "?OTRv3?",
				"ends with a tag" + tagBase + tagV3,
				strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("x", 257),
				strings.Repeat("64 KiB. ", 8192),
			} {
				p.say(p.alice, text)
				p.say(p.bob, text)
			}
			for range 3 {
				p.say(p.alice, "one way")
			}
			assert.Empty(t, p.alice.types())
			assert.Empty(t, p.bob.types())
			for _, m := range append(p.alice.sent, p.bob.sent...) {
				assert.NotContains(t, string(m), "hello")
			}
		})
	}
}

// otr3 answers the first message after a minute's silence with an empty one.
func TestHeartbeat(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	step := hearing(t, p.bob.Session, must(p.alice.Encrypt([]byte("anybody there?"))).Send[0])
	require.Len(t, step.Send, 1)
	assert.Zero(t, hearing(t, p.alice.Session, step.Send[0]))
	step = hearing(t, p.bob.Session, must(p.alice.Encrypt(nil)).Send[0])
	assert.Zero(t, step, "an empty text is a heartbeat")
}

func TestEncryptRefuses(t *testing.T) {
	const secret = "correct horse battery staple"
	p := newPair(t, Options{MaxMessage: 4096}, Options{MaxMessage: 4096})
	_, err := p.alice.Encrypt([]byte(secret))
	assert.ErrorIs(t, err, ErrNotEncrypted)

	p.run(p.alice, must(p.alice.Start()))
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"NUL", secret + "\x00", ErrNUL},
		{"only NUL", "\x00", ErrNUL},
		{"Latin-1", secret + "\xe9", ErrNotUTF8},
		{"too large", strings.Repeat(secret, 200), ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			step, err := p.alice.Encrypt([]byte(c.text))
			require.ErrorIs(t, err, c.want)
			assert.Empty(t, step.Send)
			assert.NotContains(t, err.Error(), "horse")
		})
	}
	p.say(p.alice, secret)
}

func TestDecryptRefusesTooLarge(t *testing.T) {
	s := newSession(t, Options{Key: aliceKey(), MaxMessage: 1000})
	_, err := s.Decrypt(make([]byte, 1001))
	assert.ErrorIs(t, err, ErrTooLarge)
	assert.True(t, hearing(t, s, make([]byte, 1000)).HasMessage)
}

func TestPeerEnds(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	p.run(p.bob, must(p.bob.End()))
	assert.Equal(t, Plaintext, p.bob.State())
	assert.Equal(t, Finished, p.alice.State())
	assert.Equal(t, []Event{{Type: EventFinished, Fingerprint: bobKey().Fingerprint()}}, p.alice.events)
	assert.Empty(t, p.bob.events)
	got, ok := p.alice.RemoteFingerprint()
	assert.True(t, ok)
	assert.Equal(t, bobKey().Fingerprint(), got)

	refuses := func(want error) {
		t.Helper()
		step, err := p.alice.Encrypt([]byte("must not leave"))
		assert.ErrorIs(t, err, want)
		assert.Empty(t, step.Send)
		_, err = p.alice.StartSMP("", []byte("x"))
		assert.ErrorIs(t, err, want)
	}
	refuses(ErrFinished)
	query := must(p.alice.Start())
	assert.Equal(t, Finished, p.alice.State(), "a query alone changes nothing")
	refuses(ErrFinished)

	step := hearing(t, p.alice.Session, []byte("in clear"))
	assert.Equal(t, "in clear", string(step.Plaintext))
	assert.False(t, step.Encrypted)
	assert.Equal(t, []Event{{Type: EventUnencrypted}}, step.Events)

	p.run(p.alice, query)
	assert.Equal(t, Encrypted, p.alice.State())
	assert.False(t, p.alice.last().Again)
	p.say(p.alice, "again off the record")

	p.run(p.bob, must(p.bob.End()))
	require.Equal(t, Finished, p.alice.State())
	step = must(p.alice.End())
	assert.Empty(t, step.Send)
	assert.Equal(t, Plaintext, p.alice.State())
	refuses(ErrNotEncrypted)
	_, ok = p.alice.RemoteFingerprint()
	assert.False(t, ok)
	_, ok = p.alice.SSID()
	assert.False(t, ok)
}

func TestUnencryptedWhileEncrypted(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	step := hearing(t, p.alice.Session, []byte("trust me"))
	assert.Equal(t, Step{
		HasMessage: true, Plaintext: []byte("trust me"), Events: []Event{{Type: EventUnencrypted}},
	}, step)
	p.say(p.bob, "still here")
}

func TestTaggedText(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		allowV2, offered bool
	}{
		{"version 3", "hello" + tagBase + tagV3, "hello", false, true},
		{"in the middle", "hel" + tagBase + tagV3 + "lo", "hello", false, true},
		{"2 and 3", "hello" + tagBase + tagV2 + tagV3, "hello", false, true},
		{"version 2", "hello" + tagBase + tagV2, "hello", false, false},
		{"version 2 allowed", "hello" + tagBase + tagV2, "hello", true, true},
		{"no version", tagBase + " hello", " hello", false, false},
		{"only the tag", tagBase + tagV3, "", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t, Options{Key: aliceKey(), AllowV2: c.allowV2})
			step := hearing(t, s, []byte(c.text))
			assert.True(t, step.HasMessage)
			assert.Equal(t, c.want, string(step.Plaintext))
			assert.Empty(t, step.Send, "the caller decides")
			if c.offered {
				assert.Equal(t, []Event{{Type: EventOffered}}, step.Events)
			} else {
				assert.Empty(t, step.Events)
			}
			assert.Equal(t, c.want, string(StripTag([]byte(c.text))))
		})
	}
}

func TestPeerError(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	for in, want := range map[string]string{
		"?OTR Error: You broke it.":               "You broke it.",
		"?OTR Error:":                             "",
		"?OTR Error: a\r\nlog line\x00\x1b[2J":    "a  log line  [2J",
		"?OTR Error: \xff\u202e":                  "\uFFFD ",
		"?OTR Error: " + strings.Repeat("ä", 999): strings.Repeat("ä", 512),
	} {
		step := hearing(t, p.alice.Session, []byte(in))
		require.Len(t, step.Events, 1)
		assert.Equal(t, EventPeerError, step.Events[0].Type)
		assert.Equal(t, want, step.Events[0].Text)
		assert.Empty(t, step.Send)
		assert.False(t, step.HasMessage)
	}
	p.say(p.alice, "nothing happened")
}

func TestBroken(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	p.alice.live.otr = nil // makes the next use of otr3 panic
	_, err := p.alice.Encrypt([]byte("secret text"))
	require.ErrorIs(t, err, ErrBroken)
	assert.NotContains(t, err.Error(), "secret text")
	assert.Equal(t, Finished, p.alice.State())
	for name, call := range map[string]func() (Step, error){
		"Start":     p.alice.Start,
		"End":       p.alice.End,
		"Encrypt":   func() (Step, error) { return p.alice.Encrypt([]byte("x")) },
		"Decrypt":   func() (Step, error) { return p.alice.Decrypt([]byte("x")) },
		"StartSMP":  func() (Step, error) { return p.alice.StartSMP("", []byte("x")) },
		"AnswerSMP": func() (Step, error) { return p.alice.AnswerSMP([]byte("x")) },
		"AbortSMP":  p.alice.AbortSMP,
	} {
		step, err := call()
		assert.ErrorIs(t, err, ErrBroken, name)
		assert.Zero(t, step, name)
	}
}

func TestProtect(t *testing.T) {
	assert.NoError(t, protect(func() error { return nil }))
	own := errors.New("own")
	assert.Equal(t, own, protect(func() error { return own }))
	err := protect(func() error { panic("the secret") })
	assert.Equal(t, ErrBroken, err)
	var none []byte
	err = protect(func() error { none[3] = 1; return nil })
	assert.ErrorIs(t, err, ErrBroken)
	assert.ErrorContains(t, err, "index out of range")
}

func TestConcurrentUse(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	const each = 5
	messages := make(chan []byte, 4*each)
	var senders, readers sync.WaitGroup
	var order sync.Mutex // Encrypt and the hand-over are one step
	for i := range 4 {
		senders.Go(func() {
			for j := range each {
				order.Lock()
				step, err := p.alice.Encrypt(fmt.Appendf(nil, "%d.%d", i, j))
				assert.NoError(t, err)
				messages <- step.Send[0]
				order.Unlock()
				p.alice.State()
				p.alice.SSID()
				p.alice.RemoteFingerprint()
				p.alice.Version()
			}
		})
	}
	got := map[string]bool{}
	readers.Go(func() {
		for m := range messages {
			step, err := p.bob.Decrypt(m)
			assert.NoError(t, err)
			got[string(step.Plaintext)] = true
		}
	})
	senders.Wait()
	close(messages)
	readers.Wait()
	assert.Len(t, got, 4*each)
}

func TestStateString(t *testing.T) {
	assert.Equal(t, "Plaintext Encrypted Finished State(7)", fmt.Sprint(Plaintext, " ", Encrypted, " ", Finished, " ", State(7)))
	assert.Equal(t, "SMP asked", EventSMPAsked.String())
	assert.Equal(t, "EventType(99)", EventType(99).String())
	for e := EventEncrypted; e <= EventSMPAborted; e++ {
		assert.NotEmpty(t, e.String())
		assert.NotContains(t, e.String(), "EventType")
	}
}
