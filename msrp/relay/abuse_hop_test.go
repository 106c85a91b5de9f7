package relay

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// srv is a Resolver in which every domain has one relay.
type srv struct {
	target string
	port   uint16
}

func (s srv) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", []*net.SRV{{Target: s.target, Port: s.port}}, nil
}

// Nothing listens on an address of this machine for a client that names it, by whatever name, scheme or SRV record.
func TestAbuseForbiddenNextHops(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	var reached atomic.Int64
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			nc.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	_, _, roots := secure(t, Options{}) // anything, as long as there is TLS
	r, err := New(&Options{Host: "relay.example.com", Authenticator: users, AllowTCP: true, TLS: roots, Resolver: srv{"localhost.", uint16(port)}})
	require.NoError(t, err)
	defer r.Close()
	active, passive, _ := msrptest.Pipe()
	r.ServeConn(passive)
	g := &rig{TB: t, r: r}
	mallory := &client{Peer: msrptest.PeerOn(active), g: g}
	mallory.Path = mustPath("msrp://mallory.example.com:2855/x;tcp")
	mallory.auth("carol")
	for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST", "localhost.", "%6cocalhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "127.0.0.2", "127.1", "2130706433", "0x7f000001", "017700000001"} {
		for _, to := range []string{"msrp://%s:%d/x;tcp", "msrps://%s:%d/x;tcp", "msrps://%s:%d;tcp msrp://x.example.com:2855/x;tcp", "msrp://%s:%d;tcp msrp://x.example.com:2855/x;tcp"} {
			mallory.request("forbidden", msrp.MethodSend, mallory.use.String()+" "+fmt.Sprintf(to, host, port), mallory.Path.String())
			if f := mallory.next(); f.Status == msrp.StatusOK {
				require.Equal(t, "000 408 Timeout", string(mallory.next().StatusHeader), host)
			}
		}
	}
	mallory.request("srv001", msrp.MethodAuth, mallory.use.String()+" msrps://example.org;tcp", mallory.Path.String())
	require.Eventually(t, func() bool { return r.Stats().Connections == 1 }, time.Minute, time.Millisecond)
	require.Zero(t, reached.Load())
}

// hop is a next hop. What serves a connection has until over is closed.
func (g *rig) hop(host string, serve func(nc net.Conn, over <-chan struct{})) {
	g.Helper()
	l, err := g.n.Listen(host + ":2855")
	require.NoError(g, err)
	over := make(chan struct{})
	g.Cleanup(func() { l.Close(); close(over) })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				serve(nc, over)
			}()
		}
	}()
}

// A next hop that does not do its part costs its sender a report, and the relay nothing that lasts.
func TestAbuseNextHops(t *testing.T) {
	says := func(what string) func(net.Conn, <-chan struct{}) {
		return func(nc net.Conn, _ <-chan struct{}) {
			io.WriteString(nc, what)
			io.Copy(io.Discard, nc)
		}
	}
	for name, serve := range map[string]func(net.Conn, <-chan struct{}){
		"nothing":         says(""),
		"garbage":         says(strings.Repeat("garbage", 1000)),
		"HTTP":            says("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"half a frame":    says("MSRP abcd SEND\r\nTo-Path: x\r\n"),
		"not ours":        says("MSRP abcd SEND\r\nTo-Path: msrp://x:1/x;tcp\r\nFrom-Path: msrp://x:1/x;tcp\r\n-------abcd$\r\n"),
		"hangs up":        func(net.Conn, <-chan struct{}) {},
		"reads nothing":   func(_ net.Conn, over <-chan struct{}) { <-over },
		"a byte a minute": trickle,
	} {
		t.Run(name, func(t *testing.T) {
			abused(t, &Options{IdleTimeout: 10 * time.Minute}, func(t *testing.T, g *rig, alice, bob *client) {
				g.hop("hop.example.com", serve)
				mallory := g.client("carol")
				to := join(mallory.use, mustPath("msrp://hop.example.com:2855/x;tcp"))
				done := mallory.pour(wire("hop001", "SEND", to, mallory.Path, strings.Repeat("x", 1000)), 100)
				what := mallory.tally(func() { g.serves(alice, bob) })
				<-done
				require.Equal(t, 100, what["200"]+what["408"], what)
				require.Equal(t, what["200"], what["REPORT 000 408 Timeout"], what)
				time.Sleep(8 * time.Minute)
				g.serves(alice, bob)
				time.Sleep(8 * time.Minute)
				require.Equal(t, Stats{Connections: 2, Sessions: 2, Users: 2}, g.holds())
			})
		})
	}
}

func trickle(nc net.Conn, _ <-chan struct{}) {
	go io.Copy(io.Discard, nc)
	for {
		if _, err := nc.Write([]byte("M")); err != nil {
			return
		}
		time.Sleep(time.Minute)
	}
}

// dials is a Dialer that gives no answer before ctx ends.
type dials struct{ n atomic.Int64 }

func (d *dials) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	d.n.Add(1)
	defer d.n.Add(-1)
	<-ctx.Done()
	return nil, ctx.Err()
}

// One user cannot have the relay open as many connections as it has room for.
func TestAbuseManyNextHops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, &Options{MaxConnections: 100, MaxSessions: 10})
		var d dials
		g.r.o.Dialer = &d
		mallory := g.client("carol")
		for i := range 200 {
			to := fmt.Sprintf("%s msrp://host%d.example.com:2855/x;tcp", mallory.use, i)
			if i%2 == 0 {
				to = fmt.Sprintf("%s msrp://host.example.com:2855/x%d;tcp", mallory.use, i)
			}
			mallory.request("many01", msrp.MethodSend, to, mallory.Path.String())
			mallory.next()
			require.LessOrEqual(t, d.n.Load(), int64(10))
		}
		require.LessOrEqual(t, g.holds().Connections, 11)
		alice, bob := g.pair()
		g.serves(alice, bob)
		time.Sleep(time.Minute)
		require.Equal(t, 3, g.holds().Connections)
		require.Zero(t, d.n.Load())
	})
}
