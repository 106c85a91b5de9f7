package msrp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// dialled records the addresses that are dialled, and dials nothing.
type dialled []string

func (d *dialled) DialContext(_ context.Context, network, address string) (net.Conn, error) {
	*d = append(*d, network+" "+address)
	return nil, errNetwork
}

// What is dialled: the first hop of the path, or what the SDP's c= and m= lines say.
func TestRFC6714_4_2_Address(t *testing.T) {
	for _, c := range []struct{ path, address, want string }{
		{"msrp://a.example.com:1/x;tcp", "", "tcp a.example.com:1"},
		{"msrp://a.example.com/x;tcp", "", "tcp a.example.com:2855"},
		{"msrp://r.example.com:2/r;tcp msrp://a.example.com:1/x;tcp", "", "tcp r.example.com:2"},
		{"msrp://[2001:db8::1]:1/x;tcp", "", "tcp [2001:db8::1]:1"},
		{"msrp://a.example.com:1/x;tcp", "192.0.2.7:9999", "tcp 192.0.2.7:9999"},
		{"msrp://a.example.com:1/x;tcp", "[2001:db8::7]:9999", "tcp [2001:db8::7]:9999"},
		{"msrp://r.example.com:2/r;tcp msrp://a.example.com:1/x;tcp", "sbc.example.net:7", "tcp sbc.example.net:7"},
	} {
		var d dialled
		e, err := New(&Options{Host: "b.example.com", Dialer: &d})
		require.NoError(t, err)
		s, err := e.NewSession(nil)
		require.NoError(t, err)
		require.ErrorIs(t, s.Connect(ctx, mustPath(c.path), Active, &ConnectOptions{Address: c.address}), errNetwork)
		require.Equal(t, dialled{c.want}, d)
		require.NoError(t, e.Close())
	}
}

func TestRFC6714_4_2_AddressIsChecked(t *testing.T) {
	var d dialled
	e, err := New(&Options{Host: "b.example.com", Dialer: &d})
	require.NoError(t, err)
	defer e.Close()
	s, err := e.NewSession(nil)
	require.NoError(t, err)
	for _, address := range []string{"192.0.2.7", ":1", "192.0.2.7:", "192.0.2.7:0", "192.0.2.7:msrp", "192.0.2.7:70000", "2001:db8::7:1", "a b:c:1"} {
		err := s.Connect(ctx, mustPath(rawPath), Active, &ConnectOptions{Address: address})
		require.ErrorIs(t, err, ErrMalformed, address)
		require.ErrorContains(t, err, "Address")
	}
	require.Empty(t, d)
	require.NoError(t, s.Err())
}

// A middlebox stands between the two: the frames carry the paths of the SDP, and TLS is between the ends (RFC 6714 sections 6.5 and 7.4).
func TestRFC6714_6_5_ThroughAMiddlebox(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server, client := selfSigned(t)
	p, err := New(&Options{Host: "passive.example.com:2855", TLS: client})
	require.NoError(t, err)
	defer p.Close()
	require.NoError(t, p.Serve(tls.NewListener(l, server)))
	a, err := New(&Options{Host: "active.example.com:2855", TLS: client})
	require.NoError(t, err)
	defer a.Close()
	x, err := a.NewSession(&SessionOptions{Secure: true})
	require.NoError(t, err)
	y, err := p.NewSession(&SessionOptions{Secure: true})
	require.NoError(t, err)
	bound := make(chan error, 1)
	go func() { bound <- y.Connect(ctx, x.LocalPath(), Passive, nil) }()
	require.NoError(t, x.Connect(ctx, y.LocalPath(), Active, &ConnectOptions{Address: l.Addr().String()}))
	require.NoError(t, <-bound)
	exchange(t, x, y, "hello")

	// The name that a certificate must have is that of the path, not that of the middlebox.
	z, err := a.NewSession(&SessionOptions{Secure: true})
	require.NoError(t, err)
	var wrong x509.HostnameError
	require.ErrorAs(t, z.Connect(ctx, mustPath("msrps://other.example.com:1/x;tcp"), Active, &ConnectOptions{Address: l.Addr().String()}), &wrong)
}

