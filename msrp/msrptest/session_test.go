package msrptest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

func text(s string) *msrp.Message {
	return &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte(s)}
}

func TestPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p, w := Pair(t, nil, &msrp.Options{ManualReports: true})
		require.Equal(t, "active.example.com", a.LocalPath()[0].Host)
		for _, x := range [][2]*msrp.Session{{a, p}, {p, a}} {
			d, err := x[0].Send(t.Context(), text("hello"))
			require.NoError(t, err)
			require.NoError(t, d.Wait(t.Context()))
			m, err := x[1].Receive(t.Context())
			require.NoError(t, err)
			require.Equal(t, "hello", string(m.Body))
		}
		m := text("reported")
		m.SuccessReport = true
		d, err := a.Send(t.Context(), m)
		require.NoError(t, err)
		m, err = p.Receive(t.Context())
		require.NoError(t, err)
		synctest.Wait()
		select {
		case <-d.Done():
			t.Fatal("the options of the passive side were lost")
		default:
		}
		require.NoError(t, p.Report(m, msrp.StatusOK))
		require.NoError(t, d.Wait(t.Context()))

		for _, l := range []*Line{w.ToPassive, w.ToActive} {
			frames, err := l.Frames()
			require.NoError(t, err)
			require.NotEmpty(t, frames)
		}
	})
}

// recorder stands for a test that fails.
type recorder struct {
	testing.TB
	said string
}

func (*recorder) Helper()             {}
func (*recorder) Cleanup(func())      {}
func (r *recorder) Fatal(args ...any) { r.said = fmt.Sprint(args...); panic(r) }

func TestPairSaysWhatIsWrong(t *testing.T) {
	r := &recorder{}
	require.PanicsWithValue(t, r, func() { Pair(r, nil, &msrp.Options{MaxMessage: -1}) })
	require.Contains(t, r.said, "MaxMessage")
}

func TestFrames(t *testing.T) {
	a, p, w := Pipe()
	go io.Copy(io.Discard, p)
	wire := "MSRP aaaa1 SEND\r\nTo-Path: msrp://a:1/x;tcp\r\nFrom-Path: msrp://b:1/y;tcp\r\nMessage-ID: m1\r\nContent-Type: text/plain\r\n\r\nhello\r\n-------aaaa1$\r\n"
	write(t, a, wire)
	for split := range wire { // the second one is not whole yet
		frames, err := w.ToPassive.Frames()
		require.NoError(t, err, split)
		require.Len(t, frames, 1, split)
		require.Equal(t, "hello", string(frames[0].Body))
		require.Equal(t, "aaaa1", string(frames[0].TransactionID))
		require.Equal(t, msrp.Complete, frames[0].Continuation)
		write(t, a, wire[split:split+1])
	}
	write(t, a, "GET / HTTP/1.1\r\n")
	frames, err := w.ToPassive.Frames()
	require.ErrorIs(t, err, msrp.ErrMalformed)
	require.ErrorContains(t, err, "frame 3")
	require.Len(t, frames, 2)
	a.Close()
}

// session opens one on n.
func session(t *testing.T, n *Network, address string) *msrp.Session {
	s, e := open(t, n, nil, address)
	l, err := n.Listen(address)
	require.NoError(t, err)
	require.NoError(t, e.Serve(l))
	return s
}

func TestPeer(t *testing.T) {
	for _, role := range []msrp.Role{msrp.Active, msrp.Passive} {
		t.Run(fmt.Sprint(role), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &Network{}
				s := session(t, n, "app.example.com:2855")
				p := NewPeer(t, n)
				require.NoError(t, p.Connect(t.Context(), s, role))

				d, err := s.Send(t.Context(), text("hello"))
				require.NoError(t, err)
				f, err := p.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, "hello", string(f.Body))
				require.NoError(t, p.Respond(f, msrp.StatusOK))
				require.NoError(t, d.Wait(t.Context()))

				// A timeout between frames costs nothing.
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err = p.Next(short)
				require.ErrorIs(t, err, context.DeadlineExceeded)

				require.NoError(t, p.Send(&msrp.Frame{MessageID: []byte("m1234"), ByteRange: msrp.ByteRange{Start: 1, End: 2, Total: 2}, ContentType: []byte("text/plain")}, []byte("hi")))
				f, err = p.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, msrp.StatusOK, f.Status)
				m, err := s.Receive(t.Context())
				require.NoError(t, err)
				require.Equal(t, "hi", string(m.Body))

				require.ErrorIs(t, p.Send(&msrp.Frame{TransactionID: []byte("a b")}, nil), msrp.ErrMalformed)
				_, err = fmt.Fprintf(p.Conn, "MSRP aaaa2 JUMP\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------aaaa2$\r\n", p.Remote, p.Path)
				require.NoError(t, err)
				f, err = p.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, msrp.StatusUnknownMethod, f.Status)

				p.Wire.Reset()
				<-s.Done()
				require.ErrorIs(t, s.Err(), syscall.ECONNRESET)
				_, err = p.Next(t.Context())
				require.ErrorIs(t, err, syscall.ECONNRESET)
				require.NoError(t, p.Close())
			})
		})
	}
}

func TestPeerCannotConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Network{}
		s := session(t, n, "app.example.com:2855")
		p := NewPeer(t, n)
		require.NoError(t, s.Close())
		require.ErrorIs(t, p.Connect(t.Context(), s, msrp.Active), msrp.ErrClosed)
		// The endpoint lives, and the session is unknown to it.
		var refused *msrp.StatusError
		require.ErrorAs(t, p.Dial(t.Context(), s.LocalPath()), &refused)
		require.Equal(t, msrp.StatusNoSession, refused.Code)

		elsewhere, _ := open(t, n, nil, "elsewhere.example.com:2855")
		require.ErrorIs(t, p.Connect(t.Context(), elsewhere, msrp.Passive), syscall.ECONNREFUSED)
		require.ErrorIs(t, elsewhere.Err(), context.Canceled)

		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, p.Accept(short), context.DeadlineExceeded)
		require.NoError(t, p.Close())
		require.Error(t, p.Accept(t.Context()))
	})
}

// TLS runs over a Network.
func TestTLSOverANetwork(t *testing.T) {
	n := &Network{ToPassive: Faults{Split: 100}}
	l, err := n.Listen("a:1")
	require.NoError(t, err)
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	cert, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, public, private)
	require.NoError(t, err)
	server := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: private}}}
	done := make(chan error, 1)
	go func() {
		c, err := tls.NewListener(l, server).Accept()
		if err == nil {
			_, err = io.Copy(c, io.LimitReader(c, 5))
		}
		done <- err
	}()
	raw, err := n.DialContext(t.Context(), "tcp", "a:1")
	require.NoError(t, err)
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	write(t, c, "hello")
	got := make([]byte, 5)
	_, err = io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	require.NoError(t, <-done)
	require.False(t, strings.Contains(string(n.Wires()[0].ToPassive.Bytes()), "hello"))
}
