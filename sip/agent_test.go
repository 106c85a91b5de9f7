package sip

import (
	"context"
	"net"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) {
	gosip.SetTimers(50*time.Millisecond, 400*time.Millisecond, 500*time.Millisecond) // timer B: 3.2 s
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, _ = noResolver.LookupSRV(ctx, "sip", "udp", "example.com.")         // package net keeps a channel from its first question: not one of a bubble
	_, _ = noResolver.LookupNetIP(context.Background(), "ip", "example.com.") // and another one from its first host
	leakcheck.Main(m)
}

const patience = 20 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// newTestAgent makes an agent that listens on the loopback address of each network.
func newTestAgent(t *testing.T, o *Options, networks ...string) *Agent {
	t.Helper()
	if o.Address == "" {
		o.Address = "sip:bob@example.com"
	}
	a, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.Close()) })
	for _, network := range networks {
		_, err := a.Listen(testContext(t), network, "127.0.0.1:0")
		require.NoError(t, err)
	}
	return a
}

// target is how others call a.
func target(t *testing.T, a *Agent, network string) string {
	t.Helper()
	ap, ok := a.listensOn(network)
	require.True(t, ok)
	return "sip:" + a.self.User + "@" + ap.String() + ";transport=" + network
}

func testMedia(id string) *Media {
	return &Media{
		Path:               []string{"msrp://127.0.0.1:2855/" + id + ";tcp"},
		AcceptTypes:        []string{"message/cpim", "text/plain"},
		AcceptWrappedTypes: []string{"text/plain"},
	}
}

// A pair is two agents with a call between them.
type pair struct {
	alice, bob           *Agent
	aliceCall, bobCall   *Call
	invitation           *Invitation
	aliceMedia, bobMedia *Media
}

func newPair(t *testing.T, network string) *pair {
	t.Helper()
	return newPairOf(t, network, &Options{Address: "sip:alice@example.com", DisplayName: `Alice "A" Ö`}, &Options{})
}

func newPairOf(t *testing.T, network string, alice, bob *Options) *pair {
	t.Helper()
	p := &pair{
		alice: newTestAgent(t, alice, network), bob: newTestAgent(t, bob, network),
		aliceMedia: testMedia("alice"), bobMedia: testMedia("bob"),
	}
	p.call(t, network)
	return p
}

func (p *pair) call(t *testing.T, network string) {
	t.Helper()
	ctx := testContext(t)
	answered := make(chan error, 1)
	go func() {
		i, err := p.bob.Accept(ctx)
		if err == nil {
			p.invitation = i
			p.bobCall, err = i.Answer(ctx, p.bobMedia)
		}
		answered <- err
	}()
	var err error
	p.aliceCall, err = p.alice.Invite(ctx, target(t, p.bob, network), p.aliceMedia)
	require.NoError(t, err)
	require.NoError(t, <-answered)
}

func networks(t *testing.T, f func(t *testing.T, network string)) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) { f(t, network) })
	}
}

func waitDone(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		require.Fail(t, "not done in time")
	}
}

// assertOpen makes sure that a channel that is closed by an event is not closed yet.
func assertOpen(t *testing.T, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
		assert.Fail(t, "it has come")
	default:
	}
}

func TestCall(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p := newPair(t, network)
		assert.Equal(t, "sip:alice@example.com", p.invitation.RemoteAddress())
		assert.Equal(t, `Alice "A" Ö`, p.invitation.RemoteDisplayName())
		assert.Equal(t, p.aliceMedia.Path, p.invitation.Offer().Path)
		assert.Equal(t, SetupActPass, p.invitation.Offer().Setup)
		waitDone(t, p.invitation.Done())
		assert.NoError(t, p.invitation.Err())

		assert.Equal(t, p.bobMedia.Path, p.aliceCall.Remote().Path)
		assert.Equal(t, p.bobMedia.AcceptTypes, p.aliceCall.Remote().AcceptTypes)
		assert.Equal(t, p.bobMedia.AcceptWrappedTypes, p.aliceCall.Remote().AcceptWrappedTypes)
		assert.Equal(t, p.aliceMedia.Path, p.aliceCall.Local().Path)
		assert.Equal(t, SetupActive, p.bobCall.Local().Setup)
		assert.Equal(t, SetupPassive, p.bobCall.Remote().Setup)
		assert.Equal(t, SetupPassive, p.aliceCall.Local().Setup)
		assert.Equal(t, SetupActive, p.aliceCall.Remote().Setup)
		assert.Equal(t, "sip:alice@example.com", p.bobCall.RemoteAddress())
		ap, _ := p.bob.listensOn(network)
		assert.Equal(t, "sip:bob@"+ap.String(), p.aliceCall.RemoteAddress())
		assert.False(t, p.aliceCall.Focus())
		assert.NoError(t, p.aliceCall.Err())

		require.NoError(t, p.aliceCall.Bye(testContext(t)))
		waitDone(t, p.bobCall.Done())
		assert.ErrorIs(t, p.bobCall.Err(), ErrEnded)
		assert.ErrorIs(t, p.aliceCall.Err(), net.ErrClosed)
		assert.NoError(t, p.aliceCall.Bye(testContext(t)), "a second Bye")
		assert.NoError(t, p.aliceCall.Close())
	})
}

func TestByeFromCallee(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p := newPair(t, network)
		require.NoError(t, p.bobCall.Close())
		assert.ErrorIs(t, p.bobCall.Err(), ErrClosed)
		waitDone(t, p.aliceCall.Done())
		assert.ErrorIs(t, p.aliceCall.Err(), ErrEnded)
	})
}

func TestByeCrossing(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p := newPair(t, network)
		errs := make(chan error, 2)
		for _, c := range []*Call{p.aliceCall, p.bobCall} {
			go func() { errs <- c.Bye(testContext(t)) }()
		}
		require.NoError(t, <-errs)
		require.NoError(t, <-errs)
		waitDone(t, p.aliceCall.Done())
		waitDone(t, p.bobCall.Done())
	})
}

// isfocus in the Contact of INVITE and 200, seen by the other side.
func TestFocus(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p := newPairOf(t, network, &Options{Address: "sip:room@example.com", Focus: true}, &Options{})
		assert.True(t, p.invitation.Focus())
		assert.True(t, p.bobCall.Focus())
		assert.False(t, p.aliceCall.Focus())
		p = newPairOf(t, network, &Options{}, &Options{Address: "sip:room@example.com", Focus: true})
		assert.False(t, p.bobCall.Focus())
		assert.True(t, p.aliceCall.Focus())
	})
}
