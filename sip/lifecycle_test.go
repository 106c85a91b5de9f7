package sip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestOptions(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	for field, o := range map[string]*Options{
		"Address is required":    nil,
		"Address: not":           {Address: "alice"},
		"Address: only sip":      {Address: "mailto:alice@example.com"},
		"Address has no user":    {Address: "sip:example.com"},
		"Address: not a SIP":     {Address: "sip:alice@example.com\r\nX: y"},
		"DisplayName holds":      {DisplayName: "a\nb"},
		"DisplayName is long":    {DisplayName: long},
		"Username":               {Username: "a\x00"},
		"Password":               {Password: "a\rb"},
		"Realm":                  {Realm: "\xff"},
		"UserAgent":              {UserAgent: "a\r\nb"},
		"MaxCalls":               {MaxCalls: -1},
		"SessionExpires":         {SessionExpires: 89 * time.Second},
		"SessionExpires is long": {SessionExpires: 25 * time.Hour},
		"MessageTypes":           {MessageTypes: []string{"text"}},
		"MessageTypes is long":   {MessageTypes: []string{"text/" + long}},
		"MessageTypes has":       {MessageTypes: make([]string, maxWords+1)},
		"MaxInvitations":         {MaxInvitations: -1},
		"MaxConnections":         {MaxConnections: -1},
	} {
		t.Run(field, func(t *testing.T) {
			if o != nil && o.Address == "" {
				o.Address = "sip:alice@example.com"
			}
			_, err := New(o)
			assert.ErrorContains(t, err, "sip: Options."+strings.TrimSuffix(field, " is long"))
		})
	}
	a, err := New(&Options{Address: "SIP:alice@Example.com;x=y"})
	require.NoError(t, err)
	assert.Equal(t, "alice", a.opts.Username)
	assert.Equal(t, DefaultMaxCalls, a.opts.MaxCalls)
	require.NoError(t, a.Close())
}

func TestListen(t *testing.T) {
	a := newTestAgent(t, &Options{})
	_, err := a.Listen(testContext(t), "unix", "x")
	assert.Error(t, err)
	_, err = a.Listen(testContext(t), "tcp", "127.0.0.1:x")
	assert.Error(t, err)
	_, err = a.Listen(testContext(t), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	_, err = a.Listen(testContext(t), "udp", "127.0.0.1:0")
	assert.Error(t, err, "one UDP socket")
	first, err := a.Listen(testContext(t), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	second, err := a.Listen(testContext(t), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	bob := newTestAgent(t, &Options{}, "tcp")
	for _, addr := range []net.Addr{first, second} {
		done := inviteTo(testContext(t), bob, "sip:a@"+addr.String()+";transport=tcp")
		i, err := a.Accept(testContext(t))
		require.NoError(t, err)
		require.NoError(t, i.Reject(testContext(t), 486, ""))
		assert.Error(t, (<-done).err)
	}

	unix, err := net.Listen("unix", t.TempDir()+"/s")
	require.NoError(t, err)
	assert.Error(t, a.ListenOn("tcp", unix))
	_, err = unix.Accept()
	assert.ErrorIs(t, err, net.ErrClosed, "ListenOn owns it also after an error")

	require.NoError(t, a.Close())
	_, err = a.Listen(testContext(t), "tcp", "127.0.0.1:0")
	assert.ErrorIs(t, err, ErrClosed)
	_, err = a.Listen(testContext(t), "udp", "127.0.0.1:0")
	assert.ErrorIs(t, err, ErrClosed)
}

// On the wildcard address Contact and Via name the address that faces the peer.
func TestWildcard(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		alice, bob := newTestAgent(t, &Options{}), newTestAgent(t, &Options{}, network)
		addr, err := alice.Listen(testContext(t), network, ":0")
		require.NoError(t, err)
		_, port, err := net.SplitHostPort(addr.String())
		require.NoError(t, err)
		done := inviteTo(testContext(t), alice, target(t, bob, network))
		i, err := bob.Accept(testContext(t))
		require.NoError(t, err)
		assert.Equal(t, "sip:bob@127.0.0.1:"+port+";transport="+network, i.request.Contact().Address.String())
		assert.Equal(t, "127.0.0.1:"+port, i.request.Via().SentBy())
		c, err := i.Answer(testContext(t), testMedia("bob"))
		require.NoError(t, err)
		require.NoError(t, (<-done).err)
		require.NoError(t, c.Bye(testContext(t)))
	})
}

// An agent may call itself; on TCP the request must not end up on a connection of somebody else's.
func TestCallSelf(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		a, other := newTestAgent(t, &Options{}, network), newTestAgent(t, &Options{}, network)
		p := &pair{alice: other, bob: a, aliceMedia: testMedia("x"), bobMedia: testMedia("y")}
		p.call(t, network)
		p = &pair{alice: a, bob: a, aliceMedia: testMedia("alice"), bobMedia: testMedia("bob")}
		p.call(t, network)
		require.NoError(t, p.aliceCall.Bye(testContext(t)))
		waitDone(t, p.bobCall.Done())
	})
}

