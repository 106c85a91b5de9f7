//go:build !race

package relay

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// The race detector needs memory of its own and has pools forget at random, so "make cost" runs these tests without it.

// inUse is memory that is in use now, stacks included.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // what pools held goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// A client that has authenticated and says nothing costs 20 KiB at most, its own end of the connection in this process included: TLS there, too.
func TestIdleClientsAreSmall(t *testing.T) {
	cert, roots := certtest.New(t, "127.0.0.1")
	for name, most := range map[string]int64{"TCP": 16 << 10, "TLS": 36 << 10} { // with TLS half of that is the client's
		t.Run(name, func(t *testing.T) {
			const clients = 500
			r, err := New(&Options{Host: "127.0.0.1", Authenticator: users, AllowTCP: true, MaxSessions: clients})
			require.NoError(t, err)
			defer r.Close()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			address := l.Addr().String()
			if name == "TLS" {
				l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true})
			}
			require.NoError(t, r.Serve(l))
			before := inUse()
			for range clients {
				var nc net.Conn
				if name == "TLS" {
					nc, err = tls.Dial("tcp", address, &tls.Config{RootCAs: roots})
				} else {
					nc, err = net.Dial("tcp", address)
				}
				require.NoError(t, err)
				defer nc.Close()
				p := msrptest.PeerOn(nc)
				p.Path = mustPath("msrp://client.example.com:2855/session;tcp")
				f, err := p.Auth(t.Context(), mustPath("msrp://127.0.0.1;tcp"), "alice", users["alice"])
				require.NoError(t, err)
				require.Equal(t, msrp.StatusOK, f.Status)
			}
			require.Equal(t, clients, r.Stats().Sessions)
			require.LessOrEqual(t, (inUse()-before)/clients, most)
		})
	}
}

// endless reads the same bytes again and again.
type endless struct {
	wire []byte
	at   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	n = copy(p, e.wire[e.at:])
	e.at = (e.at + n) % len(e.wire)
	return n, nil
}

// loop passes one frame on, and takes in the next hop's answer, each time that it is called.
func loop(t testing.TB, size int) (forward func(), to *conn) {
	alice, bob, path, from := still(t)
	in := &endless{wire: fmt.Appendf(nil, "MSRP abcd1234 SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: message1\r\nByte-Range: 1-%d/%[3]d\r\nContent-Type: text/plain\r\n\r\n%[4]s\r\n-------abcd1234$\r\n",
		path, from, size, strings.Repeat("x", size))}
	alice.dec = msrp.NewDecoder(in, nil)
	var out bytes.Buffer
	bob.nc = tap{bob.nc, &out}
	answer := msrp.NewDecoder(&out, nil)
	return func() {
		f, err := alice.dec.Next()
		if err == nil {
			err = alice.request(f)
		}
		if err != nil {
			t.Fatal(err)
		}
		alice.dirty = alice.dirty[:0]
		bob.written(t)
		alice.written(t)
		g, err := answer.Next()
		if err != nil {
			t.Fatal(err)
		}
		bob.response(&msrp.Frame{TransactionID: g.TransactionID, Status: msrp.StatusOK, ToPath: first(g.FromPath), FromPath: g.ToPath})
	}, bob
}

// Passing a frame on, answering it and taking in the next hop's answer allocates nothing, whether the body is short or long.
func TestForwardingAllocatesNothing(t *testing.T) {
	for _, size := range []int{100, 10 << 10} {
		forward, to := loop(t, size)
		for range 10 {
			forward()
		}
		require.Zero(t, testing.AllocsPerRun(1000, forward), size)
		require.Zero(t, to.unanswered())
		require.Equal(t, int64(1011), to.r.Stats().Forwarded)
	}
}

func BenchmarkForward(b *testing.B) {
	for _, size := range []int{100, 10 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			forward, _ := loop(b, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				forward()
			}
		})
	}
}

type tap struct {
	net.Conn
	to io.Writer
}

func (w tap) Write(b []byte) (int, error) { return w.to.Write(b) }
