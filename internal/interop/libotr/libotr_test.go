package libotr

import (
	"bytes"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/internal/quiet"
	"github.com/otrchat/otrchat/otrsession"
)

func TestMain(m *testing.M) { leakcheck.Main(m, quiet.Stdout) }

// talk is a conversation between us and libotr, and what came of it.
type talk struct {
	t      *testing.T
	us     *otrsession.Session
	them   *Peer
	key    *otrsession.Key
	steps  []otrsession.Step
	events []Event
	wire   [][]byte // what libotr sent
}

func newTalk(t *testing.T, o otrsession.Options, args ...string) *talk {
	t.Helper()
	them := Start(t, args...)
	if o.Key == nil {
		key, err := otrsession.GenerateKey()
		require.NoError(t, err)
		o.Key = key
	}
	us, err := otrsession.New(&o)
	require.NoError(t, err)
	return &talk{t: t, us: us, them: them, key: o.Key}
}

// weDo carries a step of ours to libotr, and everything that follows.
func (k *talk) weDo(step otrsession.Step, err error) {
	k.t.Helper()
	require.NoError(k.t, err)
	k.steps = append(k.steps, step)
	for _, m := range step.Send {
		k.theyDo(k.them.Receive(m))
	}
}

// theyDo carries what libotr did to us, and everything that follows.
func (k *talk) theyDo(events []Event) {
	k.t.Helper()
	k.events = append(k.events, events...)
	for _, e := range events {
		if e.Event == "inject" {
			k.wire = append(k.wire, e.Message)
			k.weDo(k.us.Decrypt(e.Message))
		}
	}
}

func (k *talk) forget() { k.steps, k.events, k.wire = nil, nil, nil }

// ourEvents are the events of our steps, by type.
func (k *talk) ourEvents() []otrsession.EventType {
	var types []otrsession.EventType
	for _, step := range k.steps {
		for _, e := range step.Events {
			types = append(types, e.Type)
		}
	}
	return types
}

// ourTexts are the texts that we got.
func (k *talk) ourTexts() (texts []string, encrypted bool) {
	encrypted = true
	for _, step := range k.steps {
		if step.HasMessage {
			texts, encrypted = append(texts, string(step.Plaintext)), encrypted && step.Encrypted
		}
	}
	return texts, encrypted
}

// theirs are libotr's events of one kind.
func (k *talk) theirs(kind string) []Event {
	var of []Event
	for _, e := range k.events {
		if e.Event == kind {
			of = append(of, e)
		}
	}
	return of
}

func (k *talk) theirResults() []string {
	var results []string
	for _, e := range k.theirs("smp") {
		results = append(results, e.Result)
	}
	return results
}

// checkEncrypted checks, after an AKE, that both sides agree on everything.
func (k *talk) checkEncrypted(version int) {
	k.t.Helper()
	t := k.t
	require.Equal(t, []otrsession.EventType{otrsession.EventEncrypted}, k.ourEvents())
	states := k.theirs("state")
	require.Len(t, states, 1)
	remote, ok := k.us.RemoteFingerprint()
	require.True(t, ok)
	ssid, ok := k.us.SSID()
	require.True(t, ok)
	ours := k.key.Fingerprint()
	assert.Equal(t, k.them.Fingerprint, hex.EncodeToString(remote[:]))
	assert.Equal(t, version, k.us.Version())
	assert.Equal(t, Event{
		Event: "state", State: "Encrypted", Fingerprint: hex.EncodeToString(ours[:]),
		SSID: hex.EncodeToString(ssid[:]), Version: version,
	}, states[0])
	k.forget()
}

// checkTexts sends texts both ways.
func (k *talk) checkTexts(texts ...string) {
	k.t.Helper()
	for _, text := range texts {
		k.forget()
		k.weDo(k.us.Encrypt([]byte(text)))
		require.Equal(k.t, []Event{{Event: "text", Text: []byte(text), Encrypted: true}}, k.theirs("text"))
		k.forget()
		k.theyDo(k.them.Send(text))
		got, encrypted := k.ourTexts()
		require.Equal(k.t, []string{text}, got)
		require.True(k.t, encrypted)
		for _, m := range k.wire {
			require.True(k.t, otrsession.Classify(m).IsProtocol())
		}
	}
	assert.Empty(k.t, k.theirs("notice"))
	k.forget()
}

