package msrp

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var benchSizes = []int{100, 10 << 10}

// BenchmarkSession sends messages one way over loopback, each answered with a 200: in the default form, where one frame is one Write, with Options.Coalesce, and
// both over TLS. BenchmarkRaw is its ceiling.
func BenchmarkSession(b *testing.B) {
	for _, mode := range []string{"tcp", "tcp,coalesce", "tls", "tls,coalesce"} {
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("%s/%d", mode, size), func(b *testing.B) {
				from, to := tcpPair(b, strings.HasPrefix(mode, "tls"), &Options{Coalesce: strings.HasSuffix(mode, "coalesce")})
				benchOneWay(b, from, to, size)
			})
		}
	}
}

func benchOneWay(b *testing.B, from, to *Session, size int) {
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
}

// BenchmarkRaw moves as many bytes as BenchmarkSession in as many writes, with the same window, and does nothing else: no frame is made, read or kept. With one frame
// in one Write, the system calls alone take so long.
func BenchmarkRaw(b *testing.B) {
	const head, response = 232, 190 // bytes of a SEND around its body, and of a 200
	for _, together := range []int{1, 16} {
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("%d in one Write/%d", together, size), func(b *testing.B) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(b, err)
				defer l.Close()
				go rawSink(l, head+size, response, together)
				c, err := net.Dial("tcp", l.Addr().String())
				require.NoError(b, err)
				defer c.Close()
				window, done := make(chan struct{}, windowFrames/together), make(chan struct{})
				n := (b.N + together - 1) / together
				go func() {
					r, buf := bufio.NewReaderSize(c, 64<<10), make([]byte, response*together)
					for range n {
						io.ReadFull(r, buf)
						<-window
					}
					close(done)
				}()
				b.SetBytes(int64(size))
				b.ResetTimer()
				frames := make([]byte, together*(head+size))
				for range n {
					window <- struct{}{}
					c.Write(frames)
				}
				<-done
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
			})
		}
	}
}

func rawSink(l net.Listener, frame, response, together int) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	r, buf := bufio.NewReaderSize(c, 64<<10), make([]byte, frame*together)
	for {
		if _, err := io.ReadFull(r, buf); err != nil {
			return
		}
		c.Write(buf[:response*together])
	}
}

func tcpPair(t testing.TB, secure bool, o *Options) (active, passive *Session) {
	o.InboxMessages = 1 << 16 // the receiver may be slower than the wire
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if secure {
		o.TLS = &tls.Config{InsecureSkipVerify: true}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate(t)}, DynamicRecordSizingDisabled: true})
	}
	e, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	require.NoError(t, e.Serve(l))
	active, err = e.NewSession(&SessionOptions{Secure: secure})
	require.NoError(t, err)
	passive, err = e.NewSession(&SessionOptions{Secure: secure})
	require.NoError(t, err)
	connect(t, active, passive)
	return active, passive
}
