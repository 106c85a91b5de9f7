package otrsession

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSMP(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	p2 := newPair(t, Options{AllowV2: true}, Options{AllowV2: true})
	p2.deliver(p2.bob, [][]byte{[]byte("?OTRv2?")})
	fragmented := encryptedPair(t, Options{FragmentSize: 300}, Options{FragmentSize: 300})
	for _, c := range []struct {
		name             string
		pair             *pair
		question         string
		asked, answered  string
		starter, replier EventType
	}{
		{"same", p, "", "secret", "secret", EventSMPSucceeded, EventSMPSucceeded},
		{"same again", p, "", "secret", "secret", EventSMPSucceeded, EventSMPSucceeded},
		{"same with question", p, "Wo war’s?", "Köln", "Köln", EventSMPSucceeded, EventSMPSucceeded},
		{"different", p, "", "secret", "Secret", EventSMPFailed, EventSMPFailed},
		{"different with question", p, "Where?", "here", "there", EventSMPFailed, EventSMPFailed},
		{"same after a failure", p, "", "secret", "secret", EventSMPSucceeded, EventSMPSucceeded},
		{"version 2", p2, "Where?", "here", "here", EventSMPSucceeded, EventSMPSucceeded},
		{"version 2, different", p2, "", "here", "there", EventSMPFailed, EventSMPFailed},
		{"fragments", fragmented, "", "here", "here", EventSMPSucceeded, EventSMPSucceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.pair
			for _, starter := range []*side{p.alice, p.bob} {
				p.forget()
				replier := p.other(starter)
				p.run(starter, must(starter.StartSMP(c.question, []byte(c.asked))))
				starters, repliers := replier.opts.Key.Fingerprint(), starter.opts.Key.Fingerprint()
				require.Equal(t, []Event{{
					Type: EventSMPAsked, Fingerprint: repliers, Question: c.question, HasQuestion: c.question != "",
				}}, replier.events)
				require.Empty(t, starter.events)
				p.run(replier, must(replier.AnswerSMP([]byte(c.answered))))
				assert.Equal(t, []Event{{Type: EventSMPProgress, Fingerprint: starters}, {Type: c.starter, Fingerprint: starters}}, starter.events)
				assert.Equal(t, Event{Type: c.replier, Fingerprint: repliers}, replier.last())
				assert.Empty(t, append(starter.texts, replier.texts...))
			}
		})
	}
}

func TestSMPOutOfOrder(t *testing.T) {
	p := newPair(t, Options{}, Options{})
	secret := []byte("secret")
	for name, call := range map[string]func() (Step, error){
		"StartSMP":  func() (Step, error) { return p.alice.StartSMP("", secret) },
		"AnswerSMP": func() (Step, error) { return p.alice.AnswerSMP(secret) },
		"AbortSMP":  p.alice.AbortSMP,
	} {
		_, err := call()
		assert.ErrorIs(t, err, ErrNotEncrypted, name)
	}

	p.run(p.alice, must(p.alice.Start()))
	_, err := p.alice.AnswerSMP(secret)
	assert.ErrorIs(t, err, ErrNoSMP)
	_, err = p.alice.AbortSMP()
	assert.ErrorIs(t, err, ErrNoSMP)
	for _, c := range []struct {
		question, secret string
		want             error
	}{
		{"", "", ErrEmptySecret},
		{"a\x00b", "secret", ErrNUL},
		{"\xff", "secret", ErrNotUTF8},
		{strings.Repeat("?", maxQuestion+1), "secret", ErrTooLarge},
	} {
		_, err = p.alice.StartSMP(c.question, []byte(c.secret))
		assert.ErrorIs(t, err, c.want)
	}

	p.forget()
	p.run(p.alice, must(p.alice.StartSMP(strings.Repeat("?", maxQuestion), secret)))
	assert.Len(t, p.bob.last().Question, maxQuestion)
	_, err = p.alice.StartSMP("", secret)
	assert.ErrorIs(t, err, ErrSMPInProgress)
	_, err = p.alice.AnswerSMP(secret)
	assert.ErrorIs(t, err, ErrNoSMP)
	_, err = p.bob.StartSMP("", secret)
	assert.ErrorIs(t, err, ErrSMPInProgress)
	_, err = p.bob.AnswerSMP(nil)
	assert.ErrorIs(t, err, ErrEmptySecret)

	p.forget()
	p.run(p.bob, must(p.bob.AbortSMP()))
	assert.Equal(t, []EventType{EventSMPAborted}, p.alice.types())
	assert.Equal(t, []EventType{EventSMPAborted}, p.bob.types())
	p.run(p.alice, must(p.alice.StartSMP("", secret)))
	p.run(p.alice, must(p.alice.AbortSMP()))
	assert.Equal(t, EventSMPAborted, p.bob.last().Type)

	p.run(p.bob, must(p.bob.StartSMP("", secret)))
	p.run(p.alice, must(p.alice.AnswerSMP(secret)))
	assert.Equal(t, EventSMPSucceeded, p.alice.last().Type)
	assert.Equal(t, EventSMPSucceeded, p.bob.last().Type)
}

func TestSMPBothStart(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	fromAlice := p.alice.take(must(p.alice.StartSMP("", []byte("x"))))
	fromBob := p.bob.take(must(p.bob.StartSMP("", []byte("x"))))
	a := p.alice.take(hearing(t, p.alice.Session, fromBob[0]))
	b := p.bob.take(hearing(t, p.bob.Session, fromAlice[0]))
	p.deliver(p.alice, a)
	p.deliver(p.bob, b)
	assert.Equal(t, []EventType{EventSMPAborted}, p.alice.types())
	assert.Equal(t, []EventType{EventSMPAborted}, p.bob.types())
}

func TestSMPEndsWithTheConversation(t *testing.T) {
	start := func(t *testing.T) *pair {
		p := encryptedPair(t, Options{}, Options{})
		p.run(p.alice, must(p.alice.StartSMP("", []byte("x"))))
		p.forget()
		return p
	}
	t.Run("the peer ends", func(t *testing.T) {
		p := start(t)
		p.run(p.bob, must(p.bob.End()))
		assert.Equal(t, []EventType{EventSMPAborted, EventFinished}, p.alice.types())
		assert.Equal(t, []EventType{EventSMPAborted}, p.bob.types())
	})
	t.Run("the keys are renewed", func(t *testing.T) {
		p := start(t)
		p.bob.since = p.bob.since.Add(-requery)
		p.run(p.alice, must(p.alice.Start()))
		assert.Equal(t, []EventType{EventSMPAborted, EventEncrypted}, p.alice.types())
		assert.Equal(t, []EventType{EventSMPAborted, EventEncrypted}, p.bob.types())
		_, err := p.bob.AnswerSMP([]byte("x"))
		assert.ErrorIs(t, err, ErrNoSMP)
		p.run(p.bob, must(p.bob.StartSMP("", []byte("y"))))
		p.run(p.alice, must(p.alice.AnswerSMP([]byte("y"))))
		assert.Equal(t, EventSMPSucceeded, p.alice.last().Type)
	})
}
