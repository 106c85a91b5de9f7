package msrp

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// otherSession is a second session at the endpoint of s, without a peer yet.
func otherSession(t testing.TB, s *Session) *Session {
	t.Helper()
	other, err := s.e.NewSession(nil)
	require.NoError(t, err)
	return other
}

func requireStatus(t testing.TB, d *Decoder, id string, code int) {
	t.Helper()
	f, _, err := readFrame(d)
	require.NoError(t, err)
	require.Equal(t, id, string(f.TransactionID))
	require.Equal(t, code, f.Status)
}

// connectLater runs the Passive side of Connect.
func connectLater(s *Session, o *ConnectOptions) <-chan error {
	bound := make(chan error, 1)
	go func() { bound <- s.Connect(ctx, mustPath(rawPath), Passive, o) }()
	return bound
}

// A request that binds a second session before its Connect waits on the side, and the connection goes on.
func TestRFC4975_5_4_BindBeforeConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		other := otherSession(t, s)
		begin := time.Now()
		write(t, nc, frame(other, "aaaa1", "", "", Complete))
		write(t, nc, frame(s, "aaaa2", "", "", Complete))
		requireStatus(t, d, "aaaa2", StatusOK)
		require.Zero(t, time.Since(begin))
		time.Sleep(bindTimeout - time.Second)
		bound := connectLater(other, nil)
		requireStatus(t, d, "aaaa1", StatusOK)
		require.NoError(t, <-bound)
		write(t, nc, frame(other, "aaaa3", "Message-ID: m1234\r\nContent-Type: text/plain\r\n", "bound", Complete))
		requireStatus(t, d, "aaaa3", StatusOK)
		m, err := other.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "bound", string(m.Body))
	})
}

func TestRFC4975_5_4_BindBeforeConnectIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		act  func(t *testing.T, other *Session, nc net.Conn, d *Decoder)
		code int
		wait time.Duration
	}{
		"nobody connects": {func(*testing.T, *Session, net.Conn, *Decoder) {}, StatusNoSession, bindTimeout},
		"closed":          {func(_ *testing.T, s *Session, _ net.Conn, _ *Decoder) { s.Close() }, StatusNoSession, 0},
		"another peer": {func(_ *testing.T, s *Session, _ net.Conn, _ *Decoder) {
			go s.Connect(ctx, mustPath("msrp://else.example.com:2855/raw;tcp"), Passive, nil)
		}, StatusNoSession, 0},
		"a second one": {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) {
			write(t, nc, frame(s, "aaaa2", "", "", Complete))
			requireStatus(t, d, "aaaa2", StatusNoSession)
		}, StatusNoSession, bindTimeout},
		"a body behind it": {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) {
			write(t, nc, frame(s, "aaaa2", "Message-ID: m1234\r\nContent-Type: text/plain\r\n", "early", Complete))
			requireStatus(t, d, "aaaa2", StatusNoSession)
		}, StatusNoSession, bindTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, nc, d := rawPeer(t, nil)
				defer s.e.Close()
				other := otherSession(t, s)
				begin := time.Now()
				write(t, nc, frame(other, "aaaa1", "", "", Complete))
				synctest.Wait()
				c.act(t, other, nc, d)
				requireStatus(t, d, "aaaa1", c.code)
				require.Equal(t, c.wait, time.Since(begin))
				other.mu.Lock()
				require.Nil(t, other.early)
				other.mu.Unlock()
				require.NoError(t, s.Err())
			})
		})
	}
}

// What waits on a connection that has broken does not keep the peer's next one out.
func TestRFC4975_5_4_BindAgainAfterABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc := passiveEndpoint(t, nil)
		defer s.e.Close()
		write(t, nc, frame(s, "aaaa1", "", "", Complete))
		nc.Close()
		synctest.Wait()
		again, remote := net.Pipe()
		defer again.Close()
		s.e.ServeConn(remote)
		write(t, again, frame(s, "aaaa2", "", "", Complete))
		synctest.Wait()
		bound := connectLater(s, nil)
		requireStatus(t, NewDecoder(again, nil), "aaaa2", StatusOK)
		require.NoError(t, <-bound)
	})
}

