package otrchat_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/relay"
	"github.com/otrchat/otrchat/sip"
)

var passwords = relay.Users{"alice": "looking-glass", "bob": "can-we-fix-it"}

// testRelay is a relay on loopback with TLS, whose insides are recorded.
type testRelay struct {
	testing.TB
	*relay.Relay
	address string
	cert    tls.Certificate
	roots   *x509.CertPool
	seen    *tap.Recorder
	auth    relay.Authenticator
	life    time.Duration // of its URIs, 0 for as long as it likes
}

func newRelay(t testing.TB) *testRelay {
	t.Helper()
	return newRelayOf(t, &testRelay{auth: passwords})
}

func newRelayOf(t testing.TB, r *testRelay) *testRelay {
	t.Helper()
	r.TB, r.address, r.seen = t, "127.0.0.1:0", tap.New(nil)
	r.cert, r.roots = certtest.New(t, "127.0.0.1")
	r.start()
	return r
}

// start starts the relay, also where it was before.
func (r *testRelay) start() {
	r.Helper()
	l, err := net.Listen("tcp", r.address)
	require.NoError(r, err)
	r.address = l.Addr().String()
	started, err := relay.New(&relay.Options{
		Host: r.address, Authenticator: r.auth, MinExpires: r.life, MaxExpires: r.life, Permit: func(a netip.AddrPort) bool { return a.Addr().IsLoopback() },
	})
	require.NoError(r, err)
	r.Cleanup(func() { started.Close() })
	r.Relay = started
	cfg := &tls.Config{Certificates: []tls.Certificate{r.cert}, DynamicRecordSizingDisabled: true}
	require.NoError(r, r.Serve(tap.Listener(tls.NewListener(l, cfg), r.seen)))
}

// options are those of a user who trusts the relay, and goes through it.
func (r *testRelay) options(name string) *otrchat.Options {
	return &otrchat.Options{
		TLS:   &tls.Config{RootCAs: r.roots},
		Relay: &msrp.RelayOptions{URI: "msrps://" + r.address + ";tcp", Username: name, Password: passwords[name]},
	}
}

// direct are those of a user who does not.
func (r *testRelay) direct(name string) *otrchat.Options {
	o := r.options(name)
	o.Relay = nil
	return o
}

// Whoever of the two has a relay, and whoever calls: the chat encrypts itself.
func TestRelay(t *testing.T) {
	r := newRelay(t)
	for _, who := range []struct{ alice, bob bool }{{true, true}, {true, false}, {false, true}} {
		t.Run(fmt.Sprintf("%+v", who), func(t *testing.T) {
			options := map[bool]func(string) *otrchat.Options{true: r.options, false: r.direct}
			alice, bob := newUser(t, "alice", options[who.alice]("alice")), newUser(t, "bob", options[who.bob]("bob"))
			a, b := encrypted(t, alice, bob)
			says(t, a, b, "hello, Bob", true)
			says(t, b, a, "hello, Alice", true)
			require.NoError(t, a.Shutdown(limited(t)))
			_, end := rest(t, b)
			require.ErrorIs(t, end, otrchat.ErrEnded)
		})
	}
}

// peer is one that trusts the relay and connects to it, unless told to be passive, without being a user of it.
func (r *testRelay) peer(o *sip.Options) *peer {
	r.Helper()
	var opts sip.Options
	if o != nil {
		opts = *o
	}
	opts.AcceptTLS = true
	p := newPeer(r, &opts, nil)
	endpoint, err := msrp.New(&msrp.Options{ManualReports: true, TLS: &tls.Config{RootCAs: r.roots}})
	require.NoError(r, err)
	r.Cleanup(func() { endpoint.Close() })
	require.NoError(r, endpoint.Serve(listener(r, nil)))
	p.msrp, p.setup = endpoint, sip.SetupActive
	return p
}

// logins counts how often the relay has given a user a way through.
func (r *testRelay) logins(name string) (n int) {
	for _, s := range r.seen.Streams() {
		if bytes.Contains(s.Data, []byte(`Digest username="`+name+`"`)) {
			n++
		}
	}
	return n
}

// A passive peer without a relay is called by the relay.
func TestRelayConnects(t *testing.T) {
	r := newRelay(t)
	p := r.peer(nil)
	p.setup = sip.SetupPassive
	a, l := encrypts(t, newUser(t, "alice", r.options("alice")), p)
	waits(t, l.encrypts("hello, Alice"), 0)
	require.Equal(t, "hello, Alice", next[otrchat.Message](t, a).Text)
	_, err := a.Send(limited(t), "hello, Bob")
	require.NoError(t, err)
	require.Equal(t, "hello, Bob", l.reads())
}

