package msrp

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

// pipeDialer gives one end of a pipe to the dialling endpoint and the other to accept.
type pipeDialer func(nc net.Conn)

func (accept pipeDialer) DialContext(context.Context, string, string) (net.Conn, error) {
	a, b := net.Pipe()
	accept(b)
	return a, nil
}

// pair connects two sessions over a pipe.
func pair(t testing.TB, o *Options) (active, passive *Session) {
	t.Helper()
	var opts Options
	if o != nil {
		opts = *o
	}
	opts.Host = "passive.example.com:2855"
	pe, err := New(&opts)
	require.NoError(t, err)
	opts.Host = "active.example.com:2855"
	opts.Dialer = pipeDialer(pe.ServeConn)
	ae, err := New(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { ae.Close(); pe.Close() })
	active, err = ae.NewSession(nil)
	require.NoError(t, err)
	passive, err = pe.NewSession(nil)
	require.NoError(t, err)
	connect(t, active, passive)
	return active, passive
}

func connect(t testing.TB, active, passive *Session) {
	t.Helper()
	errs := make(chan error, 1)
	go func() { errs <- passive.Connect(ctx, active.LocalPath(), Passive, nil) }()
	require.NoError(t, active.Connect(ctx, passive.LocalPath(), Active, nil))
	require.NoError(t, <-errs)
}

// rawPeer connects a passive session to a test that speaks frames itself.
func rawPeer(t testing.TB, o *Options) (s *Session, nc net.Conn, d *Decoder) {
	t.Helper()
	opts := Options{Host: "passive.example.com:2855"}
	if o != nil {
		opts = *o
		opts.Host = "passive.example.com:2855"
	}
	e, err := New(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	s, err = e.NewSession(nil)
	require.NoError(t, err)
	nc, remote := net.Pipe()
	t.Cleanup(func() { nc.Close() })
	e.ServeConn(remote)
	d = NewDecoder(nc, nil)
	bound := make(chan error, 1)
	go func() { bound <- s.Connect(ctx, mustPath("msrp://raw.example.com:2855/raw;tcp"), Passive, nil) }()
	write(t, nc, "MSRP bind1234 SEND\r\nTo-Path: "+s.own+"\r\nFrom-Path: msrp://raw.example.com:2855/raw;tcp\r\nMessage-ID: bind\r\nByte-Range: 1-0/0\r\n-------bind1234$\r\n")
	f, _, err := readFrame(d)
	require.NoError(t, err)
	require.Equal(t, StatusOK, f.Status)
	require.NoError(t, <-bound)
	return s, nc, d
}

func mustPath(s string) Path {
	p, err := ParsePath(s)
	if err != nil {
		panic(err)
	}
	return p
}

func write(t testing.TB, nc net.Conn, s string) {
	t.Helper()
	_, err := io.WriteString(nc, s)
	require.NoError(t, err)
}

// frame is a SEND from the raw peer.
func frame(s *Session, id, headers, body string, flag Continuation) string {
	w := "MSRP " + id + " SEND\r\nTo-Path: " + s.own + "\r\nFrom-Path: msrp://raw.example.com:2855/raw;tcp\r\n" + headers
	if strings.Contains(headers, "Content-Type") {
		w += "\r\n" + body + "\r\n"
	}
	return w + "-------" + id + string(rune(flag)) + "\r\n"
}

func text(s string) *Message {
	return &Message{ContentType: "text/plain;charset=utf-8", Body: []byte(s)}
}

// sendLater sends in a goroutine, for a raw peer that must read meanwhile.
func sendLater(t testing.TB, s *Session, m *Message) <-chan *Delivery {
	c := make(chan *Delivery, 1)
	go func() {
		d, err := s.Send(ctx, m)
		if err != nil {
			t.Error(err)
		}
		c <- d
	}()
	return c
}