func TestConversation(t *testing.T) {
	for _, c := range []struct {
		name    string
		options otrsession.Options
		args    []string
		version int
	}{
		{"version 3", otrsession.Options{}, []string{"--versions", "3"}, 3},
		{"both versions", otrsession.Options{AllowV2: true}, []string{"--versions", "23"}, 3},
		{"version 2", otrsession.Options{AllowV2: true}, []string{"--versions", "2"}, 2},
		{"fragments", otrsession.Options{FragmentSize: 400}, []string{"--fragment", "300"}, 3},
		{"fragments of version 2", otrsession.Options{FragmentSize: 400, AllowV2: true}, []string{"--fragment", "300", "--versions", "2"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newTalk(t, c.options, c.args...)
			k.weDo(k.us.Start())
			k.checkEncrypted(c.version)
			k.checkTexts("hello", "Grüße, 你好, 🙂", "two\nlines", "?OTR:", strings.Repeat("64 KiB, ", 8192))
			k.checkSMP()
			k.weEnd()
			k.theyDo(k.them.Query())
			k.checkEncrypted(c.version)
			k.checkTexts("hello again")
			k.theyEnd()
		})
	}
}

func (k *talk) weEnd() {
	k.t.Helper()
	k.weDo(k.us.End())
	assert.Equal(k.t, []Event{{Event: "state", State: "Finished"}}, k.theirs("state"))
	assert.Equal(k.t, otrsession.Plaintext, k.us.State())
	k.forget()
	events := k.them.Send("must not leave")
	assert.Equal(k.t, []Event{{Event: "notice", Name: "CONNECTION_ENDED"}}, events[:1])
	k.theyDo(k.them.End())
	k.forget()
}

func (k *talk) theyEnd() {
	k.t.Helper()
	k.theyDo(k.them.End())
	assert.Equal(k.t, []Event{{Event: "state", State: "Plaintext"}}, k.theirs("state"))
	assert.Equal(k.t, []otrsession.EventType{otrsession.EventFinished}, k.ourEvents())
	assert.Equal(k.t, otrsession.Finished, k.us.State())
	_, err := k.us.Encrypt([]byte("must not leave"))
	assert.ErrorIs(k.t, err, otrsession.ErrFinished)
	k.forget()
}

func (k *talk) checkSMP() {
	for _, c := range []struct {
		name, question, asked, answered string
		result                          string
		event                           otrsession.EventType
	}{
		{"same", "", "secret", "secret", "succeeded", otrsession.EventSMPSucceeded},
		{"same with question", "Where? Köln?", "dort, natürlich", "dort, natürlich", "succeeded", otrsession.EventSMPSucceeded},
		{"different", "", "secret", "Secret", "failed", otrsession.EventSMPFailed},
		{"different with question", "Where?", "here", "there", "failed", otrsession.EventSMPFailed},
	} {
		k.t.Run("we ask, "+c.name, func(t *testing.T) {
			k.forget()
			k.weDo(k.us.StartSMP(c.question, []byte(c.asked)))
			require.Equal(t, []Event{{Event: "smp", Result: "asked", Question: bytesOrNil(c.question)}}, k.theirs("smp"))
			k.forget()
			k.theyDo(k.them.AnswerSMP(c.answered))
			assert.Equal(t, []otrsession.EventType{otrsession.EventSMPProgress, c.event}, k.ourEvents())
			assert.Contains(t, k.theirResults(), c.result)
		})
		k.t.Run("they ask, "+c.name, func(t *testing.T) {
			k.forget()
			k.theyDo(k.them.StartSMP(c.question, c.asked))
			require.Equal(t, []otrsession.EventType{otrsession.EventSMPAsked}, k.ourEvents())
			asked := k.steps[len(k.steps)-1].Events[0]
			assert.Equal(t, c.question, asked.Question)
			assert.Equal(t, c.question != "", asked.HasQuestion)
			assert.Equal(t, k.them.Fingerprint, hex.EncodeToString(asked.Fingerprint[:]))
			k.forget()
			k.weDo(k.us.AnswerSMP([]byte(c.answered)))
			assert.Equal(t, []otrsession.EventType{c.event}, k.ourEvents())
			if c.result == "succeeded" {
				assert.Contains(t, k.theirResults(), "succeeded")
			} else {
				// otr3 does not send the last message when the secrets
				// differ but aborts.
				assert.Equal(t, "aborted", k.theirResults()[len(k.theirResults())-1])
			}
		})
	}
	k.t.Run("aborted", func(t *testing.T) {
		k.forget()
		k.weDo(k.us.StartSMP("", []byte("x")))
		k.theyDo(k.them.AbortSMP())
		assert.Equal(t, []otrsession.EventType{otrsession.EventSMPAborted}, k.ourEvents())
		k.forget()
		k.theyDo(k.them.StartSMP("", "x"))
		k.weDo(k.us.AbortSMP())
		assert.Equal(t, []string{"aborted"}, k.theirResults())
	})
	k.forget()
}

