package kamailio_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/sip"
)

// networks are those by which an agent can reach a proxy. It listens on UDP alone; on connected ones it is reached by the connection that it has opened.
var (
	networks  = append([]string{"udp"}, connected...)
	connected = []string{"tcp", "tls", "ws", "wss"}
)

// overNetworks runs f with a registrar for each network that an agent may reach it by.
func overNetworks(t *testing.T, f func(t *testing.T, k *kamailio.Proxy, network string)) {
	k := kamailio.StartProxy(t)
	for _, network := range networks {
		t.Run(network, func(t *testing.T) { f(t, k, network) })
	}
}

// newAgent makes an agent for a user of the domain, which reaches the proxy by a network, or finds it by itself if k is nil.
func newAgent(t *testing.T, k *kamailio.Proxy, network, user string, amend ...func(*sip.Options)) *sip.Agent {
	t.Helper()
	o := &sip.Options{
		Address: address(user), Password: kamailio.Password, Realm: kamailio.Domain,
	}
	if k != nil {
		o.OutboundProxy = k.URI(network)
		o.TLS = &tls.Config{RootCAs: k.Roots}
	}
	for _, f := range amend {
		f(o)
	}
	a, err := sip.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.Close()) })
	if network == "udp" {
		listen(t, a, network)
	}
	return a
}

func listen(t *testing.T, a *sip.Agent, network string) (port string) {
	t.Helper()
	addr, err := a.Listen(testContext(t), network, "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err = net.SplitHostPort(addr.String())
	require.NoError(t, err)
	return port
}

func address(user string) string { return "sip:" + user + "@" + kamailio.Domain }

// register registers an agent, until the end of the test.
func register(t *testing.T, a *sip.Agent, o *sip.RegisterOptions) *sip.Registration {
	t.Helper()
	r, err := a.Register(testContext(t), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Shutdown(testContext(t))) })
	return r
}

// newUser makes an agent that is registered.
func newUser(t *testing.T, k *kamailio.Proxy, network, user string, amend ...func(*sip.Options)) *sip.Agent {
	t.Helper()
	a := newAgent(t, k, network, user, amend...)
	register(t, a, nil)
	return a
}

func side(id string) *sip.Media {
	return &sip.Media{Path: []string{"msrp://127.0.0.1:2855/" + id + ";tcp"}, AcceptTypes: []string{"message/cpim", "text/plain"}}
}

// call places a call, which the other answers, and checks what each learns of the other.
func call(t *testing.T, from, to *sip.Agent, target string) (caller, callee *sip.Call) {
	t.Helper()
	answered := make(chan error, 1)
	go func() {
		i, err := to.Accept(testContext(t))
		if err == nil {
			err = i.Ring(testContext(t))
		}
		if err == nil {
			callee, err = i.Answer(testContext(t), side("callee"))
		}
		answered <- err
	}()
	caller, err := from.Invite(testContext(t), target, side("caller"))
	require.NoError(t, err)
	require.NoError(t, <-answered)
	require.Equal(t, side("callee").Path, caller.Remote().Path)
	require.Equal(t, side("caller").Path, callee.Remote().Path)
	return caller, callee
}

func waitFor(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		require.Fail(t, what)
	}
}

// hangUp ends a call from one side and waits for the other.
func hangUp(t *testing.T, c, other *sip.Call) {
	t.Helper()
	require.NoError(t, c.Bye(testContext(t)))
	waitFor(t, other.Done(), "no BYE")
	assert.ErrorIs(t, other.Err(), sip.ErrEnded)
}

func TestRFC3261_16_CallThroughAProxy(t *testing.T) {
	overNetworks(t, func(t *testing.T, k *kamailio.Proxy, network string) {
		alice, bob := newUser(t, k, network, "alice"), newUser(t, k, network, "bob")
		a, b := call(t, alice, bob, address("bob"))
		assert.Equal(t, address("bob"), a.RemoteAddress())
		assert.Equal(t, address("alice"), b.RemoteAddress())
		hangUp(t, a, b)
		a, b = call(t, alice, bob, address("bob"))
		hangUp(t, b, a)
	})
}

// The two sides of a call need not reach the proxy in the same way.
func TestRFC3261_16_CallFromOneNetworkToAnother(t *testing.T) {
	k := kamailio.StartProxy(t)
	alice, bob := newUser(t, k, "udp", "alice"), newUser(t, k, "tcp", "bob")
	a, b := call(t, alice, bob, address("bob"))
	hangUp(t, b, a)
	b, a = call(t, bob, alice, address("alice"))
	hangUp(t, b, a)
}

// An agent that listens is reached there and not over the connection that it has opened.
func TestRFC3261_18_2_AgentsThatListen(t *testing.T) {
	k := kamailio.StartProxy(t)
	for _, network := range []string{"tcp", "tls"} { // Kamailio opens no WebSocket
		t.Run(network, func(t *testing.T) {
			cert, _ := certtest.New(t, "127.0.0.1")
			certified := func(o *sip.Options) { o.TLS.Certificates = []tls.Certificate{cert} }
			alice, bob := newAgent(t, k, network, "alice", certified), newAgent(t, k, network, "bob", certified)
			listen(t, alice, network)
			port := listen(t, bob, network)
			assert.Contains(t, register(t, bob, nil).State().Contact, ":"+port)
			a, b := call(t, alice, bob, address("bob"))
			hangUp(t, b, a)
		})
	}
}

