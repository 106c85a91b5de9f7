package growl_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/growl"
)

// patience is how long a call takes at most.
const patience = 10 * time.Second

// dialFunc is a network.
type dialFunc func(ctx context.Context) (net.Conn, error)

func (d dialFunc) DialContext(ctx context.Context, _, _ string) (net.Conn, error) { return d(ctx) }

// hanging are servers that answer too late, by what they do.
func hanging(t *testing.T) map[string]dialFunc {
	server := func(f func(net.Conn)) dialFunc {
		return func(context.Context) (net.Conn, error) {
			client, conn := net.Pipe()
			var running sync.WaitGroup
			running.Go(func() { f(conn) })
			t.Cleanup(func() {
				assert.NoError(t, conn.Close())
				running.Wait()
			})
			return client, nil
		}
	}
	return map[string]dialFunc{
		"accepts nothing": func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"reads nothing":  server(func(net.Conn) {}),
		"writes nothing": server(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }),
		"drips": server(func(c net.Conn) {
			go func() { _, _ = io.Copy(io.Discard, c) }()
			for _, b := range "GNTP/1.0 -OK NONE\r\nResponse-Action: REGISTER\r\n\r\n" {
				time.Sleep(time.Second)
				if _, err := c.Write([]byte{byte(b)}); err != nil {
					return
				}
			}
		}),
	}
}

func TestHangingServers(t *testing.T) {
	for name := range hanging(t) {
		for _, own := range []time.Duration{0, 3 * time.Second} {
			t.Run(name+" "+own.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, err := growl.New(&growl.Options{AppName: "Test", Dialer: hanging(t)[name]})
					require.NoError(t, err)
					ctx, want := t.Context(), patience
					if own > 0 {
						var cancel func()
						ctx, cancel = context.WithTimeout(ctx, own)
						defer cancel()
						want = own
					}
					start := time.Now()
					var waiting sync.WaitGroup
					for range 3 { // one is at work, the others wait for it
						waiting.Go(func() {
							err := n.Notify(ctx, changed)
							assert.ErrorIs(t, err, context.DeadlineExceeded)
							assert.NotErrorIs(t, err, growl.ErrUnavailable)
							assert.Equal(t, want, time.Since(start))
						})
					}
					waiting.Wait()
					_, err = n.Name(ctx)
					require.ErrorIs(t, err, context.DeadlineExceeded)
				})
			})
		}
	}
}

func TestCancelled(t *testing.T) {
	s := newServer(t, "")
	n := s.notifier(growl.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, n.Notify(ctx, changed), context.Canceled)
	assert.Empty(t, s.heard())
	require.NoError(t, n.Notify(t.Context(), changed), "it bounds the call, not the Notifier")
}

func TestUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	n, err := growl.New(&growl.Options{AppName: "Test", Address: address})
	require.NoError(t, err)
	err = n.Notify(t.Context(), changed)
	require.ErrorIs(t, err, growl.ErrUnavailable)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	assert.True(t, strings.HasPrefix(err.Error(), "growl: no server at "+address+": "), err)
	_, err = n.Name(t.Context())
	require.ErrorIs(t, err, growl.ErrUnavailable)
}

// A server may answer before it has read everything, because it has the icon already or does not like what it has read.
func TestAnswerBeforeTheEnd(t *testing.T) {
	answer := "GNTP/1.0 -ERROR NONE\r\nError-Code: 300\r\n\r\n"
	n, err := growl.New(&growl.Options{AppName: "Test", Dialer: dialFunc(func(context.Context) (net.Conn, error) {
		return deaf{strings.NewReader(answer)}, nil
	})})
	require.NoError(t, err)
	var refused *growl.ServerError
	require.ErrorAs(t, n.Notify(t.Context(), changed), &refused)
	assert.Equal(t, 300, refused.Code)
	answer = ""
	require.ErrorIs(t, n.Notify(t.Context(), changed), syscall.EPIPE)
}

// deaf is a connection whose other side reads no more.
type deaf struct{ io.Reader }

func (deaf) Write([]byte) (int, error)        { return 0, syscall.EPIPE }
func (deaf) Close() error                     { return nil }
func (deaf) LocalAddr() net.Addr              { return nil }
func (deaf) RemoteAddr() net.Addr             { return nil }
func (deaf) SetDeadline(time.Time) error      { return nil }
func (deaf) SetReadDeadline(time.Time) error  { return nil }
func (deaf) SetWriteDeadline(time.Time) error { return nil }

func TestManyGoroutines(t *testing.T) {
	s := newServer(t, "secret")
	n := s.notifier(growl.Options{Hash: growl.MD5, Cipher: growl.DES})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { assert.NoError(t, n.Notify(t.Context(), changed)) })
	}
	all.Wait()
	assert.Equal(t, "REGISTER"+strings.Repeat(" NOTIFY", 20), s.heard(), "one after the other, and registered once")
}

// Over real connections, that of the default Dialer among them.
func TestOverTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := newServer(t, "secret")
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				assert.ErrorIs(t, err, net.ErrClosed)
				return
			}
			s.serve(conn)
			assert.NoError(t, conn.Close())
		}
	})
	n, err := growl.New(&growl.Options{AppName: "Test", Address: l.Addr().String(), Password: "secret", Icon: make([]byte, 256<<10)})
	require.NoError(t, err)
	var _ notify.Notifier = n
	require.NoError(t, n.Notify(t.Context(), changed))
	require.NoError(t, l.Close())
	accepting.Wait()
	assert.Equal(t, "REGISTER NOTIFY", s.heard())
	assert.Len(t, s.last().Resources[0].Data, 256<<10)
	require.ErrorIs(t, n.Notify(t.Context(), changed), growl.ErrUnavailable)
}

func TestDialError(t *testing.T) {
	broken := errors.New("broken")
	n, err := growl.New(&growl.Options{AppName: "Test", Dialer: dialFunc(func(context.Context) (net.Conn, error) { return nil, broken })})
	require.NoError(t, err)
	err = n.Notify(t.Context(), changed)
	require.ErrorIs(t, err, growl.ErrUnavailable)
	require.ErrorIs(t, err, broken)
	require.EqualError(t, err, "growl: no server at 127.0.0.1:23053: broken")
}