// Two sessions of one new connection may be bound in either order, and before either is connected.
func TestRFC4975_5_4_TwoBindsBeforeConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc := passiveEndpoint(t, nil)
		defer s.e.Close()
		other := otherSession(t, s)
		d := NewDecoder(nc, nil)
		write(t, nc, frame(s, "aaaa1", "", "", Complete)+frame(other, "aaaa2", "", "", Complete))
		synctest.Wait()
		later, first := connectLater(other, nil), time.Now()
		requireStatus(t, d, "aaaa2", StatusOK)
		require.NoError(t, <-later)
		time.Sleep(bindTimeout - time.Second) // the connection is bound by now
		bound := connectLater(s, nil)
		requireStatus(t, d, "aaaa1", StatusOK)
		require.NoError(t, <-bound)
		require.Equal(t, bindTimeout-time.Second, time.Since(first))
	})
}

// The first request binds, with a body or without.
func TestRFC4975_5_4_FirstRequestBinds(t *testing.T) {
	for name, headers := range map[string]string{"without a body": "", "with a body": "Message-ID: m1234\r\nContent-Type: text/plain\r\n"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, nc := passiveEndpoint(t, nil)
				defer s.e.Close()
				bound := connectLater(s, nil)
				synctest.Wait()
				write(t, nc, frame(s, "aaaa1", headers, "hello", Complete))
				requireStatus(t, NewDecoder(nc, nil), "aaaa1", StatusOK)
				require.NoError(t, <-bound)
				if headers != "" {
					m, err := s.Receive(ctx)
					require.NoError(t, err)
					require.Equal(t, "hello", string(m.Body))
				}
			})
		})
	}
}

// Only a SEND binds a session, and only an existing session of the connection gets any further (RFC 4975 section 7.3).
func TestRFC4975_7_3_SessionOfThisConnection(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		bind   bool // another connection has the session
		code   int  // 0: no response
	}{
		"SEND":             {MethodSend, false, StatusOK},
		"SEND, in use":     {MethodSend, true, StatusSessionInUse},
		"AUTH":             {MethodAuth, false, StatusNoSession},
		"NICKNAME, in use": {"NICKNAME", true, StatusNoSession},
		"REPORT":           {MethodReport, false, 0},
		"REPORT, in use":   {MethodReport, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, nc := passiveEndpoint(t, nil)
				defer s.e.Close()
				bound := connectLater(s, nil)
				synctest.Wait()
				if c.bind {
					first, remote := net.Pipe()
					defer first.Close()
					s.e.ServeConn(remote)
					write(t, first, frame(s, "aaaa0", "", "", Complete))
					requireStatus(t, NewDecoder(first, nil), "aaaa0", StatusOK)
				}
				d := NewDecoder(nc, nil)
				write(t, nc, strings.Replace(frame(s, "aaaa1", "", "", Complete), " SEND", " "+c.method, 1))
				if c.code != 0 {
					requireStatus(t, d, "aaaa1", c.code)
				} else {
					write(t, nc, strings.Replace(frame(s, "aaaa2", "", "", Complete), " SEND", " AUTH", 1))
					requireStatus(t, d, "aaaa2", StatusNoSession) // the first answer there is
				}
				if c.code != StatusOK && !c.bind {
					s.Close()
				}
				if err := <-bound; c.code == StatusOK || c.bind {
					require.NoError(t, err)
				}
			})
		})
	}
}

