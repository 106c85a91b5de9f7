package sip

import (
	"bytes"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/sip/siptest"
)

const (
	inARow = 1000
	atOnce = 200
	burst  = 600
)

// A crowd is two agents in memory of which one calls the other again and again.
type crowd struct {
	t          *testing.T
	network    siptest.Network
	alice, bob *Agent
	target     string
	goroutines int // at the beginning
}

func newCrowd(t *testing.T, network string, datagrams func(from, to netip.AddrPort, payload []byte) []time.Duration) *crowd {
	t.Helper()
	c := &crowd{t: t, target: "sip:bob@192.0.2.2;transport=" + network}
	c.network.Datagrams = datagrams
	c.alice, c.bob = c.agent("alice", "192.0.2.1"), c.agent("bob", "192.0.2.2")
	go c.answer()
	c.call() // opens the connection
	c.goroutines = c.settled()
	return c
}

func (c *crowd) agent(name, ip string) *Agent {
	c.t.Helper()
	h := c.network.Host(ip)
	a, err := New(&Options{Address: "sip:" + name + "@example.com", MaxCalls: 2 * (burst + 1), MaxInvitations: burst, Dialer: h})
	require.NoError(c.t, err)
	h.Attach(c.t, a)
	return a
}

// answer takes every call, until bob is closed.
func (c *crowd) answer() {
	for {
		i, err := c.bob.Accept(c.t.Context())
		if err != nil {
			return
		}
		go func() { _, _ = i.Answer(c.t.Context(), testMedia("bob")) }() // alice tells what came of it
	}
}

func (c *crowd) call() {
	call, err := c.alice.Invite(c.t.Context(), c.target, testMedia("alice"))
	if assert.NoError(c.t, err) {
		assert.NoError(c.t, call.Bye(c.t.Context()))
	}
}

// settled lets every timer of RFC 3261 pass and returns the number of goroutines that are left in the bubble.
func (c *crowd) settled() int {
	time.Sleep(3 * 64 * gosip.T1)
	synctest.Wait()
	stacks := make([]byte, 1<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("synctest bubble"))
}

// leaves checks that nothing is left of all the calls.
func (c *crowd) leaves() {
	c.t.Helper()
	assert.LessOrEqual(c.t, c.settled(), c.goroutines)
	for _, a := range []*Agent{c.alice, c.bob} {
		assert.Equal(c.t, remains{}, remainsOf(a))
	}
}

// remains is what an agent keeps for its peers.
type remains struct {
	calls, outgoing, invitations, queue int
	serving, servingBytes               int64 // server transactions
}

func remainsOf(a *Agent) remains {
	a.mu.Lock()
	defer a.mu.Unlock()
	return remains{len(a.calls), len(a.outgoing), len(a.invitations), len(a.queue), a.serving.Load(), a.servingBytes.Load()}
}

func bothNetworks(t *testing.T, f func(t *testing.T, network string)) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, network) })
		})
	}
}

func TestThousandCallsInARow(t *testing.T) {
	bothNetworks(t, func(t *testing.T, network string) {
		c := newCrowd(t, network, nil)
		for range inARow {
			c.call()
		}
		c.leaves()
	})
}

func TestTwoHundredCallsAtOnce(t *testing.T) {
	bothNetworks(t, func(t *testing.T, network string) {
		c := newCrowd(t, network, nil)
		var wg sync.WaitGroup
		for range atOnce {
			wg.Go(c.call)
		}
		wg.Wait()
		c.leaves()
	})
}

// More calls at once than the connection between two agents holds messages: neither stops reading to wait for the other.
func TestBurstOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, "tcp", nil)
		begin := time.Now()
		var wg sync.WaitGroup
		for range burst {
			wg.Go(c.call)
		}
		wg.Wait()
		assert.Zero(t, time.Since(begin))
		c.leaves()
	})
}

// The peer vanishes while the calls are up, and while they are set up. Each ends within its RFC timer.
func TestTwoHundredCallsWithAPeerThatVanishes(t *testing.T) {
	bothNetworks(t, func(t *testing.T, network string) {
		c := newCrowd(t, network, nil)
		var up []*Call
		for range atOnce {
			call, err := c.alice.Invite(t.Context(), c.target, testMedia("alice"))
			require.NoError(t, err)
			up = append(up, call)
		}
		c.network.Host("192.0.2.2").Unplug()
		begin := time.Now()
		var wg sync.WaitGroup
		for _, call := range up {
			wg.Go(func() { assert.Error(t, call.Bye(t.Context())) })
			wg.Go(func() {
				_, err := c.alice.Invite(t.Context(), c.target, testMedia("alice"))
				assert.Error(t, err)
			})
		}
		wg.Wait()
		if network == "udp" {
			assert.Equal(t, 64*gosip.T1, time.Since(begin), "timers B and F")
		} else { // what no longer fits into the connection fails with it
			assert.LessOrEqual(t, time.Since(begin), writeTimeout+64*gosip.T1)
		}
		c.settled()
		assert.Equal(t, remains{}, remainsOf(c.alice))
	})
}

// A network that repeats everything, at once and a little later.
func TestEveryDatagramTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, "udp", func(netip.AddrPort, netip.AddrPort, []byte) []time.Duration {
			return []time.Duration{0, 0, time.Millisecond}
		})
		for range atOnce {
			c.call()
		}
		c.leaves()
	})
}

// A network that loses one datagram of five.
func TestLostDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		c := newCrowd(t, "udp", func(netip.AddrPort, netip.AddrPort, []byte) []time.Duration {
			if sent.Add(1)%5 == 0 {
				return nil
			}
			return []time.Duration{time.Millisecond}
		})
		for range atOnce {
			c.call()
		}
		c.leaves()
	})
}

// Over real sockets no descriptor is left either, of 500 calls over each network.
func TestCallsLeaveNoDescriptor(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		foreign.Missing(t, "/proc/self/fd, where a system tells its file descriptors,")
	}
	networks(t, func(t *testing.T, network string) {
		alice, bob := newTestAgent(t, &Options{}, network), newTestAgent(t, &Options{}, network)
		c := &crowd{t: t, alice: alice, bob: bob, target: target(t, bob, network)}
		go c.answer()
		c.call()
		before := descriptors(t)
		for range inARow / 20 {
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(c.call)
			}
			wg.Wait()
		}
		assert.LessOrEqual(t, descriptors(t), before)
		require.NoError(t, alice.Close())
		require.NoError(t, bob.Close())
		assert.Less(t, descriptors(t), before)
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}
