package kamailio_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/sip"
)

func TestRFC3261_10_2_RegisterAndUnregister(t *testing.T) {
	overNetworks(t, func(t *testing.T, k *kamailio.Proxy, network string) {
		alice, bob := newAgent(t, k, network, "alice"), newAgent(t, k, network, "bob")
		r, err := bob.Register(testContext(t), &sip.RegisterOptions{Expires: 10 * time.Minute, Q: 0.5})
		require.NoError(t, err)
		s := r.State()
		assert.True(t, s.Registered)
		assert.WithinDuration(t, time.Now().Add(10*time.Minute), s.Expires, patience)
		assert.Contains(t, s.Contact, "sip:bob@")
		assert.Len(t, s.ServiceRoute, 1)
		assert.NoError(t, s.Err)
		a, b := call(t, alice, bob, address("bob"))
		hangUp(t, a, b)

		require.NoError(t, r.Shutdown(testContext(t)))
		waitFor(t, r.Done(), "not over")
		_, err = alice.Invite(testContext(t), address("bob"), side("caller"))
		require.ErrorIs(t, err, sip.ErrUnavailable)
	})
}

func TestRFC3261_22_WrongPassword(t *testing.T) {
	overNetworks(t, func(t *testing.T, k *kamailio.Proxy, network string) {
		a := newAgent(t, k, network, "alice", func(o *sip.Options) { o.Password = "wrong" })
		_, err := a.Register(testContext(t), nil)
		var status *sip.StatusError
		require.ErrorAs(t, err, &status)
		assert.Equal(t, 401, status.Code)
		a = newAgent(t, k, network, "alice", func(o *sip.Options) { o.Username = "bob" })
		_, err = a.Register(testContext(t), nil)
		require.ErrorAs(t, err, &status)
		assert.Equal(t, 403, status.Code)
	})
}

func TestRFC3261_10_3_IntervalTooBrief(t *testing.T) {
	k := kamailio.StartProxy(t, "MIN_EXPIRES=120")
	r := register(t, newAgent(t, k, "udp", "alice"), &sip.RegisterOptions{Expires: time.Minute})
	assert.WithinDuration(t, time.Now().Add(2*time.Minute), r.State().Expires, patience)
}

// The registrar keeps bindings for seconds, and the agent stays registered.
func TestRFC3261_10_2_4_Refresh(t *testing.T) {
	t.Parallel() // most of it is waiting
	k := kamailio.StartProxy(t, "MAX_EXPIRES=8")
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			r := register(t, newAgent(t, k, network, "alice"), nil)
			s := r.State()
			require.WithinRange(t, s.Expires, time.Now(), time.Now().Add(8*time.Second))
			await(t, r, func(now sip.RegistrationState) bool {
				require.True(t, now.Registered)
				return now.Expires.After(s.Expires)
			})
			assert.Equal(t, s.Contact, r.State().Contact)
		})
	}
}

// The registrar lists the bindings of all agents of an address; each knows its own, and takes only that away.
func TestRFC3261_10_2_4_SeveralBindings(t *testing.T) {
	overNetworks(t, func(t *testing.T, k *kamailio.Proxy, network string) {
		alice, phone, desk := newAgent(t, k, network, "alice"), newAgent(t, k, network, "bob"), newAgent(t, k, network, "bob")
		p, err := phone.Register(testContext(t), &sip.RegisterOptions{Expires: 10 * time.Minute})
		require.NoError(t, err)
		d := register(t, desk, &sip.RegisterOptions{Expires: 20 * time.Minute})
		assert.WithinDuration(t, time.Now().Add(10*time.Minute), p.State().Expires, patience)
		assert.WithinDuration(t, time.Now().Add(20*time.Minute), d.State().Expires, patience)
		assert.NotEqual(t, p.State().Contact, d.State().Contact)
		require.NoError(t, p.Shutdown(testContext(t)))
		a, b := call(t, alice, desk, address("bob"))
		hangUp(t, b, a)
	})
}

const (
	phoneID = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
	deskID  = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf7"
)

// A GRUU reaches one of bob's agents, before the call and within it.
func TestRFC5627_5_CallToAGRUU(t *testing.T) {
	overNetworks(t, func(t *testing.T, k *kamailio.Proxy, network string) {
		alice, phone, desk := newUser(t, k, network, "alice", instance("urn:uuid:0a")), newAgent(t, k, network, "bob", instance(phoneID)), newAgent(t, k, network, "bob", instance(deskID))
		p, d := register(t, phone, nil), register(t, desk, nil)
		require.NotEmpty(t, d.State().GRUU)
		require.NotEmpty(t, d.State().TemporaryGRUU)
		require.NotEqual(t, p.State().GRUU, d.State().GRUU)
		for _, target := range []string{d.State().GRUU, d.State().TemporaryGRUU} {
			a, b := call(t, alice, desk, target)
			hangUp(t, a, b)
			a, b = call(t, alice, desk, target)
			hangUp(t, b, a)
		}
	})
}

func instance(id string) func(*sip.Options) {
	return func(o *sip.Options) { o.InstanceID = id }
}

// pongs is a Dialer that counts the pongs on its connections.
type pongs chan struct{}

func (p pongs) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &pongConn{c, p}, nil
}

type pongConn struct {
	net.Conn
	pongs pongs
}

func (c *pongConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if string(b[:n]) == "\r\n" {
		c.pongs <- struct{}{}
	}
	return n, err
}

// Kamailio answers our pings, and the connection is good for calls meanwhile.
func TestRFC5626_3_5_1_Pongs(t *testing.T) {
	t.Parallel() // most of it is waiting
	k := kamailio.StartProxy(t)
	count := make(pongs, 1000)
	alice := newUser(t, k, "tcp", "alice", func(o *sip.Options) { o.Dialer, o.KeepAlive = count, time.Second })
	bob := newUser(t, k, "tcp", "bob")
	for range 3 {
		a, b := call(t, bob, alice, address("alice"))
		select {
		case <-count:
		case <-time.After(patience):
			require.Fail(t, "no pong")
		}
		hangUp(t, a, b)
	}
}