// Two sides of the same role do not get together: two active ones refuse each other at once, two passive ones wait as long as they are let.
func TestRFC6135_4_2_SameRoles(t *testing.T) {
	for name, role := range map[string]Role{"active": Active, "passive": Passive} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ends [2]*Endpoint
				var sides [2]*Session
				for i := range ends {
					e, err := New(&Options{Host: "e.example.com:2855", Dialer: pipeDialer(func(nc net.Conn) { ends[1-i].ServeConn(nc) })})
					require.NoError(t, err)
					defer e.Close()
					ends[i] = e
					sides[i], err = e.NewSession(nil)
					require.NoError(t, err)
				}
				begin := time.Now()
				short, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				errs := make(chan error, 2)
				for i, s := range sides {
					go func() { errs <- s.Connect(short, sides[1-i].LocalPath(), role, nil) }()
				}
				for range sides {
					err := <-errs
					if role == Passive {
						require.ErrorIs(t, err, context.DeadlineExceeded)
						require.Equal(t, time.Minute, time.Since(begin))
						continue
					}
					var refused *StatusError
					require.ErrorAs(t, err, &refused)
					require.Contains(t, []int{StatusSessionInUse, StatusNoSession}, refused.Code) // the second if the other side has given up before
					require.Zero(t, time.Since(begin))
				}
			})
		})
	}
}

// An active side that dials has 30 s for it, TLS included, and 30 s for the answer.
func TestRFC4975_5_4_ConnectTimeouts(t *testing.T) {
	for name, c := range map[string]struct {
		path string
		peer func(nc net.Conn)
		want error
		wait time.Duration
	}{
		"TLS handshake": {"msrps://p.example.com:1/x;tcp", func(net.Conn) {}, context.DeadlineExceeded, hop.Timeout},
		"answer":        {rawPath, func(nc net.Conn) { go io.Copy(io.Discard, nc) }, ErrTimeout, responseTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var peer net.Conn
				e, err := New(&Options{Host: "a.example.com", TLS: &tls.Config{}, Dialer: pipeDialer(func(nc net.Conn) { peer = nc; c.peer(nc) })})
				require.NoError(t, err)
				defer e.Close()
				s, err := e.NewSession(nil)
				require.NoError(t, err)
				begin := time.Now()
				require.ErrorIs(t, s.Connect(ctx, mustPath(c.path), Active, nil), c.want)
				require.Equal(t, c.wait, time.Since(begin))
				require.ErrorIs(t, s.Err(), c.want)
				peer.Close()
			})
		})
	}
	t.Run("dialling", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e, err := New(&Options{Host: "a.example.com", Dialer: silentDialer{}})
			require.NoError(t, err)
			defer e.Close()
			s, err := e.NewSession(nil)
			require.NoError(t, err)
			begin := time.Now()
			require.ErrorIs(t, s.Connect(ctx, mustPath(rawPath), Active, nil), context.DeadlineExceeded)
			require.Equal(t, hop.Timeout, time.Since(begin))
		})
	})
}

