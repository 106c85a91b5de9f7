package otrchat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/relay"
	"github.com/otrchat/otrchat/otrsession"
	"github.com/otrchat/otrchat/sip"
)

// brieflyOnce prolongs what a user has got, from an armed moment on once not, and then again.
type brieflyOnce struct {
	armed      atomic.Bool
	alice, bob atomic.Int32 // so often asked since then
}

func (b *brieflyOnce) HA1(ctx context.Context, username, realm string, a relay.Algorithm) (string, error) {
	asked := &b.alice
	if username == "bob" {
		asked = &b.bob
	}
	if b.armed.Load() && asked.Add(1) == 1 {
		return "", errors.New("not now")
	}
	return passwords.HA1(ctx, username, realm, a)
}

// A way through the relay ends that cannot be prolonged, or those of both sides do: the chat moves to another one, and is encrypted as before.
func TestChatMovesToANewWay(t *testing.T) {
	for _, c := range []struct{ shared, both bool }{{false, false}, {true, false}, {false, true}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			auth := new(brieflyOnce)
			r := newRelayOf(t, &testRelay{auth: auth, life: 2 * time.Second})
			o, p := r.options("alice"), r.direct("bob")
			if c.both {
				p = r.options("bob")
			}
			o.Policy, o.Relay.Shared, o.OTRTimeout, p.OTRTimeout = otrchat.Always, c.shared, time.Hour, time.Hour
			a, b := encrypted(t, newUser(t, "alice", o), newUser(t, "bob", p))
			says(t, a, b, "before", true)
			auth.armed.Store(true)
			moved := func() bool { return auth.alice.Load() > 1 && (!c.both || auth.bob.Load() > 1) }
			require.Eventually(t, moved, patience, time.Millisecond)
			says(t, a, b, "after", true)
			says(t, b, a, "and back", true)
			nothing[otrchat.SecurityChange](t, a)
			nothing[otrchat.SecurityChange](t, b)
			require.NoError(t, a.Shutdown(limited(t)))
			_, end := rest(t, b)
			require.ErrorIs(t, end, otrchat.ErrEnded)
		})
	}
}

// A peer that does not follow ends the chat with what has happened to the way through the relay.
func TestPeerDoesNotFollow(t *testing.T) {
	auth := new(brieflyOnce)
	r := newRelayOf(t, &testRelay{auth: auth, life: 2 * time.Second})
	a, _ := encrypts(t, newUser(t, "alice", r.options("alice")), r.peer(nil))
	auth.armed.Store(true)
	_, end := rest(t, a)
	require.ErrorIs(t, end, otrchat.ErrRelay)
	require.ErrorIs(t, end, msrp.ErrExpired)
}

// moves takes a line to another session of the peer's.
func (l *line) moves(p *peer, to *sip.Media, s *msrp.Session) error {
	if err := l.call.Reinvite(limited(l.t), to); err != nil {
		return err
	}
	role := msrp.Passive
	if l.call.Local().Setup == sip.SetupActive {
		role = msrp.Active
	}
	path, err := msrp.ParsePath(strings.Join(l.call.Remote().Path, " "))
	require.NoError(l.t, err)
	l.session = s
	return s.Connect(limited(l.t), path, role, nil)
}

// The peer moves the chat: we follow, whoever connects, and OTR goes on.
func TestRFC3261_14_2_PeerMovesTheChat(t *testing.T) {
	p := newPeer(t, nil, nil)
	a, l := encryptedLine(t, nil)
	before := l.call.Remote().Path
	for _, setup := range []sip.Setup{sip.SetupActPass, sip.SetupActive} {
		s, err := p.msrp.NewSession(nil)
		require.NoError(t, err)
		last := l.encrypts("from where we were")
		require.NoError(t, l.moves(p, p.media(s, setup), s))
		require.NotEqual(t, before, l.call.Remote().Path)
		before = l.call.Remote().Path
		d := l.encrypts("from here")
		require.Equal(t, "from where we were", next[otrchat.Message](t, a).Text)
		require.Equal(t, "from here", next[otrchat.Message](t, a).Text)
		waits(t, last, 0)
		waits(t, d, 0)
		_, err = a.Send(limited(t), "to there")
		require.NoError(t, err)
		require.Equal(t, "to there", l.reads())
	}
	require.Equal(t, otrsession.Encrypted, l.otr.State())

	// Where nobody is, nobody can be followed to: the chat is over.
	lost := p.media(func() *msrp.Session { s, _ := p.msrp.NewSession(nil); return s }(), sip.SetupActPass)
	lost.Path = []string{"msrp://127.0.0.1:1/nobody;tcp"}
	require.NoError(t, l.call.Reinvite(limited(t), lost))
	_, end := rest(t, a)
	require.Error(t, end)
	<-l.call.Done()
}