// A response to SEND goes to the hop before, any other all the way back to the sender.
func TestRFC4975_7_2_ResponsePath(t *testing.T) {
	const path = "msrp://relay.example.com:2855/r;tcp " + rawPath
	for _, method := range []string{"NICKNAME", "AUTH", "HUG"} {
		s, nc := passiveEndpoint(t, nil)
		d := NewDecoder(nc, nil)
		bound := make(chan error, 1)
		go func() { bound <- s.Connect(ctx, mustPath(path), Passive, nil) }()
		<-s.ready
		bind := strings.Replace(frame(s, "aaaa1", "", "", Complete), rawPath, path, 1)
		write(t, nc, bind)
		f, _, err := readFrame(d)
		require.NoError(t, err)
		require.Equal(t, StatusOK, f.Status)
		require.Equal(t, "msrp://relay.example.com:2855/r;tcp", string(f.ToPath), "a response to SEND goes one hop")
		require.NoError(t, <-bound)
		for _, w := range []string{bind, strings.Replace(bind, "\r\n-------", "\r\nContent-Type: a/b\r\n\r\nbody\r\n-------", 1)} {
			write(t, nc, strings.Replace(w, " SEND", " "+method, 1))
			f, _, err = readFrame(d)
			require.NoError(t, err)
			require.Equal(t, StatusUnknownMethod, f.Status)
			require.Equal(t, path, string(f.ToPath))
			require.Equal(t, s.own, string(f.FromPath))
		}
		write(t, nc, bind)
		requireStatus(t, d, "aaaa1", StatusOK) // the session goes on
	}
}

// A connection that names no session has 30 s, and not a moment longer for its bytes trickling in.
func TestRFC4975_5_4_ConnectionsMustNameASession(t *testing.T) {
	for name, peer := range map[string]func(nc net.Conn){
		"silent":           func(net.Conn) {},
		"trickles":         func(nc net.Conn) { trickle(nc, "MSRP aaaa1 SEND\r\nTo-Path: "+strings.Repeat("x", 1000)) },
		"names no session": func(nc net.Conn) { trickle(nc, strings.Repeat(unknownFrame, 100)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, nc := passiveEndpoint(t, nil)
				defer s.e.Close()
				begin := time.Now()
				var wg sync.WaitGroup
				wg.Go(func() { peer(nc) })
				defer wg.Wait()
				_, err := io.Copy(io.Discard, nc)
				require.NoError(t, err)
				require.Equal(t, bindTimeout, time.Since(begin))
				require.Zero(t, s.e.unbound.Load())
			})
		})
	}
}

const unknownFrame = "MSRP aaaa1 SEND\r\nTo-Path: msrp://p.example.com/unknown;tcp\r\nFrom-Path: " + rawPath + "\r\n-------aaaa1$\r\n"

// trickle writes a byte each 100 ms.
func trickle(nc net.Conn, s string) {
	for i := range len(s) {
		if _, err := io.WriteString(nc, s[i:i+1]); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// A session URI always tells a port, and the one that is dialled (RFC 4975 sections 6 and 8.2).
func TestRFC4975_6_ExplicitPort(t *testing.T) {
	for host, want := range map[string]string{"p.example.com": "p.example.com:2855/", "192.0.2.1": "192.0.2.1:2855/", "192.0.2.1:7": "192.0.2.1:7/", "[2001:db8::1]": "[2001:db8::1]:2855/"} {
		e, err := New(&Options{Host: host})
		require.NoError(t, err)
		s, err := e.NewSession(nil)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(s.LocalPath().String(), "msrp://"+want), s.own)
		require.NoError(t, e.Close())
	}
}

// A connection on which a request waits is not closed with its last session; it has a second more if nothing comes of the request.
func TestRFC4975_5_4_BindOutlivesTheOtherSessions(t *testing.T) {
	for name, connects := range map[string]bool{"connects": true, "does not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, nc, d := rawPeer(t, nil)
				defer s.e.Close()
				other := otherSession(t, s)
				begin := time.Now()
				write(t, nc, frame(other, "aaaa1", "", "", Complete))
				synctest.Wait()
				require.NoError(t, s.Shutdown(ctx))
				require.Zero(t, time.Since(begin))
				if connects {
					bound := connectLater(other, nil)
					requireStatus(t, d, "aaaa1", StatusOK)
					require.NoError(t, <-bound)
					require.Zero(t, s.e.unbound.Load())
					return
				}
				requireStatus(t, d, "aaaa1", StatusNoSession)
				require.Equal(t, bindTimeout, time.Since(begin))
				synctest.Wait()
				require.EqualValues(t, 1, s.e.unbound.Load())
				_, _, err := readFrame(d)
				require.Equal(t, io.EOF, err)
				require.Equal(t, bindTimeout+lingerTimeout, time.Since(begin))
				synctest.Wait()
				require.Zero(t, s.e.unbound.Load())
			})
		})
	}
}