func TestCloseHangsUp(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		leakcheck.Check(t)
		p := newPair(t, network)
		require.NoError(t, p.alice.Close())
		waitDone(t, p.alice.Done())
		assert.ErrorIs(t, p.alice.Err(), ErrClosed)
		assert.ErrorIs(t, p.aliceCall.Err(), ErrClosed)
		waitDone(t, p.bobCall.Done())
		assert.ErrorIs(t, p.bobCall.Err(), ErrEnded)
		require.NoError(t, p.alice.Close(), "again")
	})
}

func TestShutdown(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		p := newPair(t, network)
		require.NoError(t, p.alice.Shutdown(testContext(t)))
		waitDone(t, p.alice.Done())
		assert.ErrorIs(t, p.bobCall.Err(), ErrEnded, "the answer to the BYE came before Shutdown returned")
		_, err := p.alice.Invite(testContext(t), target(t, p.bob, network), testMedia("x"))
		assert.ErrorIs(t, err, ErrClosed)
		_, err = p.alice.Accept(testContext(t))
		assert.ErrorIs(t, err, ErrClosed)
	})
}

func TestShutdownWithSilentPeer(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	u.up(bob)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, bob.Shutdown(ctx), context.DeadlineExceeded)
	waitDone(t, bob.Done())
}

// Close in each of these moments, from several goroutines at once, ends everything within its second and leaves nothing.
func TestCloseAtAnyMoment(t *testing.T) {
	moments := map[string]func(t *testing.T, a *Agent) (wait func()){
		"idle": func(*testing.T, *Agent) func() { return func() {} },
		"Accept": func(t *testing.T, a *Agent) func() {
			done := make(chan error, 1)
			go func() { _, err := a.Accept(context.Background()); done <- err }()
			return func() { assert.ErrorIs(t, <-done, ErrClosed) }
		},
		"INVITE without an answer": func(t *testing.T, a *Agent) func() {
			carol := newPeer(t)
			done := inviteTo(context.Background(), a, carol.target())
			carol.request(gosip.INVITE)
			return func() { assert.ErrorIs(t, (<-done).err, ErrClosed) }
		},
		"INVITE ringing": func(t *testing.T, a *Agent) func() {
			carol := newPeer(t)
			done := inviteTo(context.Background(), a, carol.target())
			carol.respond(carol.request(gosip.INVITE), 180, "")
			return func() {
				assert.ErrorIs(t, (<-done).err, ErrClosed)
				carol.request(gosip.CANCEL)
			}
		},
		"INVITE to a peer that does not accept connections": func(t *testing.T, a *Agent) func() {
			done := inviteTo(context.Background(), a, "sip:x@192.0.2.1;transport=tcp")
			return func() { assert.Error(t, (<-done).err) }
		},
		"invitation waiting": func(t *testing.T, a *Agent) func() {
			u := newUAC(t, a)
			u.write("INVITE", 1, withSDP(peerOffer))
			i, err := a.Accept(testContext(t))
			require.NoError(t, err)
			return func() {
				waitDone(t, i.Done())
				assert.ErrorIs(t, i.Err(), ErrClosed)
				assert.Equal(t, 480, u.final(gosip.INVITE).StatusCode)
			}
		},
		"Answer waiting for ACK": func(t *testing.T, a *Agent) func() {
			u := newUAC(t, a)
			u.write("INVITE", 1, withSDP(peerOffer))
			i, err := a.Accept(testContext(t))
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { _, err := i.Answer(context.Background(), testMedia("x")); done <- err }()
			u.response(200)
			return func() { assert.ErrorIs(t, <-done, ErrClosed) }
		},
		"Bye without an answer": func(t *testing.T, a *Agent) func() {
			u := newUAC(t, a)
			call := u.up(a)
			done := make(chan error, 1)
			go func() { done <- call.Bye(context.Background()) }()
			u.request(gosip.BYE)
			return func() { assert.ErrorIs(t, <-done, ErrClosed) }
		},
	}
	for name, moment := range moments {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			a := newTestAgent(t, &Options{}, "udp", "tcp")
			wait := moment(t, a)
			start := time.Now()
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { assert.NoError(t, a.Close()) })
			}
			wg.Wait()
			assert.Less(t, time.Since(start), closeGrace+4*time.Second)
			waitDone(t, a.Done())
			wait()
		})
	}
}

