package sip

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// A stage is an agent at 192.0.2.1 on a network in memory, where timers pass at once, and a peer at 192.0.2.2 that talks to it over UDP.
type stage struct {
	*siptest.Peer
	t     *testing.T
	net   *siptest.Network
	agent *Agent
}

func onStage(t *testing.T, o Options, f func(t *testing.T, b *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if o.Address == "" {
			o.Address = "sip:bob@example.com"
		}
		network := new(siptest.Network)
		if o.Dialer == nil {
			o.Dialer = network.Host("192.0.2.1")
		}
		a, err := New(&o)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, a.Close()) })
		b := &stage{t: t, net: network, agent: a}
		c, err := b.net.Host("192.0.2.1").ListenPacket(5060)
		require.NoError(t, err)
		require.NoError(t, a.ListenPacketOn(c))
		b.Peer = b.peer("192.0.2.2")
		f(t, b)
	})
}

func (b *stage) peer(ip string) *siptest.Peer {
	p := siptest.NewPeer(b.t, b.net.Host(ip))
	p.Dial("udp", "192.0.2.1:5060")
	return p
}

// invite calls the peer and returns the INVITE that it gets.
func (b *stage) invite(ctx context.Context) (*siptest.Message, <-chan invited) {
	b.t.Helper()
	done := inviteTo(ctx, b.agent, b.URI("udp"))
	return b.Request("INVITE"), done
}

// offer calls the agent, and returns the INVITE and what Accept returns.
func (b *stage) offer(headers string) (*siptest.Message, *Invitation) {
	b.t.Helper()
	invite := b.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\n" + headers + b.SDP("active"))
	i, err := b.agent.Accept(b.t.Context())
	require.NoError(b.t, err)
	return invite, i
}

// answer answers an invitation in the background.
func answer(ctx context.Context, i *Invitation) <-chan invited {
	done := make(chan invited, 1)
	go func() {
		c, err := i.Answer(ctx, testMedia("bob"))
		done <- invited{c, err}
	}()
	return done
}
