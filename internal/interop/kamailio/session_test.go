package kamailio_test

import (
	"bytes"
	"crypto/tls"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/msrp"
)

func options(k *kamailio.Relay, user, password string) *msrp.RelayOptions {
	return &msrp.RelayOptions{URI: k.URI, Username: user, Password: password, AllowTCP: k.Roots == nil}
}

// endpoint is one that cannot be reached but through a relay.
func endpoint(t *testing.T, k *kamailio.Relay) *msrp.Endpoint {
	t.Helper()
	e, err := msrp.New(&msrp.Options{Host: "127.0.0.1:1", TLS: &tls.Config{RootCAs: k.Roots}})
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

func dialRelay(t *testing.T, e *msrp.Endpoint, o *msrp.RelayOptions) *msrp.Relay {
	t.Helper()
	r, err := e.DialRelay(testContext(t), o)
	require.NoError(t, err)
	return r
}

func newSession(t *testing.T, e *msrp.Endpoint, r *msrp.Relay) *msrp.Session {
	t.Helper()
	s, err := e.NewSession(&msrp.SessionOptions{Relay: r})
	require.NoError(t, err)
	return s
}

func connect(t *testing.T, active, passive *msrp.Session) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- passive.Connect(testContext(t), active.LocalPath(), msrp.Passive, nil) }()
	require.NoError(t, active.Connect(testContext(t), passive.LocalPath(), msrp.Active, nil))
	require.NoError(t, <-done)
}

// talk is two sessions with a relay of their own each.
type talk struct {
	relays   [2]*msrp.Relay
	sessions [2]*msrp.Session
}

func newTalk(t *testing.T, k *kamailio.Relay) (c talk) {
	t.Helper()
	for i, user := range []string{"alice", "bob"} {
		e := endpoint(t, k)
		c.relays[i] = dialRelay(t, e, options(k, user, kamailio.Password))
		c.sessions[i] = newSession(t, e, c.relays[i])
	}
	connect(t, c.sessions[0], c.sessions[1])
	return c
}

// says sends a message, and fails the test unless it arrives as it is and its sender is told.
func says(t *testing.T, from, to *msrp.Session, body []byte) {
	t.Helper()
	ctx := testContext(t)
	d, err := from.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: body, SuccessReport: true})
	require.NoError(t, err)
	m, err := to.Receive(ctx)
	require.NoError(t, err)
	require.True(t, bytes.Equal(body, m.Body), "%d bytes have become %d", len(body), len(m.Body))
	require.NoError(t, d.Wait(ctx))
}

func TestChat(t *testing.T) {
	transports(t, func(t *testing.T, k *kamailio.Relay) {
		c := newTalk(t, k)
		for range 20 {
			says(t, c.sessions[0], c.sessions[1], []byte("hello, grüße, 世界"))
			says(t, c.sessions[1], c.sessions[0], []byte("and to you"))
		}
		require.NoError(t, c.sessions[0].Shutdown(testContext(t)))
		<-c.relays[0].Done()
		require.ErrorIs(t, c.relays[0].Err(), msrp.ErrClosed)
	})
}

// 5 MiB each way at the same time, in chunks of 10,000 bytes.
func TestLongMessages(t *testing.T) {
	transports(t, func(t *testing.T, k *kamailio.Relay) {
		c := newTalk(t, k)
		body := make([]byte, 5<<20)
		rand.NewChaCha8([32]byte{}).Read(body)
		done := make(chan struct{})
		go func() {
			defer close(done)
			says(t, c.sessions[0], c.sessions[1], body)
		}()
		says(t, c.sessions[1], c.sessions[0], bytes.Clone(body))
		<-done
	})
}

func TestSeveralSessionsOfOneRelay(t *testing.T) {
	transports(t, func(t *testing.T, k *kamailio.Relay) {
		a, b := endpoint(t, k), endpoint(t, k)
		shared := options(k, "alice", kamailio.Password)
		shared.Shared = true
		ra := dialRelay(t, a, shared)
		shared.Username = "bob"
		rb := dialRelay(t, b, shared)
		var from, to [3]*msrp.Session
		for i := range from {
			from[i], to[i] = newSession(t, a, ra), newSession(t, b, rb)
			connect(t, from[i], to[i])
		}
		for i := range from {
			says(t, from[i], to[i], []byte{'a' + byte(i)})
			says(t, to[i], from[i], []byte{'A' + byte(i)})
		}
		require.NoError(t, from[0].Close())
		says(t, to[1], from[1], []byte("one session less"))
		require.NoError(t, ra.Close())
		for _, s := range from[1:] {
			<-s.Done()
		}
		require.NoError(t, rb.Err(), "the other side's relay does not depend on it")
	})
}

func TestWrongPassword(t *testing.T) {
	transports(t, func(t *testing.T, k *kamailio.Relay) {
		_, err := endpoint(t, k).DialRelay(testContext(t), options(k, "alice", "wrong"))
		var refused *msrp.StatusError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, msrp.StatusUnauthorized, refused.Code)
	})
}

func TestCertificateOfAnother(t *testing.T) {
	k, other := kamailio.StartTLS(t), kamailio.StartTLS(t)
	_, err := endpoint(t, other).DialRelay(testContext(t), options(k, "alice", kamailio.Password))
	var untrusted *tls.CertificateVerificationError
	require.ErrorAs(t, err, &untrusted)
}

func TestKamailioDies(t *testing.T) {
	transports(t, func(t *testing.T, k *kamailio.Relay) {
		c := newTalk(t, k)
		says(t, c.sessions[0], c.sessions[1], []byte("hello"))
		k.Stop()
		for i := range c.sessions {
			<-c.relays[i].Done()
			<-c.sessions[i].Done()
			require.Error(t, c.relays[i].Err())
			require.NotErrorIs(t, c.relays[i].Err(), msrp.ErrClosed)
			require.ErrorIs(t, c.sessions[i].Err(), c.relays[i].Err())
			_, err := c.sessions[i].Send(testContext(t), &msrp.Message{})
			require.Error(t, err)
		}
		_, err := endpoint(t, k).DialRelay(testContext(t), options(k, "alice", kamailio.Password))
		require.Error(t, err)
	})
}

// Kamailio renews no URI: it gives another one, which the peer does not know. So the Relay ends when the first one has expired, and not before.
func TestExpiry(t *testing.T) {
	const expires = 5 * time.Second
	k := kamailio.Start(t, "EXPIRES=5")
	begun := time.Now()
	c := newTalk(t, k)
	says(t, c.sessions[0], c.sessions[1], []byte("hello"))
	for i := range c.sessions {
		<-c.sessions[i].Done()
		require.ErrorIs(t, c.sessions[i].Err(), msrp.ErrExpired)
		assert.WithinRange(t, time.Now(), begun.Add(expires), begun.Add(patience))
	}
	again := newTalk(t, k)
	says(t, again.sessions[0], again.sessions[1], []byte("a new way"))
}
