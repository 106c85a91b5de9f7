package msrp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
	"github.com/otrchat/otrchat/msrp/relay"
)

var users = relay.Users{"alice": "secret", "bob": "other"}

// overOwnRelay connects two sessions, each with a Relay of its own, through a relay of ours over TLS.
func overOwnRelay(t *testing.T, shared bool) (alice, bob *msrp.Relay, ends [2]*msrp.Endpoint) {
	t.Helper()
	cert, roots := certtest.New(t, "127.0.0.1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r, err := relay.New(&relay.Options{Host: l.Addr().String(), Authenticator: users})
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	require.NoError(t, r.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true})))
	var relays [2]*msrp.Relay
	for i, name := range []string{"alice", "bob"} {
		e, err := msrp.New(&msrp.Options{TLS: &tls.Config{RootCAs: roots}})
		require.NoError(t, err)
		t.Cleanup(func() { e.Close() })
		relays[i], err = e.DialRelay(t.Context(), &msrp.RelayOptions{URI: "msrps://" + l.Addr().String() + ";tcp", Username: name, Password: users[name], Shared: shared})
		require.NoError(t, err)
		ends[i] = e
	}
	return relays[0], relays[1], ends
}

func joinThrough(t *testing.T, ends [2]*msrp.Endpoint, a, b *msrp.Relay) (alice, bob *msrp.Session) {
	t.Helper()
	alice, err := ends[0].NewSession(&msrp.SessionOptions{Relay: a, Secure: true})
	require.NoError(t, err)
	bob, err = ends[1].NewSession(&msrp.SessionOptions{Relay: b, Secure: true})
	require.NoError(t, err)
	passive := make(chan error, 1)
	go func() { passive <- bob.Connect(t.Context(), alice.LocalPath(), msrp.Passive, nil) }()
	require.NoError(t, alice.Connect(t.Context(), bob.LocalPath(), msrp.Active, nil))
	require.NoError(t, <-passive)
	return alice, bob
}

// Shutdown at the end of many messages loses none of them on the way to the relay, and ends the Relay.
func TestShutdownThroughARelay(t *testing.T) {
	ra, rb, ends := overOwnRelay(t, false)
	alice, bob := joinThrough(t, ends, ra, rb)
	const n = 200
	go func() {
		for i := range n {
			alice.Send(context.Background(), words(fmt.Sprint(i)))
		}
		alice.Shutdown(context.Background())
	}()
	for i := range n {
		m, err := bob.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(m.Body))
	}
	<-alice.Done()
	<-ra.Done()
	require.ErrorIs(t, ra.Err(), msrp.ErrClosed)
}

// A large message goes through both relays' URIs in both directions at once, in its order and whole, and its success report comes back.
func TestLargeMessagesThroughARelay(t *testing.T) {
	ra, rb, ends := overOwnRelay(t, false)
	alice, bob := joinThrough(t, ends, ra, rb)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var wg sync.WaitGroup
	for _, way := range [][2]*msrp.Session{{alice, bob}, {bob, alice}} {
		wg.Go(func() {
			d, err := way[0].Send(context.Background(), &msrp.Message{ContentType: "application/octet-stream", Body: body, SuccessReport: true})
			if err == nil {
				err = d.Wait(context.Background())
			}
			if err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			m, err := way[1].Receive(context.Background())
			if err != nil || !bytes.Equal(m.Body, body) {
				t.Error("received something else", err)
			}
		})
	}
	wg.Wait()
}

// Several sessions share a Relay on each side, and each gets what is for it.
func TestSessionsShareARelay(t *testing.T) {
	ra, rb, ends := overOwnRelay(t, true)
	var wg sync.WaitGroup
	for i := range 20 {
		alice, bob := joinThrough(t, ends, ra, rb)
		wg.Go(func() {
			for j := range 20 {
				want := fmt.Sprint(i, "-", j)
				if _, err := alice.Send(context.Background(), words(want)); err != nil {
					t.Error(err)
				}
				m, err := bob.Receive(context.Background())
				if err != nil || string(m.Body) != want {
					t.Error(want, err)
					return
				}
			}
			if i%2 == 0 {
				alice.Close()
				bob.Close()
			}
		})
	}
	wg.Wait()
	require.NoError(t, ra.Err())
	require.NoError(t, rb.Err())
}

