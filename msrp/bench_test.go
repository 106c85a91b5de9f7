package msrp

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func benchFrame(size int) (*Frame, []byte) {
	c := good("", "SEND", fmt.Sprintf("Message-ID: 12339sdqwer\r\nByte-Range: 1-%d/%[1]d\r\nContent-Type: text/plain;charset=utf-8\r\n", size), "", Complete)
	return c.want, []byte(strings.Repeat("x", size))
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{100, 2 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			f, body := benchFrame(size)
			wire, err := AppendFrame(nil, f, body)
			require.NoError(b, err)
			d := NewDecoder(&loop{data: wire}, nil)
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				_, err := d.Next()
				for err == nil {
					_, err = d.Body()
				}
				if err != io.EOF {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{100, 2 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			f, body := benchFrame(size)
			wire, err := AppendFrame(nil, f, body)
			require.NoError(b, err)
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				if wire, err = AppendFrame(wire[:0], f, body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}

// BenchmarkSession sends messages one way over loopback TCP, each answered with a 200.
func BenchmarkSession(b *testing.B) {
	for _, size := range []int{100, 10 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			from, to := tcpPair(b)
			m := &Message{ContentType: "text/plain;charset=utf-8", Body: []byte(strings.Repeat("x", size))}
			received := make(chan error, 1)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			go func() {
				for range b.N {
					if _, err := to.Receive(ctx); err != nil {
						received <- err
						return
					}
				}
				received <- nil
			}()
			var last *Delivery
			for range b.N {
				var err error
				if last, err = from.Send(ctx, m); err != nil {
					b.Fatal(err)
				}
			}
			require.NoError(b, last.Wait(ctx))
			require.NoError(b, <-received)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

func tcpPair(t testing.TB) (active, passive *Session) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e, err := New(&Options{InboxMessages: 1 << 16}) // the receiver may be slower than the wire
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	require.NoError(t, e.Serve(l))
	active, err = e.NewSession(nil)
	require.NoError(t, err)
	passive, err = e.NewSession(nil)
	require.NoError(t, err)
	connect(t, active, passive)
	return active, passive
}
