package otrchat_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/sip"
)

// Closing a Client, from another goroutine, in each of these moments leaves no goroutine.
func TestCloseAtAnyMoment(t *testing.T) {
	for name, reach := range map[string]func(t *testing.T, alice user){
		"before Listen": func(*testing.T, user) {},
		"idle": func(t *testing.T, alice user) {
			encrypted(t, alice, newUser(t, "bob", nil))
		},
		"Accept": func(t *testing.T, alice user) {
			go alice.Accept(ctx)
		},
		"INVITE": func(t *testing.T, alice user) {
			p := newPeer(t, nil, nil)
			go alice.Call(ctx, p.at)
			_, err := p.agent.Accept(limited(t))
			require.NoError(t, err)
		},
		"MSRP not connected": func(t *testing.T, alice user) {
			p := newPeer(t, nil, nil)
			go alice.Call(ctx, p.at)
			i, err := p.agent.Accept(limited(t))
			require.NoError(t, err)
			s, err := p.msrp.NewSession(nil)
			require.NoError(t, err)
			_, err = i.Answer(limited(t), p.media(s, sip.SetupActive)) // and never connects
			require.NoError(t, err)
		},
		"AKE": func(t *testing.T, alice user) {
			a, l := meet(t, alice, newPeer(t, nil, nil))
			l.understands()
			l.hears() // the D-H Key, which gets no answer
			go a.Send(ctx, "waits for the answer")
		},
		"SMP": func(t *testing.T, alice user) {
			a, b := encrypted(t, alice, newUser(t, "bob", nil))
			require.NoError(t, a.StartSMP(ctx, "", "Prague"))
			next[otrchat.SMP](t, b)
			go b.AnswerSMP(ctx, "Prague")
		},
		"peer that stopped reading": func(t *testing.T, alice user) {
			a := stalled(t, alice)
			go a.SetPolicy(ctx, otrchat.Never) // wants the wire
		},
		"move": func(t *testing.T, alice user) {
			p := newPeer(t, nil, nil)
			_, l := meet(t, alice, p)
			s, err := p.msrp.NewSession(nil)
			require.NoError(t, err)
			require.NoError(t, l.call.Reinvite(limited(t), p.media(s, sip.SetupActive))) // and never connects
		},
		"moved": func(t *testing.T, alice user) {
			p := newPeer(t, nil, nil)
			_, l := meet(t, alice, p)
			for range 300 { // more than there is room for
				l.says("hello")
			}
			s, err := p.msrp.NewSession(nil)
			require.NoError(t, err)
			require.NoError(t, l.moves(p, p.media(s, sip.SetupActPass), s))
			go l.call.Reinvite(limited(t), p.media(s, sip.SetupActPass)) // waits
		},
		"full of events": func(t *testing.T, alice user) {
			_, l := meet(t, alice, newPeer(t, nil, nil))
			for range 600 {
				l.says("hello")
			}
		},
		"Shutdown": func(t *testing.T, alice user) {
			encrypted(t, alice, newUser(t, "bob", nil))
			go alice.Shutdown(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			var alice user
			if name == "before Listen" {
				c, err := otrchat.New(&otrchat.Options{Address: "sip:alice@127.0.0.1", Key: key(t, aliceKey)})
				require.NoError(t, err)
				alice = user{Client: c}
			} else {
				alice = newUser(t, "alice", nil)
			}
			reach(t, alice)
			closed := make(chan error)
			go func() { closed <- alice.Close() }()
			select {
			case err := <-closed:
				require.NoError(t, err)
			case <-time.After(5 * time.Second):
				require.Fail(t, "Close hangs")
			}
			require.NoError(t, alice.Close())
			<-alice.Done()
			require.ErrorIs(t, alice.Err(), otrchat.ErrClosed)
			require.ErrorIs(t, alice.Err(), net.ErrClosed)
			_, err := alice.Call(ctx, "sip:bob@127.0.0.1:9;transport=tcp")
			require.ErrorIs(t, err, otrchat.ErrClosed)
			_, err = alice.Accept(ctx)
			require.ErrorIs(t, err, otrchat.ErrClosed)
		})
	}
}