func bytesOrNil(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func TestNotInStep(t *testing.T) {
	now := time.Now()
	k := newTalk(t, otrsession.Options{Now: func() time.Time { return now }}, "--tag")

	k.theyDo(k.them.Send("I speak OTR"))
	texts, encrypted := k.ourTexts()
	assert.Equal(t, []string{"I speak OTR"}, texts, "without the tag")
	assert.False(t, encrypted)
	assert.Equal(t, []otrsession.EventType{otrsession.EventOffered}, k.ourEvents())
	assert.Greater(t, len(k.wire[0]), len("I speak OTR"))
	k.forget()

	k.weDo(k.us.Start())
	k.checkEncrypted(3)

	k.weDo(k.us.Decrypt([]byte("in clear")))
	assert.Equal(t, []otrsession.EventType{otrsession.EventUnencrypted}, k.ourEvents())
	k.forget()
	k.theyDo(k.them.Receive([]byte("in clear")))
	assert.Equal(t, []Event{{Event: "text", Text: []byte("in clear")}}, k.theirs("text"))
	assert.Equal(t, []Event{{Event: "notice", Name: "RCVDMSG_UNENCRYPTED"}}, k.theirs("notice"))
	k.forget()

	// A message that was changed on its way to libotr: it reports an error.
	step, err := k.us.Encrypt([]byte("changed"))
	require.NoError(t, err)
	k.theyDo(k.them.Receive(changed(step.Send[0])))
	assert.Equal(t, []otrsession.EventType{otrsession.EventPeerError}, k.ourEvents())
	assert.Empty(t, k.theirs("text"))
	k.checkTexts("not changed")

	// And on its way to us: we report an error, libotr asks for new keys.
	now = now.Add(time.Hour)
	events := k.them.Send("changed")
	require.Len(t, events, 1)
	k.weDo(k.us.Decrypt(changed(events[0].Message)))
	assert.Equal(t, []otrsession.EventType{otrsession.EventUnreadable, otrsession.EventEncrypted}, k.ourEvents())
	assert.True(t, k.steps[len(k.steps)-1].Events[0].Again)
	k.checkTexts("with new keys")

	// A message for another instance of ours.
	events = k.them.Send("for another")
	require.Len(t, events, 1)
	other, err := otrsession.New(&otrsession.Options{Key: k.key})
	require.NoError(t, err)
	step, err = other.Decrypt(events[0].Message)
	require.NoError(t, err)
	assert.Equal(t, otrsession.Step{Events: []otrsession.Event{{Type: otrsession.EventOtherInstance}}}, step)
	k.weDo(k.us.Decrypt(events[0].Message))
	k.checkTexts("and on")
}

// changed flips a bit in the middle of a message.
func changed(message []byte) []byte {
	b := bytes.Clone(message)
	b[len(b)/2] ^= 'A' ^ 'B'
	return b
}

// Both send their query at once, as Blink and we do.
func TestBothStart(t *testing.T) {
	for range 4 {
		k := newTalk(t, otrsession.Options{})
		ours, err := k.us.Start()
		require.NoError(t, err)
		theirs := k.them.Query()
		toThem, toUs := ours.Send, messages(theirs)
		for len(toThem)+len(toUs) > 0 {
			var nextThem, nextUs [][]byte
			for _, m := range toUs {
				step, err := k.us.Decrypt(m)
				require.NoError(t, err)
				k.steps = append(k.steps, step)
				nextThem = append(nextThem, step.Send...)
			}
			for _, m := range toThem {
				events := k.them.Receive(m)
				k.events = append(k.events, events...)
				nextUs = append(nextUs, messages(events)...)
			}
			toThem, toUs = nextThem, nextUs
		}
		k.checkEncrypted(3)
		k.checkTexts("after a collision")
	}
}

func messages(events []Event) [][]byte {
	var out [][]byte
	for _, e := range events {
		if e.Event == "inject" {
			out = append(out, e.Message)
		}
	}
	return out
}

// A key of ours goes to a program on libotr.
func TestKeyFile(t *testing.T) {
	key, err := otrsession.GenerateKey()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "otr.private_key")
	require.NoError(t, otrsession.SaveKey(path, key))
	k := newTalk(t, otrsession.Options{}, "--key", path)
	fingerprint := key.Fingerprint()
	assert.Equal(t, hex.EncodeToString(fingerprint[:]), k.them.Fingerprint)
	k.weDo(k.us.Start())
	k.checkEncrypted(3)
	k.checkTexts("signed with it")
}