// What the users say under Always never stands in the clear before the relay, nor anywhere in Alice's log.
func TestAlwaysLeaksNothingToTheRelay(t *testing.T) {
	r := newRelay(t)
	log := new(safeBuffer)
	o := r.options("alice")
	o.Policy, o.Logger = otrchat.Always, log.logger()
	alice, bob := newUser(t, "alice", o), newUser(t, "bob", r.options("bob"))
	a, b := encrypted(t, alice, bob)
	says(t, a, b, secret, true)
	says(t, b, a, secret, true)
	require.NoError(t, a.StartSMP(ctx, "", secret))
	next[otrchat.SMP](t, b)
	require.NoError(t, b.AnswerSMP(ctx, secret))
	require.Equal(t, otrchat.SMP{Progress: otrchat.SMPSucceeded, Verified: true}, outcome(t, a))
	require.Equal(t, otrchat.SMP{Progress: otrchat.SMPSucceeded, Verified: true}, outcome(t, b))
	says(t, a, b, secret, true)
	require.NoError(t, b.StopEncryption(ctx))
	lock(t, a, otrchat.Ended)
	refused(t, a, otrchat.ErrEncryptionEnded)
	require.NoError(t, a.StopEncryption(ctx))
	refused(t, a, otrchat.ErrEncryptionRequired)
	require.NoError(t, a.Shutdown(limited(t)))
	refused(t, a, otrchat.ErrClosed)

	require.NoError(t, r.Relay.Close())
	require.Zero(t, r.seen.Lost())
	require.Contains(t, string(r.seen.Bytes()), "?OTR:AAMD")
	require.False(t, shows(r.seen.Bytes()))
	require.False(t, shows(log.Bytes()))
	ways := regexp.MustCompile(`Use-Path: msrps://[^/]+/(\w+)`).FindAllSubmatch(r.seen.Bytes(), -1)
	require.Len(t, ways, 2)
	for _, secret := range append(ways[0][1:], ways[1][1], []byte(passwords["alice"])) {
		require.NotContains(t, string(log.Bytes()), string(secret))
	}
}

// The same search finds a text that goes through the relay in plain text, so it can fail.
func TestRelaySeesPlainText(t *testing.T) {
	r := newRelay(t)
	o := r.options("alice")
	o.Policy = otrchat.Never
	a, b := call(t, newUser(t, "alice", o), newUser(t, "bob", r.options("bob")))
	says(t, a, b, secret, false)
	require.True(t, shows(r.seen.Bytes()))
}

// A conference gets no OTR through a relay either.
func TestFocusBehindARelay(t *testing.T) {
	r := newRelay(t)
	a, l := meet(t, newUser(t, "alice", r.options("alice")), r.peer(&sip.Options{Focus: true}))
	require.Equal(t, otrchat.Unavailable, a.Security())
	_, err := a.Send(ctx, "hello, everybody")
	require.NoError(t, err)
	_, text := l.hears()
	require.Equal(t, "hello, everybody", text)
	waits(t, l.says("hello, Alice"), 0)
	require.Equal(t, "hello, Alice", next[otrchat.Message](t, a).Text)
	require.NotContains(t, string(r.seen.Bytes()), "?OTR")
}

// Chats that share the way through the relay log in once, also when they come at the same moment, and end one by one.
func TestSharedRelay(t *testing.T) {
	r := newRelay(t)
	o := r.options("alice")
	o.Relay.Shared = true
	alice, bob := newUser(t, "alice", o), newUser(t, "bob", r.options("bob"))
	const chats = 4
	var called, answered [chats]*otrchat.EncryptedChat
	var wg sync.WaitGroup
	for i := range chats {
		wg.Go(func() { called[i], _ = alice.Call(limited(t), bob.at) })
		wg.Go(func() { answered[i] = <-answer(t, bob) })
	}
	wg.Wait()
	require.Equal(t, 1, r.logins("alice"))
	require.Equal(t, chats, r.logins("bob"))
	for i := range chats {
		require.NotNil(t, called[i])
		lock(t, called[i], otrchat.Unverified)
		lock(t, answered[i], otrchat.Unverified)
	}
	require.NoError(t, called[0].Shutdown(limited(t)))
	texts := map[string]bool{}
	for i, a := range called[1:] {
		text := fmt.Sprint("number ", i)
		texts[text] = true
		_, err := a.Send(limited(t), text)
		require.NoError(t, err)
	}
	for _, b := range answered {
		e, err := b.Receive(limited(t))
		require.NoError(t, err)
		if m, ok := e.(otrchat.Message); ok {
			require.True(t, texts[m.Text], m.Text)
			delete(texts, m.Text)
		}
	}
	require.Empty(t, texts)
}

// TLS up to the caller itself is for a side that has TLS, too. Others refuse it without a word to the application.
func TestCallerWithTLS(t *testing.T) {
	r := newRelay(t)
	for name, c := range map[string]struct {
		o    *otrchat.Options
		code int
	}{"direct": {r.direct("alice"), 488}, "with a relay": {r.options("alice"), 486}} {
		t.Run(name, func(t *testing.T) {
			alice, p := newUser(t, "alice", c.o), r.peer(nil)
			called := make(chan error, 1)
			go func() {
				_, err := p.agent.Invite(limited(t), alice.at, &sip.Media{
					Path: []string{"msrps://127.0.0.1:2855/x;tcp"}, TLS: true, AcceptTypes: []string{"text/plain"},
				})
				called <- err
			}()
			brief, cancel := context.WithCancel(ctx)
			defer cancel()
			if c.code == 488 {
				go func() { // nothing comes
					_, err := alice.Accept(brief)
					if !errors.Is(err, context.Canceled) && !errors.Is(err, otrchat.ErrClosed) {
						t.Error(err)
					}
				}()
			} else {
				i, err := alice.Accept(limited(t))
				require.NoError(t, err)
				require.NoError(t, i.Reject(limited(t), c.code))
			}
			var status *sip.StatusError
			require.ErrorAs(t, <-called, &status)
			require.Equal(t, c.code, status.Code)
		})
	}
}