// stalled returns a chat with a peer that reads nothing more, in which a Send is stuck.
func stalled(t testing.TB, alice user) *otrchat.EncryptedChat {
	t.Helper()
	p := newPeer(t, nil, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	chats := make(chan *otrchat.EncryptedChat, 1)
	go func() {
		a, err := alice.Call(limited(t), p.at)
		if err == nil {
			chats <- a
		}
		close(chats)
	}()
	i, err := p.agent.Accept(limited(t))
	require.NoError(t, err)
	path, err := msrp.ParsePath(strings.Join(i.Offer().Path, " "))
	require.NoError(t, err)
	s, err := p.msrp.NewSession(nil) // for its media; the path is another
	require.NoError(t, err)
	media := p.media(s, sip.SetupPassive)
	uri := "msrp://" + l.Addr().String() + "/stalled0123456789;tcp"
	media.Path = []string{uri}
	_, err = i.Answer(limited(t), media)
	require.NoError(t, err)
	conn, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	d := msrp.NewDecoder(conn, nil)
	bind, err := d.Next()
	require.NoError(t, err)
	reply, err := msrp.AppendFrame(nil, &msrp.Frame{
		TransactionID: bind.TransactionID, Status: 200, Comment: []byte("OK"), ToPath: []byte(path.String()), FromPath: []byte(uri),
		Continuation: msrp.Complete,
	}, nil)
	require.NoError(t, err)
	_, err = conn.Write(reply)
	require.NoError(t, err)
	a := <-chats
	require.NotNil(t, a)
	require.NoError(t, a.StopEncryption(limited(t))) // nobody answers here
	brief, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	for err == nil {
		_, err = a.Send(brief, strings.Repeat("x", 100_000))
	}
	require.ErrorIs(t, err, context.DeadlineExceeded)
	go a.Send(ctx, strings.Repeat("x", 100_000))
	return a
}

// A Client that could not listen for SIP has not kept the socket for MSRP.
func TestListenFails(t *testing.T) {
	c, err := otrchat.New(&otrchat.Options{Address: "sip:alice@127.0.0.1", Key: key(t, aliceKey)})
	require.NoError(t, err)
	defer c.Close()
	free := listener(t, nil)
	at := free.Addr().String()
	require.NoError(t, free.Close())
	taken := listener(t, nil)
	defer taken.Close()
	_, err = c.Listen(ctx, "tcp", taken.Addr().String(), at)
	require.ErrorContains(t, err, "otrchat: ")
	_, err = c.Listen(ctx, "tcp", at, taken.Addr().String())
	require.ErrorContains(t, err, "otrchat: ")
	_, err = c.Listen(ctx, "tcp", "127.0.0.1:0", at)
	require.NoError(t, err)
}

// Shutdown keeps to its context, whatever the peer does.
func TestShutdownOfStalledChat(t *testing.T) {
	alice := newUser(t, "alice", nil)
	a := stalled(t, alice)
	brief, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	require.ErrorIs(t, a.Shutdown(brief), context.DeadlineExceeded)
	require.ErrorIs(t, a.Err(), otrchat.ErrClosed)
	_, err := a.Send(ctx, "hello")
	require.ErrorIs(t, err, otrchat.ErrClosed)
	require.ErrorIs(t, a.StartEncryption(ctx), otrchat.ErrClosed)
	require.ErrorIs(t, a.StopEncryption(ctx), otrchat.ErrClosed)
	require.ErrorIs(t, a.SetPolicy(ctx, otrchat.Always), otrchat.ErrClosed)
	_, end := rest(t, a)
	require.ErrorIs(t, end, otrchat.ErrClosed)
}

func TestClientShutdown(t *testing.T) {
	alice, bob := newUser(t, "alice", nil), newUser(t, "bob", nil)
	_, b1 := encrypted(t, alice, bob)
	_, b2 := encrypted(t, alice, bob)
	require.NoError(t, alice.Shutdown(limited(t)))
	for _, b := range []*otrchat.EncryptedChat{b1, b2} {
		_, end := rest(t, b)
		require.ErrorIs(t, end, otrchat.ErrEnded)
		require.Equal(t, otrchat.Ended, b.Security(), "alice said so")
	}
}

// A text that is still on its way when the peer hangs up arrives.
func TestLastWords(t *testing.T) {
	a, l := encryptedLine(t, nil)
	require.NoError(t, l.call.Close())
	select {
	case <-l.call.Done():
	case <-limited(t).Done():
	}
	require.Eventually(t, func() bool { return a.Err() != nil }, patience, time.Millisecond) // BYE has come over another connection
	l.encrypts("and one more thing")
	events, end := rest(t, a)
	require.ErrorIs(t, end, otrchat.ErrEnded)
	require.Equal(t, "and one more thing", events[0].(otrchat.Message).Text)
	_, err := a.Send(ctx, "hello?")
	require.ErrorIs(t, err, otrchat.ErrEnded)
}

func TestRefusedAndCancelledCalls(t *testing.T) {
	alice, bob := newUser(t, "alice", &otrchat.Options{DisplayName: "Alice"}), newUser(t, "bob", nil)
	var heard [2]string
	rejected := make(chan error, 1)
	go func() {
		i, err := bob.Accept(limited(t))
		if err == nil {
			heard = [2]string{i.RemoteAddress(), i.RemoteDisplayName()}
			err = i.Reject(limited(t), 486)
			<-i.Done()
		}
		rejected <- err
	}()
	_, err := alice.Call(limited(t), bob.at)
	require.NoError(t, <-rejected)
	require.Equal(t, [2]string{"sip:alice@127.0.0.1", "Alice"}, heard)
	var status *sip.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, 486, status.Code)
	require.True(t, strings.HasPrefix(err.Error(), "otrchat: sip: "), err)

	brief, cancel := context.WithCancel(ctx)
	go func() {
		if i, err := bob.Accept(limited(t)); err == nil {
			cancel()
			<-i.Done()
		}
	}()
	_, err = alice.Call(brief, bob.at)
	require.ErrorIs(t, err, context.Canceled)

	// A peer that hangs up instead of connecting.
	p := newPeer(t, nil, nil)
	go func() {
		i, err := p.agent.Accept(limited(t))
		if err != nil {
			return
		}
		if s, err := p.msrp.NewSession(nil); err == nil {
			if c, err := i.Answer(limited(t), p.media(s, sip.SetupActive)); err == nil {
				c.Close()
			}
		}
	}()
	_, err = alice.Call(limited(t), p.at)
	require.ErrorIs(t, err, otrchat.ErrEnded)
}
