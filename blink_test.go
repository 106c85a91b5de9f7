package otrchat_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/otrsession"
	"github.com/otrchat/otrchat/sip"
)

// encryptedLine lets a user called Alice meet a peer, and waits for encryption on both sides.
func encryptedLine(t testing.TB, rec *tap.Recorder) (*otrchat.EncryptedChat, *line) {
	t.Helper()
	return encrypts(t, newTapped(t, "alice", nil, rec), newPeer(t, nil, rec))
}

func encrypts(t testing.TB, alice user, p *peer) (*otrchat.EncryptedChat, *line) {
	t.Helper()
	a, l := meet(t, alice, p)
	l.turns(otrsession.Encrypted)
	lock(t, a, otrchat.Unverified)
	return a, l
}

// A peer such as Blink sends its query at once, and ours crosses it.
func TestCrossingQueries(t *testing.T) {
	a, l := meet(t, newUser(t, "alice", nil), newPeer(t, nil, nil))
	l.speaks(l.otr.Start())
	l.turns(otrsession.Encrypted)
	d, err := a.Send(limited(t), "grüße")
	require.NoError(t, err)
	require.True(t, d.Encrypted)
	require.Equal(t, "grüße", l.reads())
	require.NoError(t, d.Wait(limited(t)))
	waits(t, l.encrypts("ça va?"), 0)
	m := next[otrchat.Message](t, a)
	require.Equal(t, "ça va?", m.Text)
	require.Equal(t, "text/plain", m.ContentType)
	require.True(t, m.Time.Equal(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)), m.Time)
	nothing[otrchat.SystemMessage](t, a)
}

// What OTR has to say goes inside message/cpim as text/plain (hears checks it) and wants no reports; what the user says wants both.
func TestReports(t *testing.T) {
	a, l := meet(t, newUser(t, "alice", nil), newPeer(t, nil, nil))
	for l.otr.State() != otrsession.Encrypted {
		m, text := l.hears()
		require.Equal(t, "message/cpim", m.ContentType)
		require.True(t, strings.HasPrefix(text, "?OTR"), text)
		require.False(t, m.SuccessReport)
		require.Equal(t, msrp.No, m.FailureReport)
		l.speaks(l.otr.Decrypt([]byte(text)))
	}
	lock(t, a, otrchat.Unverified)
	sent, err := a.Send(ctx, "hello")
	require.NoError(t, err)
	m, text := l.hears()
	require.True(t, m.SuccessReport)
	require.Equal(t, msrp.Yes, m.FailureReport)
	require.NoError(t, sent.Wait(limited(t)))
	l.speaks(l.otr.Decrypt([]byte(text)))

	step, err := l.otr.Encrypt([]byte("spoilt"))
	require.NoError(t, err)
	spoilt := []byte(step.Send[0])
	spoilt[len(spoilt)/2] ^= 1
	waits(t, l.says(string(spoilt)), 400)
	require.Contains(t, next[otrchat.SystemMessage](t, a).Text, "could not be decrypted")
	waits(t, l.says("?OTR is fun"), 400)
	require.Contains(t, next[otrchat.SystemMessage](t, a).Text, "no known kind")
	waits(t, l.encrypts("fine"), 0)
	require.Equal(t, "fine", next[otrchat.Message](t, a).Text)

	for contentType, code := range map[string]int{
		"image/png": 415, "application/blink-icon": 415, "message/cpim": 400, "application/im-iscomposing+xml": 0, "text/html": 0, "garbage": 415,
	} {
		d, err := l.session.Send(limited(t), &msrp.Message{ContentType: contentType, Body: []byte("<b>x</b>"), SuccessReport: true})
		require.NoError(t, err)
		waits(t, d, code)
	}
	require.Equal(t, "text/html", next[otrchat.Message](t, a).ContentType)
}

// On a direct path a message is one chunk whatever its size, and never an OTR fragment: Blink closes the connection on either.
func TestOneChunk(t *testing.T) {
	rec := tap.New(nil)
	a, l := encryptedLine(t, rec)
	for _, n := range []int{1, 3000, 20_000, 200_000} {
		text := strings.Repeat("ü", n/2+1)
		_, err := a.Send(limited(t), text)
		require.NoError(t, err)
		require.Equal(t, text, l.reads())
	}
	frames := 0
	for _, s := range rec.Streams() {
		require.NotContains(t, string(s.Data), "?OTR|")
		require.NotContains(t, string(s.Data), "?OTR,")
		for d := msrp.NewDecoder(bytes.NewReader(s.Data), nil); ; {
			f, err := d.Next()
			if err != nil {
				break // the end, or SIP
			}
			for {
				if _, err = d.Body(); err != nil {
					break
				}
			}
			require.NotEqual(t, msrp.More, f.Continuation)
			frames++
		}
	}
	require.Greater(t, frames, 8, "the key exchange and the texts")
}

// A peer that knows no message/cpim gets plain texts with their character set.
func TestWithoutCPIM(t *testing.T) {
	p := newPeer(t, nil, nil)
	p.cpim = false
	a, l := meet(t, newUser(t, "alice", nil), p)
	l.turns(otrsession.Encrypted)
	lock(t, a, otrchat.Unverified)
	_, err := a.Send(ctx, "grüße")
	require.NoError(t, err)
	m, text := l.hears()
	require.Equal(t, "text/plain;charset=utf-8", m.ContentType)
	step, err := l.otr.Decrypt([]byte(text))
	require.NoError(t, err)
	require.Equal(t, "grüße", string(step.Plaintext))
	l.encrypts("ça va?")
	require.Equal(t, "ça va?", next[otrchat.Message](t, a).Text)
}

// Blink and SylkServer refuse a bare "*" among the accept-types, and Blink never connects by itself.
func TestOfferSuitsBlink(t *testing.T) {
	p := newPeer(t, nil, nil)
	alice := newUser(t, "alice", nil)
	brief, cancel := context.WithCancel(ctx)
	defer cancel()
	called := make(chan error, 1)
	go func() {
		_, err := alice.Call(brief, p.at)
		called <- err
	}()
	i, err := p.agent.Accept(limited(t))
	require.NoError(t, err)
	offer := i.Offer()
	require.Equal(t, sip.SetupActPass, offer.Setup)
	require.Contains(t, offer.AcceptTypes, "message/cpim")
	require.Contains(t, offer.AcceptTypes, "text/plain")
	require.NotContains(t, offer.AcceptTypes, "*")
	require.NoError(t, i.Reject(limited(t), 486, ""))
	require.Error(t, <-called)
}