// A peer on TCP that sends requests and never reads the answers: reading from it stops, the process stays small, and
// Close works.
func TestPeerThatDoesNotRead(t *testing.T) {
	leakcheck.Check(t)
	bob := newTestAgent(t, &Options{}, "tcp")
	ap, _ := bob.listensOn("tcp")
	conn, err := net.Dial("tcp", ap.String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4096))
	stuck := false
	for n := 0; n < 200_000 && !stuck; n++ {
		id := newID()
		require.NoError(t, conn.SetWriteDeadline(time.Now().Add(300*time.Millisecond)))
		_, err := conn.Write([]byte("OPTIONS sip:bob@x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK" + id +
			"\r\nFrom: <sip:c@x>;tag=1\r\nTo: <sip:bob@x>\r\nCall-ID: " + id + "\r\nCSeq: 1 OPTIONS\r\nSubject: " +
			strings.Repeat("x", 2000) + "\r\nContent-Length: 0\r\n\r\n"))
		stuck = err != nil
	}
	assert.True(t, stuck, "we stop reading from it")
	bob.streams.mu.Lock()
	for _, s := range bob.streams.open {
		s.mu.Lock()
		assert.LessOrEqual(t, s.writers, 64*maxWriters) // some more than maxWriters were under way
		s.mu.Unlock()
	}
	bob.streams.mu.Unlock()
	require.NoError(t, bob.Close())
}

// More connections than allowed: the one that was silent longest goes.
func TestMaxConnections(t *testing.T) {
	bob := newTestAgent(t, &Options{MaxConnections: 2}, "tcp")
	ap, _ := bob.listensOn("tcp")
	var conns []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", ap.String())
		require.NoError(t, err)
		defer c.Close()
		conns = append(conns, c)
		require.Eventually(t, func() bool {
			bob.streams.mu.Lock()
			defer bob.streams.mu.Unlock()
			return bob.streams.find(hop{network: "tcp", addr: netip.MustParseAddrPort(c.LocalAddr().String())}) != nil
		}, patience, time.Millisecond)
	}
	require.NoError(t, conns[0].SetReadDeadline(time.Now().Add(patience)))
	_, err := conns[0].Read(make([]byte, 1))
	assert.False(t, errors.Is(err, os.ErrDeadlineExceeded) || err == nil)
	assert.NotErrorIs(t, err, net.ErrClosed)
	bob.streams.mu.Lock()
	assert.Len(t, bob.streams.open, 2)
	bob.streams.mu.Unlock()
}

// Nothing is kept of where datagrams come from, and sipgo has one connection for all of them.
func TestManySources(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	for range 10 {
		u := newUAC(t, bob)
		u.write("OPTIONS", 1, "")
		u.final(gosip.OPTIONS)
	}
	assert.Equal(t, 2, bob.transport.Pool("udp").Size(), "the socket under its address and under the key")
}

// The listener of a caller's, as it is used to record the traffic.
type countingListener struct {
	net.Listener
	mu    sync.Mutex
	conns int
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.conns++
	}
	return c, err
}

func TestListenOn(t *testing.T) {
	bob, alice := newTestAgent(t, &Options{}), newTestAgent(t, &Options{}, "tcp")
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &countingListener{Listener: inner}
	require.NoError(t, bob.ListenOn("tcp", l))
	p := &pair{alice: alice, bob: bob, aliceMedia: testMedia("a"), bobMedia: testMedia("b")}
	p.call(t, "tcp")
	l.mu.Lock()
	defer l.mu.Unlock()
	assert.Equal(t, 1, l.conns)
}

// Two calls to the same peer use one connection.
func TestConnectionReuse(t *testing.T) {
	p := newPair(t, "tcp")
	p.call(t, "tcp")
	p.alice.streams.mu.Lock()
	defer p.alice.streams.mu.Unlock()
	assert.Len(t, p.alice.streams.open, 1)
}

// Calls that dial the same address at the same time end up on one connection.
func TestConcurrentCalls(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		const calls = 10
		alice, bob := newTestAgent(t, &Options{}, network), newTestAgent(t, &Options{}, network)
		var wg sync.WaitGroup
		for range calls {
			wg.Go(func() {
				if i, err := bob.Accept(testContext(t)); assert.NoError(t, err) {
					_, err = i.Answer(testContext(t), testMedia("bob"))
					assert.NoError(t, err)
				}
			})
			wg.Go(func() {
				c, err := alice.Invite(testContext(t), target(t, bob, network), testMedia("alice"))
				if assert.NoError(t, err) {
					assert.NoError(t, c.Bye(testContext(t)))
				}
			})
		}
		wg.Wait()
		alice.streams.mu.Lock()
		defer alice.streams.mu.Unlock()
		assert.LessOrEqual(t, len(alice.streams.open), 1)
	})
}