// A hold, a moved session, and offers that cross, all through the proxy.
func TestRFC3261_14_ReinviteThroughAProxy(t *testing.T) {
	overNetworks(t, func(t *testing.T, k *kamailio.Proxy, network string) {
		alice, bob := newUser(t, k, network, "alice"), newUser(t, k, network, "bob")
		a, b := call(t, alice, bob, address("bob"))
		for _, c := range [][2]*sip.Call{{a, b}, {b, a}} {
			hold := c[0].Local()
			hold.Direction = sip.SendOnly
			require.NoError(t, c[0].Reinvite(testContext(t), hold))
			assert.Equal(t, sip.RecvOnly, c[1].Local().Direction)
			hold.Direction = sip.SendRecv
			require.NoError(t, c[0].Reinvite(testContext(t), hold))
			assert.Equal(t, sip.SendRecv, c[1].Local().Direction)
		}
		moved := make(chan error, 1)
		go func() {
			r, err := b.AcceptReinvite(testContext(t))
			if err == nil {
				err = r.Answer(testContext(t), side("there"))
			}
			moved <- err
		}()
		for b.Remote().Path[0] != side("elsewhere").Path[0] { // refused until bob follows
			err := a.Reinvite(testContext(t), side("elsewhere"))
			if !errors.Is(err, sip.ErrNotAcceptable) {
				require.NoError(t, err)
			}
		}
		require.NoError(t, <-moved)
		assert.Equal(t, side("there").Path, a.Remote().Path)
		assert.Equal(t, side("elsewhere").Path, b.Remote().Path)
		hangUp(t, b, a)
	})
}

func TestRFC3261_14_1_GlareThroughAProxy(t *testing.T) {
	k := kamailio.StartProxy(t)
	alice, bob := newUser(t, k, "udp", "alice"), newUser(t, k, "tcp", "bob")
	a, b := call(t, alice, bob, address("bob"))
	errs := make(chan error, 2)
	for _, c := range []*sip.Call{a, b} {
		hold := c.Local()
		hold.Direction = sip.Inactive
		go func() { errs <- c.Reinvite(testContext(t), hold) }()
	}
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
	assert.Equal(t, sip.Inactive, a.Local().Direction)
	assert.Equal(t, sip.Inactive, b.Local().Direction)
	hangUp(t, a, b)
}

func TestRFC3261_16_Refusals(t *testing.T) {
	overNetworks(t, func(t *testing.T, k *kamailio.Proxy, network string) {
		alice, bob := newUser(t, k, network, "alice"), newUser(t, k, network, "bob")
		refusals(t, alice, bob)
		mallory := newAgent(t, k, network, "mallory", func(o *sip.Options) { o.Password = "wrong" })
		_, err := mallory.Invite(testContext(t), address("bob"), side("caller"))
		var status *sip.StatusError
		require.ErrorAs(t, err, &status)
		assert.Equal(t, 407, status.Code)
	})
}

// refusals are calls to nobody and to somebody who is busy.
func refusals(t *testing.T, alice, bob *sip.Agent) {
	t.Helper()
	_, err := alice.Invite(testContext(t), address("nobody"), side("caller"))
	require.ErrorIs(t, err, sip.ErrUnavailable)
	refused := make(chan error, 1)
	go func() {
		i, err := bob.Accept(testContext(t))
		if err == nil {
			err = i.Reject(testContext(t), 486, "Busy")
		}
		refused <- err
	}()
	_, err = alice.Invite(testContext(t), address("bob"), side("caller"))
	require.ErrorIs(t, err, sip.ErrBusy)
	require.NoError(t, <-refused)
}

func TestRFC3261_9_1_CancelThroughAProxy(t *testing.T) {
	overNetworks(t, func(t *testing.T, k *kamailio.Proxy, network string) {
		cancels(t, newUser(t, k, network, "alice"), newUser(t, k, network, "bob"))
	})
}

// cancels is a call that is given up while it rings.
func cancels(t *testing.T, alice, bob *sip.Agent) {
	t.Helper()
	ctx, giveUp := context.WithCancel(testContext(t))
	over := make(chan error, 1)
	go func() {
		_, err := alice.Invite(ctx, address("bob"), side("caller"))
		over <- err
	}()
	i, err := bob.Accept(testContext(t))
	require.NoError(t, err)
	require.NoError(t, i.Ring(testContext(t)))
	giveUp()
	require.ErrorIs(t, <-over, context.Canceled)
	waitFor(t, i.Done(), "no CANCEL")
	assert.ErrorIs(t, i.Err(), sip.ErrCanceled)
}

// Both agents of bob's ring; the first that answers has the call, and the proxy tells the other why it is canceled.
func TestRFC3261_16_7_FirstAnswerWins(t *testing.T) {
	overNetworks(t, func(t *testing.T, k *kamailio.Proxy, network string) {
		alice := newUser(t, k, network, "alice")
		bobs := []*sip.Agent{newUser(t, k, network, "bob"), newUser(t, k, network, "bob")}
		ringing := make(chan *sip.Invitation, len(bobs))
		for _, bob := range bobs {
			go func() {
				i, err := bob.Accept(testContext(t))
				assert.NoError(t, err)
				assert.NoError(t, i.Ring(testContext(t)))
				ringing <- i
			}()
		}
		called := make(chan *sip.Call, 1)
		go func() {
			c, err := alice.Invite(testContext(t), address("bob"), side("caller"))
			assert.NoError(t, err)
			called <- c
		}()
		first, second := <-ringing, <-ringing
		c, err := first.Answer(testContext(t), side("callee"))
		require.NoError(t, err)
		waitFor(t, second.Done(), "no CANCEL")
		assert.ErrorIs(t, second.Err(), sip.ErrCanceled)
		assert.ErrorIs(t, second.Err(), sip.ErrAnsweredElsewhere)
		hangUp(t, c, <-called)
	})
}
