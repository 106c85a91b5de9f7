package sip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// follow answers each offer of the peer's that moves the session, with a path of our own that moves too.
func follow(ctx context.Context, c *Call, name string) {
	for n := 0; ; n++ {
		r, err := c.AcceptReinvite(ctx)
		if err != nil {
			return
		}
		m := testMedia(fmt.Sprintf("%s-answer-%d", name, n))
		_ = r.Answer(ctx, m) // canceled, or too late
	}
}

// Both sides change the session at once and again and again, by moves and holds, over a network that loses, repeats, delays and reorders:
// the call stays up, and in the end both sides agree on what it is.
func TestRFC3261_14_ReinvitesFromBothSides(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				random := rand.New(rand.NewPCG(seed, 1))
				network := &siptest.Network{Datagrams: func(_, _ netip.AddrPort, _ []byte) (times []time.Duration) {
					mu.Lock()
					defer mu.Unlock()
					for range 2 - random.IntN(4)/3 - random.IntN(4)/2 { // mostly one
						times = append(times, time.Duration(random.IntN(30))*time.Millisecond)
					}
					return times
				}}
				p := onNetwork(t, network, "udp")
				ctx, cancel := context.WithCancel(t.Context())
				var followers, changers sync.WaitGroup
				done := 0
				for name, c := range map[string]*Call{"alice": p.aliceCall, "bob": p.bobCall} {
					followers.Go(func() { follow(ctx, c, name) })
					changers.Go(func() {
						for n := range 8 {
							m := testMedia(fmt.Sprintf("%s-offer-%d", name, n))
							if n%2 == 1 {
								m.Path = c.Local().Path
								m.Direction = []Direction{SendOnly, SendRecv}[n/2%2]
							}
							err := c.Reinvite(ctx, m) // refused where it met another too often
							mu.Lock()
							if err == nil {
								done++
							}
							pause := time.Duration(random.IntN(300)) * time.Millisecond
							mu.Unlock()
							time.Sleep(pause)
						}
					})
				}
				changers.Wait()
				assert.Greater(t, done, 8, "of 16")
				time.Sleep(time.Minute)
				require.NoError(t, p.aliceCall.Err())
				require.NoError(t, p.bobCall.Err())
				for _, c := range [][2]*Media{{p.aliceCall.Local(), p.bobCall.Remote()}, {p.bobCall.Local(), p.aliceCall.Remote()}} {
					assert.Equal(t, c[0].Path, c[1].Path)
					assert.Equal(t, c[0].Setup, c[1].Setup)
					assert.Equal(t, c[0].Direction, c[1].Direction)
				}
				assert.NotEqual(t, p.aliceCall.Local().Setup, p.bobCall.Local().Setup)
				cancel()
				followers.Wait()
				assert.NoError(t, p.aliceCall.Bye(t.Context()))
				<-p.bobCall.Done()
				assert.ErrorIs(t, p.bobCall.Err(), ErrEnded)
			})
		})
	}
}

// The connection of a dialog is gone: the next request of either side opens another, to where Contact says (RFC 3261 §18.1.1).
func TestRFC3261_18_1_1_ConnectionOfACallIsGone(t *testing.T) {
	for _, bobs := range []bool{false, true} {
		t.Run(fmt.Sprint(bobs), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := new(siptest.Network)
				p := onNetwork(t, network, "tcp")
				network.Host("192.0.2.1").Cut()
				synctest.Wait()
				ours, theirs := p.aliceCall, p.bobCall
				if bobs {
					ours, theirs = theirs, ours
				}
				m := ours.Local()
				m.Direction = SendOnly
				require.NoError(t, ours.Reinvite(t.Context(), m))
				assert.Equal(t, RecvOnly, theirs.Local().Direction)
				network.Host("192.0.2.1").Cut()
				synctest.Wait()
				require.NoError(t, ours.Bye(t.Context()))
				<-theirs.Done()
				assert.ErrorIs(t, theirs.Err(), ErrEnded)
			})
		})
	}
}

// A hold ends when the side that began it says so, whoever placed the call (RFC 3264 §8.4).
func TestRFC3264_8_4_HoldAndResume(t *testing.T) {
	for _, bobs := range []bool{false, true} {
		t.Run(fmt.Sprint(bobs), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := onNetwork(t, new(siptest.Network), "udp")
				ours, theirs := p.aliceCall, p.bobCall
				if bobs {
					ours, theirs = theirs, ours
				}
				for _, c := range []struct{ says, ours, theirs Direction }{
					{SendOnly, SendOnly, RecvOnly}, {Inactive, Inactive, Inactive}, {SendRecv, SendRecv, SendRecv},
				} {
					changed := theirs.Changed()
					m := ours.Local()
					m.Direction = c.says
					require.NoError(t, ours.Reinvite(t.Context(), m))
					<-changed
					assert.Equal(t, c.ours, ours.Local().Direction)
					assert.Equal(t, c.theirs, ours.Remote().Direction)
					assert.Equal(t, c.theirs, theirs.Local().Direction)
					assert.Equal(t, c.ours, theirs.Remote().Direction)
				}
			})
		})
	}
}

// onNetwork is a call between two agents on a network in memory.
func onNetwork(t *testing.T, network *siptest.Network, transport string) *pair {
	t.Helper()
	p := &pair{aliceMedia: testMedia("alice"), bobMedia: testMedia("bob")}
	for ip, a := range map[string]**Agent{"192.0.2.1": &p.alice, "192.0.2.2": &p.bob} {
		agent, err := New(&Options{Address: "sip:x@example.com", Dialer: network.Host(ip)})
		require.NoError(t, err)
		network.Host(ip).Attach(t, agent)
		*a = agent
	}
	p.call(t, transport)
	return p
}

// Either side changes the session over every transport, also where only one of them listens; a call of a sips URI stays with sips.
func TestRFC3261_14_1_ReinviteOverEveryTransport(t *testing.T) {
	config := secured(t, "127.0.0.1")
	for _, target := range []string{"sip tcp", "sip tls", "sip ws", "sip wss", "sips tls", "sips wss"} {
		t.Run(target, func(t *testing.T) {
			scheme, network, _ := strings.Cut(target, " ")
			alice := newTestAgent(t, &Options{Address: "sip:alice@example.com", TLS: config})
			bob := newTestAgent(t, &Options{TLS: config}, network)
			transport := map[string]string{"sip tls": "tls", "sip wss": "wss", "sip tcp": "tcp", "sip ws": "ws", "sips tls": "tcp", "sips wss": "ws"}[target]
			done := inviteTo(testContext(t), alice, scheme+":bob@"+listenAddr(t, bob, network).String()+";transport="+transport)
			i, err := bob.Accept(testContext(t))
			require.NoError(t, err)
			c, err := i.Answer(testContext(t), testMedia("bob"))
			require.NoError(t, err)
			made := <-done
			require.NoError(t, made.err)
			for _, p := range [][2]*Call{{made.call, c}, {c, made.call}} {
				m := p[0].Local()
				m.Direction = Inactive
				require.NoError(t, p[0].Reinvite(testContext(t), m))
				assert.Equal(t, Inactive, p[1].Local().Direction)
				m.Direction = SendRecv
				require.NoError(t, p[0].Reinvite(testContext(t), m))
				assert.Equal(t, SendRecv, p[1].Local().Direction)
				p[1].mu.Lock()
				assert.Contains(t, p[1].dialog.target.Scheme, scheme) // wss has sips in any case
				p[1].mu.Unlock()
			}
			require.NoError(t, c.Bye(testContext(t)))
			waitDone(t, made.call.Done())
		})
	}
}