// Moves overtake nothing and lose nothing, also where the application takes its events late: what came before a move is shown and reported before what came after it.
func TestRFC3261_14_2_MovesKeepTheOrder(t *testing.T) {
	p := newPeer(t, nil, nil)
	a, l := meet(t, newUser(t, "alice", &otrchat.Options{Policy: otrchat.Never}), p)
	var texts []string
	var said []*msrp.Delivery
	say := func(n int) {
		for range n {
			texts = append(texts, fmt.Sprint(len(texts)))
			said = append(said, l.says(texts[len(texts)-1]))
		}
	}
	move := func() error {
		s, err := p.msrp.NewSession(nil)
		require.NoError(t, err)
		return l.moves(p, p.media(s, sip.SetupActPass), s)
	}
	say(400) // more than there is room for
	require.NoError(t, move())
	say(10)
	again := make(chan error, 1)
	go func() { again <- move() }()
	for _, text := range texts {
		require.Equal(t, text, next[otrchat.Message](t, a).Text)
	}
	require.NoError(t, <-again)
	say(10)
	for _, text := range texts[410:] {
		require.Equal(t, text, next[otrchat.Message](t, a).Text)
	}
	for _, d := range said {
		waits(t, d, 0)
	}
}

// A key exchange that a move interrupts begins again.
func TestMoveDuringTheKeyExchange(t *testing.T) {
	p := newPeer(t, nil, nil)
	a, l := meet(t, newUser(t, "alice", &otrchat.Options{Policy: otrchat.Always, OTRTimeout: time.Hour}), p)
	l.understands() // the query
	l.hears()       // the D-H Key, which the other end of the line loses
	s, err := p.msrp.NewSession(nil)
	require.NoError(t, err)
	require.NoError(t, l.moves(p, p.media(s, sip.SetupActPass), s))
	l.turns(otrsession.Encrypted)
	lock(t, a, otrchat.Unverified)
	waits(t, l.encrypts("here I am"), 0)
	require.Equal(t, "here I am", next[otrchat.Message](t, a).Text)
}

// An offer that we cannot take leaves the chat where it is.
func TestMoveThatDoesNotSuit(t *testing.T) {
	a, l := encryptedLine(t, nil)
	secure := l.call.Local()
	secure.TLS, secure.Path = true, []string{"msrps://127.0.0.1:1/x;tcp"}
	var status *sip.StatusError
	require.ErrorAs(t, l.call.Reinvite(limited(t), secure), &status)
	require.Equal(t, 488, status.Code)
	waits(t, l.encrypts("still here"), 0)
	require.Equal(t, "still here", next[otrchat.Message](t, a).Text)
}

// On hold we write nothing, and then what has waited.
func TestRFC4975_8_9_Hold(t *testing.T) {
	a, l := encryptedLine(t, nil)
	for _, held := range []sip.Direction{sip.SendOnly, sip.Inactive} {
		media := l.call.Local()
		media.Direction = held
		require.NoError(t, l.call.Reinvite(limited(t), media))
		brief, cancel := context.WithTimeout(ctx, soon)
		_, err := a.Send(brief, "never")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
		waits(t, l.encrypts("hold the line"), 0)
		require.Equal(t, "hold the line", next[otrchat.Message](t, a).Text)

		sent := make(chan error, 1)
		go func() {
			_, err := a.Send(limited(t), "at last")
			sent <- err
		}()
		media.Direction = sip.SendRecv
		require.NoError(t, l.call.Reinvite(limited(t), media))
		require.NoError(t, <-sent)
		require.Equal(t, "at last", l.reads())
	}
}