// Where addresses are rewritten on the way, session-ids alone decide, in requests and responses of both sides.
func TestMatchSessionID(t *testing.T) {
	const told, says = "msrp://203.0.113.9:9/raw;tcp", "msrps://10.0.0.1:2855/raw;tcp" // in the SDP, and in the frames
	for _, match := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			e, err := New(&Options{Host: "p.example.com:2855"})
			require.NoError(t, err)
			defer e.Close()
			s, err := e.NewSession(&SessionOptions{MatchSessionID: match})
			require.NoError(t, err)
			nc, remote := net.Pipe()
			defer nc.Close()
			e.ServeConn(remote)
			d := NewDecoder(nc, nil)
			bound := make(chan error, 1)
			go func() { bound <- s.Connect(ctx, mustPath(told), Passive, nil) }()
			synctest.Wait()
			request := func(to, from string) string {
				w := strings.Replace(frame(s, "aaaa1", "Message-ID: m1234\r\nContent-Type: text/plain\r\n", "hello", Complete), rawPath, from, 1)
				return strings.Replace(w, s.own, to, 1)
			}
			seenAs := strings.Replace(s.own, "p.example.com:2855", "198.51.100.1:1", 1)
			foreign := map[string]string{
				request(s.own, strings.Replace(says, "/raw", "/RAW", 1)):                  "the peer's session-id is another",
				request(s.own, "msrp://203.0.113.9:9;tcp"):                                "no session-id",
				request(s.own, "msrp://203.0.113.9:9/raw;tcp msrp://203.0.113.9:9/x;tcp"): "the endpoint's URI is the last one",
				request(strings.ToUpper(s.own[:len(s.own)-4])+";tcp", says):               "our own session-id is another",
			}
			for w, why := range foreign {
				write(t, nc, w)
				requireStatus(t, d, "aaaa1", StatusNoSession)
				require.Nil(t, s.conn, why)
			}
			write(t, nc, request(seenAs, says))
			if !match {
				requireStatus(t, d, "aaaa1", StatusNoSession)
				return
			}
			f, _, err := readFrame(d)
			require.NoError(t, err)
			require.Equal(t, StatusOK, f.Status)
			require.Equal(t, seenAs, string(f.FromPath))
			require.Equal(t, says, string(f.ToPath))
			require.NoError(t, <-bound)
			for w := range foreign {
				write(t, nc, w)
				requireStatus(t, d, "aaaa1", StatusNoSession)
			}
			write(t, nc, request(s.own, "msrp://relay.example.com:1/r;tcp "+says)) // a relay that the SDP did not tell
			requireStatus(t, d, "aaaa1", StatusOK)

			sent := sendLater(t, s, text("hello"))
			f, _, err = readFrame(d)
			require.NoError(t, err)
			require.Equal(t, told, string(f.ToPath))
			answer := func(to, from string) string {
				return strings.Replace(strings.Replace(ok(s, f), s.own, to, 1), rawPath, from, 1)
			}
			write(t, nc, answer(seenAs, strings.Replace(says, "/raw", "/RAW", 1)))
			write(t, nc, answer(strings.Replace(s.own, s.uri.SessionID, "x", 1), says))
			delivery := <-sent
			synctest.Wait()
			select {
			case <-delivery.Sent():
				t.Fatal("took another's response")
			default:
			}
			write(t, nc, answer(seenAs, says))
			require.NoError(t, delivery.Wait(ctx))
		})
	}
}

// The option does not weaken what is demanded of the connection.
func TestMatchSessionIDNeedsTLSAllTheSame(t *testing.T) {
	_, client := selfSigned(t)
	e, err := New(&Options{Host: "p.example.com", TLS: client})
	require.NoError(t, err)
	defer e.Close()
	s, err := e.NewSession(&SessionOptions{Secure: true, MatchSessionID: true})
	require.NoError(t, err)
	require.ErrorIs(t, s.Connect(ctx, mustPath(rawPath), Passive, nil), ErrInsecure)
	bound := make(chan error, 1)
	go func() { bound <- s.Connect(ctx, mustPath(securePath), Passive, nil) }()
	<-s.ready
	nc, remote := net.Pipe()
	defer nc.Close()
	e.ServeConn(remote)
	write(t, nc, frame(s, "aaaa1", "", "", Complete))
	requireStatus(t, NewDecoder(nc, nil), "aaaa1", StatusForbidden)
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-bound, ErrClosed)
}

// IPv6 all the way: the URI has brackets, and is dialled and compared as an address.
func TestRFC4975_6_IPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		foreign.Missing(t, "IPv6 ("+err.Error()+")")
	}
	e, err := New(nil)
	require.NoError(t, err)
	defer e.Close()
	require.NoError(t, e.Serve(l))
	a, err := e.NewSession(nil)
	require.NoError(t, err)
	p, err := e.NewSession(nil)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(p.own, "msrp://[::1]:"), p.own)
	told := mustPath(strings.Replace(p.own, "[::1]", "[0:0:0:0:0:0:0:1]", 1))
	bound := make(chan error, 1)
	go func() { bound <- p.Connect(ctx, a.LocalPath(), Passive, nil) }()
	require.NoError(t, a.Connect(ctx, told, Active, nil))
	require.NoError(t, <-bound)
	exchange(t, a, p, "hello")
	exchange(t, p, a, "hello")
}