// Our own relay prolongs a URI at that URI: a chat outlives the time that it was given many times.
func TestRenewalsWithOurRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n msrptest.Network
		l, err := n.Listen("relay.example.com:2855")
		require.NoError(t, err)
		r, err := relay.New(&relay.Options{Host: "relay.example.com:2855", Authenticator: users, AllowTCP: true})
		require.NoError(t, err)
		defer r.Close()
		require.NoError(t, r.Serve(l))
		var relays [2]*msrp.Relay
		var ends [2]*msrp.Endpoint
		for i, name := range []string{"alice", "bob"} {
			ends[i], err = msrp.New(&msrp.Options{Host: name + ".example.com", Dialer: &n})
			require.NoError(t, err)
			defer ends[i].Close()
			relays[i], err = ends[i].DialRelay(t.Context(), &msrp.RelayOptions{
				URI: "msrp://relay.example.com:2855;tcp", Username: name, Password: users[name], AllowTCP: true, Expires: time.Minute * time.Duration(1+i),
			})
			require.NoError(t, err)
		}
		alice, err := ends[0].NewSession(&msrp.SessionOptions{Relay: relays[0]})
		require.NoError(t, err)
		bob, err := ends[1].NewSession(&msrp.SessionOptions{Relay: relays[1]})
		require.NoError(t, err)
		go bob.Connect(t.Context(), alice.LocalPath(), msrp.Passive, nil)
		require.NoError(t, alice.Connect(t.Context(), bob.LocalPath(), msrp.Active, nil))
		for range 12 {
			time.Sleep(10 * time.Minute)
			d, err := alice.Send(t.Context(), words(strings.Repeat("x", 100)))
			require.NoError(t, err)
			require.NoError(t, d.Wait(t.Context()))
			_, err = bob.Receive(t.Context())
			require.NoError(t, err)
		}
	})
}

// Relays, their sessions and their endpoint end in any order and at any moment, also while they are being dialled or connected. Every call returns, and no goroutine stays.
func TestRelaysComeAndGo(t *testing.T) {
	var n msrptest.Network
	l, err := n.Listen("relay.example.com:2855")
	require.NoError(t, err)
	r, err := relay.New(&relay.Options{Host: "relay.example.com:2855", Authenticator: users, AllowTCP: true, MaxSessions: 1000})
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Serve(l))
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			e, err := msrp.New(&msrp.Options{Host: "alice.example.com", Dialer: &n})
			if err != nil {
				t.Error(err)
				return
			}
			defer e.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			soon := func(f func() error) { time.AfterFunc(rand.N(2*time.Millisecond), func() { f() }) }
			if i%5 == 0 {
				soon(e.Close)
			}
			way, err := e.DialRelay(ctx, &msrp.RelayOptions{URI: "msrp://relay.example.com:2855;tcp", Username: "alice", Password: "secret", AllowTCP: true, Shared: i%2 == 0})
			if err != nil {
				return
			}
			if i%5 == 1 {
				soon(way.Close)
			}
			s, err := e.NewSession(&msrp.SessionOptions{Relay: way})
			if err != nil {
				return
			}
			if i%5 == 2 {
				soon(s.Close)
			}
			peer, err := msrp.ParsePath("msrp://bob.example.com:2855/bob;tcp")
			if err != nil {
				t.Error(err)
			}
			role := msrp.Role(1 + i%2)
			connecting, stop := context.WithTimeout(ctx, rand.N(3*time.Millisecond))
			defer stop()
			s.Connect(connecting, peer, role, nil)
			if i%5 == 3 {
				s.Shutdown(ctx)
			} else {
				s.Close()
			}
			<-s.Done()
			way.Close()
			<-way.Done()
		})
	}
	wg.Wait()
}
