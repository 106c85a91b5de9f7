package relay

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// heap is what the process has in use.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// 1,000 connections that trickle one byte a second are gone after 30 s, and have cost little.
func TestAbuseTrickle(t *testing.T) {
	const crowd = 1000
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		g.n.Record = -1
		before, begun := heap(), time.Now()
		request := "MSRP trickle AUTH\r\nTo-Path: " + bareHost.String() + "\r\nFrom-Path: " // and so on
		var all sync.WaitGroup
		for range crowd {
			nc, err := g.n.DialContext(context.Background(), "tcp", "relay.example.com:2855")
			require.NoError(t, err)
			all.Go(func() {
				defer nc.Close()
				for i := 0; ; i++ {
					if _, err := nc.Write([]byte{request[i%len(request)]}); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			})
		}
		for range 7 {
			g.serves(alice, bob)
			time.Sleep(4 * time.Second)
		}
		require.Equal(t, crowd, g.holds().Unauthenticated)
		require.Less(t, (heap()-before)/crowd, 64<<10, "bytes each, with the test's own")
		all.Wait()
		require.LessOrEqual(t, time.Since(begun), 32*time.Second)
		require.Equal(t, Stats{Connections: 2, Sessions: 2, Users: 2}, g.holds())
	})
}

// Who has no room for more strangers closes the oldest of them, and nobody else.
func TestAbuseCrowd(t *testing.T) {
	abused(t, &Options{MaxUnauthenticated: 10}, func(t *testing.T, g *rig, alice, bob *client) {
		var crowd []*client
		for i := range 100 {
			crowd = append(crowd, g.stranger())
			synctest.Wait()
			if i >= 10 {
				crowd[i-10].gone()
			}
			require.Equal(t, min(i+1, 10), g.holds().Unauthenticated)
			if i%10 == 0 {
				g.client("carol") // comes in though there is a crowd
				g.serves(alice, bob)
				crowd = crowd[:len(crowd):len(crowd)]
			}
		}
	})
}

// at is a stranger that comes from an address.
func (g *rig) at(a netip.Addr) *client {
	active, passive, _ := msrptest.Pipe()
	g.r.ServeConn(addressed{passive, a})
	g.Cleanup(func() { active.Close() })
	g.p++
	c := &client{Peer: msrptest.PeerOn(active), g: g}
	c.Path = mustPath(fmt.Sprintf("msrp://client%d.example.com:2855/session%[1]d;tcp", g.p))
	return c
}

type addressed struct {
	net.Conn
	from netip.Addr
}

func (a addressed) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.from, 50000))
}

// lingering takes its time to close, as TLS does with a peer that does not read.
type lingering struct{ net.Conn }

func (l lingering) Close() error {
	time.Sleep(alertTime)
	return l.Conn.Close()
}

const alertTime = 100 * time.Millisecond

// Newcomers do not wait until those have gone that make room for them.
func TestAbuseCrowdThatLingers(t *testing.T) {
	abused(t, &Options{MaxUnauthenticated: 10}, func(t *testing.T, g *rig, alice, bob *client) {
		begun := time.Now()
		for range 100 {
			active, passive, _ := msrptest.Pipe()
			defer active.Close()
			g.r.ServeConn(lingering{passive})
		}
		carol := g.stranger()
		carol.auth("carol")
		require.Zero(t, time.Since(begun))
		time.Sleep(alertTime)
		require.Equal(t, 3+9, g.holds().Connections)
	})
}

// lazy is an Authenticator that takes its time.
type lazy struct {
	Users
	takes atomic.Int64
}

func (l *lazy) HA1(ctx context.Context, username, realm string, a Algorithm) (string, error) {
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(time.Duration(l.takes.Load())):
		return l.Users.HA1(ctx, username, realm, a)
	}
}

// An Authenticator that is slow, or gives no answer, is nobody's trouble but of those who ask for it.
func TestAbuseAuthFlood(t *testing.T) {
	for name, takes := range map[string]time.Duration{"slow": time.Second, "deaf": time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := &lazy{Users: users}
			abused(t, &Options{Authenticator: s}, func(t *testing.T, g *rig, alice, bob *client) {
				s.takes.Store(int64(takes))
				goroutines := runtime.NumGoroutine()
				var crowd []*client
				for i := range 25 {
					mallory := g.at(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
					crowd = append(crowd, mallory)
					go io.Copy(io.Discard, mallory.Conn)
					go func() {
						c := &digest.Challenge{Realm: "relay.example.com", Nonce: "x"}
						for i := 0; ; i++ {
							f := wire(fmt.Sprintf("flood%d", i), msrp.MethodAuth, bareHost, mallory.Path, "")
							head, _, _ := strings.Cut(f, "Content-Type")
							a := digest.NewClient(c, fmt.Sprint("user", i), "guess").Authorization(msrp.MethodAuth, bareHost.String())
							if _, err := fmt.Fprintf(mallory.Conn, "%sAuthorization: %s\r\n-------flood%d$\r\n", head, a, i); err != nil {
								return
							}
							time.Sleep(50 * time.Millisecond)
						}
					}()
				}
				for range 5 {
					time.Sleep(4 * time.Second)
					g.serves(alice, bob)
					require.LessOrEqual(t, runtime.NumGoroutine()-goroutines, 25*(3+2+maxAuths)+maxLookups)
					require.LessOrEqual(t, g.holds().QueuedBytes, 25*pieceBytes)
				}
				for _, mallory := range crowd {
					mallory.Conn.Close()
				}
				s.takes.Store(0)
				time.Sleep(time.Minute)
				g.at(netip.MustParseAddr("192.0.2.1")).auth("carol")
			})
		})
	}
}

// A stranger that asks for challenges without end is closed after 30 s, and one that does not read them before.
func TestAbuseChallengeFlood(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		ask := fmt.Sprintf("MSRP ask01 AUTH\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------ask01$\r\n", bareHost, "msrp://x.example.com:2855/x;tcp")
		reading, deaf := g.stranger(), g.stranger()
		go io.Copy(io.Discard, reading.Conn)
		var writers sync.WaitGroup
		for _, c := range []net.Conn{reading.Conn, deaf.Conn} {
			writers.Go(func() {
				for {
					if _, err := io.WriteString(c, ask); err != nil {
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		for range 7 {
			time.Sleep(4 * time.Second)
			g.serves(alice, bob)
			require.LessOrEqual(t, g.holds().QueuedBytes, owedBytes+pieceBytes)
		}
		time.Sleep(relieveTimeout + 2*time.Second)
		writers.Wait()
		require.Equal(t, Stats{Connections: 2, Sessions: 2, Users: 2}, g.holds())
	})
}
