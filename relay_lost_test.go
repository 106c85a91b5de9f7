package otrchat_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/sip"
)

// A relay that dies takes the chats through it along. The next ones find it when it is back.
func TestRelayIsLost(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared: %t", shared), func(t *testing.T) {
			r := newRelay(t)
			o := r.options("alice")
			o.Relay.Shared = shared
			alice, p := newUser(t, "alice", o), r.peer(nil)
			a, _ := encrypts(t, alice, p)
			b, _ := encrypts(t, alice, p)
			require.NoError(t, r.Relay.Close())
			for _, chat := range []*otrchat.EncryptedChat{a, b} {
				_, end := rest(t, chat)
				require.ErrorIs(t, end, otrchat.ErrRelay)
				require.NotErrorIs(t, end, otrchat.ErrEnded)
				refused(t, chat, otrchat.ErrRelay)
				require.NoError(t, chat.Shutdown(limited(t)))
				require.ErrorIs(t, chat.Err(), otrchat.ErrRelay)
			}
			_, err := alice.Call(limited(t), p.at)
			require.ErrorIs(t, err, otrchat.ErrRelay)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)

			r.start()
			a, l := encrypts(t, alice, p)
			waits(t, l.encrypts("back again"), 0)
			require.Equal(t, "back again", next[otrchat.Message](t, a).Text)
		})
	}
}

// Without a way through the relay there is no chat: a call fails before anybody is called, and a caller is refused. Never does a chat go without.
func TestNoWayThrough(t *testing.T) {
	r := newRelay(t)
	silent := listener(t, nil)
	defer silent.Close()
	for name, c := range map[string]struct {
		spoil func(o *otrchat.Options)
		check func(t *testing.T, err error)
	}{
		"wrong password": {
			func(o *otrchat.Options) { o.Relay.Password = "abracadabra" },
			func(t *testing.T, err error) {
				var status *msrp.StatusError
				require.ErrorAs(t, err, &status)
				require.Equal(t, 401, status.Code)
			},
		},
		"unknown authority": {
			func(o *otrchat.Options) { o.TLS = nil },
			func(t *testing.T, err error) {
				var unknown x509.UnknownAuthorityError
				require.ErrorAs(t, err, &unknown)
			},
		},
		"no answer": {
			func(o *otrchat.Options) { o.Relay.URI = "msrps://" + silent.Addr().String() + ";tcp" },
			func(t *testing.T, err error) { require.ErrorIs(t, err, context.DeadlineExceeded) },
		},
	} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, shared: %t", name, shared), func(t *testing.T) {
				o := r.options("bob")
				o.Relay.Shared = shared
				c.spoil(o)
				log := new(safeBuffer)
				o.Logger = log.logger()
				alice, bob := newUser(t, "alice", nil), newUser(t, "bob", o)
				brief, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				_, err := bob.Call(brief, alice.at)
				c.check(t, err)
				require.ErrorIs(t, err, otrchat.ErrRelay)
				require.NotContains(t, err.Error(), "abracadabra")
				require.Equal(t, 1, strings.Count(err.Error(), "otrchat: "), err)
				none, cancel := context.WithCancel(ctx)
				cancel()
				_, err = alice.Accept(none)
				require.ErrorIs(t, err, context.Canceled, "nobody has called")

				called := make(chan error, 1)
				go func() {
					_, err := alice.Call(limited(t), bob.at)
					called <- err
				}()
				i, err := bob.Accept(limited(t))
				require.NoError(t, err)
				brief, cancel = context.WithTimeout(ctx, time.Second)
				defer cancel()
				_, err = i.Answer(brief)
				c.check(t, err)
				require.ErrorIs(t, err, otrchat.ErrRelay)
				var status *sip.StatusError
				require.ErrorAs(t, <-called, &status)
				require.Equal(t, 480, status.Code)
				<-i.Done()
				require.NotContains(t, string(log.Bytes()), "abracadabra")
			})
		}
	}
}

// A relay that says nothing holds up neither Close nor who has given up.
func TestSilentRelay(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared: %t", shared), func(t *testing.T) {
			leakcheck.Check(t)
			silent := listener(t, nil)
			defer silent.Close()
			r := &testRelay{TB: t, address: silent.Addr().String()}
			o := r.options("bob")
			o.Relay.Shared = shared
			alice, bob := newUser(t, "alice", nil), newUser(t, "bob", o)
			brief, cancel := context.WithCancel(ctx)
			called := make(chan error, 1)
			go func() {
				_, err := alice.Call(brief, bob.at)
				called <- err
			}()
			i, err := bob.Accept(limited(t))
			require.NoError(t, err)
			time.AfterFunc(soon, cancel)
			ends(t, sip.ErrCanceled, func() error {
				_, err := i.Answer(ctx)
				return err
			})
			require.ErrorIs(t, <-called, context.Canceled)

			time.AfterFunc(soon, func() { bob.Close() })
			ends(t, otrchat.ErrClosed, func() error {
				_, err := bob.Call(ctx, alice.at)
				return err
			})
			require.NoError(t, bob.Close())
		})
	}
}

// ends checks that f ends by itself, before the relay has had the time that it may take.
func ends(t *testing.T, want error, f func() error) {
	t.Helper()
	failed := make(chan error, 1)
	go func() { failed <- f() }()
	select {
	case err := <-failed:
		require.ErrorIs(t, err, want)
	case <-limited(t).Done():
		require.Fail(t, "still there")
	}
}

// What a chat that did not come about had of the relay is given back, but for what others share.
func TestRelayIsGivenBack(t *testing.T) {
	r := newRelay(t)
	for _, shared := range []bool{false, true} {
		o := r.options("alice")
		o.Relay.Shared = shared
		alice, p := newUser(t, "alice", o), r.peer(nil)
		go func() {
			if i, err := p.agent.Accept(limited(t)); err == nil {
				i.Reject(limited(t), 486, "")
			}
		}()
		_, err := alice.Call(limited(t), p.at)
		var status *sip.StatusError
		require.ErrorAs(t, err, &status)
		if shared {
			require.Equal(t, 1, r.Stats().Sessions)
			require.NoError(t, alice.Close())
		}
		require.Eventually(t, func() bool { return r.Stats().Connections == 0 }, patience, time.Millisecond)
	}
}
