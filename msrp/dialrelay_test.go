package msrp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
)

// zone answers for the SRV records of _msrps._tcp.example.com.
type zone struct {
	records []*net.SRV
	err     error
}

func (z zone) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if service != "msrps" || proto != "tcp" || name != "example.com" {
		return "", nil, &net.DNSError{IsNotFound: true}
	}
	return "", z.records, z.err
}

// hosts dials what stands under an address; there is nothing elsewhere. It notes where it was sent.
type hosts struct {
	mu     sync.Mutex
	dialed []string
	at     map[string]func(ctx context.Context) (net.Conn, error)
}

func (h *hosts) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	h.mu.Lock()
	h.dialed = append(h.dialed, address)
	at := h.at[address]
	h.mu.Unlock()
	if at == nil {
		return nil, errors.New("connection refused")
	}
	return at(ctx)
}

// serving is a host whose connections a function serves.
func serving(serve func(net.Conn)) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go serve(theirs)
		return ours, nil
	}
}

// overTLS serves a relay's TLS before what comes next.
func overTLS(cfg *tls.Config, serve func(net.Conn)) func(context.Context) (net.Conn, error) {
	return serving(func(nc net.Conn) { serve(tls.Server(nc, cfg)) })
}

// overTCP is overTLS on a connection with buffers, which a handshake needs to fail: a pipe has none.
func overTCP(t *testing.T, cfg *tls.Config, serve func(net.Conn)) func(context.Context) (net.Conn, error) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for nc, err := l.Accept(); err == nil; nc, err = l.Accept() {
			serve(nc)
			nc.Close()
		}
	}()
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
}

// answering is a relay that answers every request with a status, and a Use-Path.
func answering(t *testing.T, status, use string) func(net.Conn) {
	return func(nc net.Conn) {
		defer nc.Close()
		r := &rawRelay{TB: t, nc: nc, d: NewDecoder(nc, nil)}
		for {
			f, _, err := readFrame(r.d)
			if err != nil {
				return
			}
			r.answer(f, status, "Use-Path: "+use)
		}
	}
}

const secureUse = "msrps://server1.example.com:9000/use1;tcp"

func secureAlice() *RelayOptions {
	return &RelayOptions{URI: "msrps://example.com;tcp", Username: "alice", Password: "secret"}
}

// The relays of a domain are tried in their order until one works: the next one if the first cannot be reached, has a wrong certificate, does not answer, hangs up or has a
// fault; not if it refuses.
func TestRFC4976_8_RelaysOfADomain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		right, roots := certtest.New(t, "example.com")
		cfg := &tls.Config{Certificates: []tls.Certificate{right}}
		works := overTLS(cfg, answering(t, "200 OK", secureUse))
		none := (func(context.Context) (net.Conn, error))(nil)
		for name, tt := range map[string]struct {
			first func(context.Context) (net.Conn, error)
			took  time.Duration
			want  int // 0: the second is tried
		}{
			"works":      {works, 0, 1},
			"refused":    {none, 0, 0},
			"black hole": {func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }, addressTimeout, 0},
			"no TLS":     {serving(func(nc net.Conn) { nc.Read(make([]byte, 1)) }), addressTimeout, 0},
			"silent":     {overTLS(cfg, func(nc net.Conn) { io.Copy(io.Discard, nc) }), responseTimeout, 0},
			"hangs up":   {overTLS(cfg, func(nc net.Conn) { readFrame(NewDecoder(nc, nil)); nc.Close() }), 0, 0},
			"fault":      {overTLS(cfg, answering(t, "500 Such", secureUse)), 0, 0},
			"last words": {overTLS(cfg, func(nc net.Conn) {
				r := &rawRelay{TB: t, nc: nc, d: NewDecoder(nc, nil)}
				f, _, _ := readFrame(r.d)
				r.answer(f, "403 Such")
				nc.Close()
			}), 0, 403},
			"forbidden":   {overTLS(cfg, answering(t, "403 Such", secureUse)), 0, 403},
			"no Use-Path": {overTLS(cfg, answering(t, "200 OK", "")), 0, 200},
		} {
			h := &hosts{at: map[string]func(context.Context) (net.Conn, error){"server1.example.com:9000": tt.first, "server2.example.com:9000": works}}
			e, err := New(&Options{
				TLS: &tls.Config{RootCAs: roots}, Dialer: h,
				Resolver: zone{records: []*net.SRV{{Target: "server1.example.com.", Port: 9000}, {Target: "server2.example.com.", Port: 9000}}},
			})
			require.NoError(t, err)
			begun := time.Now()
			r, err := e.DialRelay(ctx, secureAlice())
			require.Equal(t, tt.took, time.Since(begun), name)
			var refused *StatusError
			switch {
			case tt.want == 403:
				require.ErrorAs(t, err, &refused, name)
			case tt.want == 200:
				require.ErrorIs(t, err, ErrMalformed, name)
			default:
				require.NoError(t, err, name)
				require.Equal(t, secureUse, r.Path().String())
			}
			require.Equal(t, tt.want == 0, len(h.dialed) == 2, name)
			require.NoError(t, e.Close())
		}
	})
}

// Where none of them works the error is that of the last, and the log has the others.
func TestNoRelayOfTheDomainWorks(t *testing.T) {
	var log bytes.Buffer
	h := &hosts{}
	e, err := New(&Options{
		TLS: &tls.Config{}, Dialer: h, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Resolver: zone{records: []*net.SRV{{Target: "server1.example.com.", Port: 9000}, {Target: "server2.example.com.", Port: 9000}}},
	})
	require.NoError(t, err)
	defer e.Close()
	_, err = e.DialRelay(ctx, secureAlice())
	require.EqualError(t, err, "msrp: connection refused")
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("level=WARN")))
	require.Equal(t, []string{"server1.example.com:9000", "server2.example.com:9000"}, h.dialed)
}

// Without SRV records the domain itself is dialled; a port and an address are dialled as they are, and a failing DNS server is an error.
func TestRFC4976_8_WhereARelayIsDialled(t *testing.T) {
	gone := zone{err: &net.DNSError{IsNotFound: true}}
	for uri, tt := range map[string]struct {
		zone zone
		want []string
	}{
		"msrps://example.com;tcp":                        {gone, []string{"example.com:2855"}},
		"msrps://alice@example.com;tcp":                  {gone, []string{"example.com:2855"}},
		"msrps://example.com:9;tcp":                      {zone{records: []*net.SRV{{Target: "no.example.com.", Port: 1}}}, []string{"example.com:9"}},
		"msrps://192.0.2.1;tcp":                          {gone, []string{"192.0.2.1:2855"}},
		"msrps://[2001:db8::1]:9;tcp":                    {gone, []string{"[2001:db8::1]:9"}},
		"msrp://example.com;tcp":                         {zone{records: []*net.SRV{{Target: "no.example.com.", Port: 1}}}, []string{"example.com:2855"}},
		"msrps://example.com;tcp?":                       {},
		"msrps://example.com;tcp;x=1":                    {zone{records: []*net.SRV{{Target: "."}}}, nil},
		"msrps://example.com;tcp;x=2":                    {zone{err: errors.New("server failure")}, nil},
		"msrps://example.com;tcp;x=" + string(byte('3')): {gone, []string{"example.com:2855"}},
	} {
		h := &hosts{}
		e, err := New(&Options{TLS: &tls.Config{}, Dialer: h, Resolver: tt.zone})
		require.NoError(t, err)
		o := secureAlice()
		o.URI, o.AllowTCP = uri, true
		_, err = e.DialRelay(ctx, o)
		require.Error(t, err, uri)
		require.Equal(t, tt.want, h.dialed, uri)
		require.NoError(t, e.Close())
	}
}

// A client shows a relay no certificate, though it has one for its peers, and tells the name of the relay that it wants (RFC 4976 sections 6.3 and 9.2).
func TestRFC4976_9_2_ClientsShowNoCertificate(t *testing.T) {
	cert, roots := certtest.New(t, "example.com")
	states := make(chan tls.ConnectionState, 1)
	server := &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert, VerifyConnection: func(s tls.ConnectionState) error {
		states <- s
		return nil
	}}
	h := &hosts{at: map[string]func(context.Context) (net.Conn, error){"example.com:2855": overTLS(server, answering(t, "200 OK", secureUse))}}
	own := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }}
	e, err := New(&Options{TLS: own, Dialer: h, Resolver: zone{}})
	require.NoError(t, err)
	defer e.Close()
	r, err := e.DialRelay(ctx, secureAlice())
	require.NoError(t, err)
	state := <-states
	require.Empty(t, state.PeerCertificates)
	require.Equal(t, "example.com", state.ServerName)
	require.NotEmpty(t, own.Certificates, "the caller's configuration is as it was")
	require.True(t, r.own.Secure)

	s, err := e.NewSession(&SessionOptions{Relay: r, Secure: true})
	require.NoError(t, err)
	require.True(t, s.LocalPath()[0].Secure)
	require.True(t, s.LocalPath()[1].Secure)
}

// TLS is the default and is not taken back by the relay.
func TestRelayIsNotDowngraded(t *testing.T) {
	_, roots := certtest.New(t, "example.com")
	e, err := New(&Options{TLS: &tls.Config{RootCAs: roots}, Dialer: &hosts{}, Resolver: zone{}})
	require.NoError(t, err)
	defer e.Close()
	o := secureAlice()
	o.URI = "msrp://example.com;tcp"
	_, err = e.DialRelay(ctx, o)
	require.ErrorIs(t, err, ErrInsecure)
	o = secureAlice()
	o.Next = &RelayOptions{URI: "msrp://example.com;tcp", Username: "alice"}
	_, err = e.DialRelay(ctx, o)
	require.ErrorIs(t, err, ErrInsecure)
	require.ErrorContains(t, err, "RelayOptions.Next.URI")

	cert, roots := certtest.New(t, "example.com")
	server := overTLS(&tls.Config{Certificates: []tls.Certificate{cert}}, answering(t, "200 OK", rawUse)) // an msrp URI
	e, err = New(&Options{TLS: &tls.Config{RootCAs: roots}, Dialer: &hosts{at: map[string]func(context.Context) (net.Conn, error){"example.com:2855": server}}, Resolver: zone{}})
	require.NoError(t, err)
	defer e.Close()
	_, err = e.DialRelay(ctx, secureAlice())
	require.ErrorIs(t, err, ErrInsecure)
	_, err = e.DialRelay(ctx, &RelayOptions{URI: "msrps://other.example.com;tcp", Username: "alice"})
	require.Error(t, err)

	r := dialRaw(t, byAlice()) // over TCP
	relay := r.login()
	_, err = relay.e.NewSession(&SessionOptions{Relay: relay, Secure: true})
	require.ErrorIs(t, err, ErrInsecure)
}

// The certificate is for the domain, whatever the server's name in DNS is (RFC 4976 section 9.2).
func TestRFC4976_9_2_CertificateOfTheDomain(t *testing.T) {
	right, roots := certtest.New(t, "example.com")
	wrong, _ := certtest.New(t, "server1.example.com")
	roots.AddCert(wrong.Leaf)
	trust := &tls.Config{RootCAs: roots}
	for name, tt := range map[string]struct {
		shown  tls.Certificate
		trust  *tls.Config
		target any
	}{
		"the domain's":    {right, trust, nil},
		"the server's":    {wrong, trust, new(x509.HostnameError)},
		"not trusted":     {right, &tls.Config{}, new(x509.UnknownAuthorityError)},
		"not by its name": {right, &tls.Config{RootCAs: roots, ServerName: "server1.example.com"}, new(x509.HostnameError)},
	} {
		t.Run(name, func(t *testing.T) {
			relay := overTCP(t, &tls.Config{Certificates: []tls.Certificate{tt.shown}}, answering(t, "200 OK", secureUse))
			e, err := New(&Options{
				TLS: tt.trust, Dialer: &hosts{at: map[string]func(context.Context) (net.Conn, error){"server1.example.com:9000": relay}},
				Resolver: zone{records: []*net.SRV{{Target: "server1.example.com.", Port: 9000}}},
			})
			require.NoError(t, err)
			defer e.Close()
			_, err = e.DialRelay(ctx, secureAlice())
			if tt.target == nil {
				require.NoError(t, err)
			} else {
				require.ErrorAs(t, err, tt.target)
			}
		})
	}
}

func TestRelayOptions(t *testing.T) {
	loop := secureAlice()
	loop.Next = loop
	for name, tt := range map[string]struct {
		change func(o *RelayOptions)
		want   string
	}{
		"no URI":        {func(o *RelayOptions) { o.URI = "" }, "RelayOptions.URI"},
		"no user":       {func(o *RelayOptions) { o.Username = "" }, "RelayOptions.Username"},
		"line end":      {func(o *RelayOptions) { o.Username = "alice\r\nX: y" }, "RelayOptions.Username"},
		"NUL":           {func(o *RelayOptions) { o.Username = "alice\x00" }, "RelayOptions.Username"},
		"negative time": {func(o *RelayOptions) { o.Expires = -time.Second }, "RelayOptions.Expires"},
		"half a second": {func(o *RelayOptions) { o.Expires = time.Second / 2 }, "RelayOptions.Expires"},
		"digest URI":    {func(o *RelayOptions) { o.DigestURI = 3 }, "RelayOptions.DigestURI"},
		"the next":      {func(o *RelayOptions) { o.Next = &RelayOptions{URI: o.URI} }, "RelayOptions.Next.Username"},
		"a ring":        {func(o *RelayOptions) { *o = *loop }, "chain"},
	} {
		e, err := New(&Options{TLS: &tls.Config{}, Dialer: &hosts{}, Resolver: zone{}})
		require.NoError(t, err)
		o := secureAlice()
		tt.change(o)
		_, err = e.DialRelay(ctx, o)
		require.ErrorContains(t, err, tt.want, name)
		require.ErrorContains(t, err, "msrp: ", name)
		require.NoError(t, e.Close())
	}
	e, err := New(nil)
	require.NoError(t, err)
	_, err = e.DialRelay(ctx, nil)
	require.ErrorContains(t, err, "RelayOptions")
	_, err = e.DialRelay(ctx, secureAlice())
	require.ErrorIs(t, err, ErrNoTLS)
	require.NoError(t, e.Close())
	o := byAlice()
	o.URI = "msrp://192.0.2.1:1;tcp"
	_, err = e.DialRelay(ctx, o)
	require.ErrorIs(t, err, ErrClosed)
}

// A chain has 8 relays at most.
func TestLongestChain(t *testing.T) {
	var chain *RelayOptions
	for range maxRelays {
		o := secureAlice()
		o.Next = chain
		chain = o
	}
	require.NoError(t, chain.Validate())
	o := secureAlice()
	o.Next = chain
	require.ErrorContains(t, o.Validate(), "a chain of more than 8 relays")
}

// A password is never sent, whatever is in it, and a user name stays in its quotes.
func TestRelayUserNames(t *testing.T) {
	o := byAlice()
	o.Username = `al"ice\ ü, realm="x"`
	r := dialRaw(t, o)
	r.answer(r.auth(), "401 Unauthorized", rawAuth)
	f := r.auth()
	require.Contains(t, string(f.Value("Authorization")), `username="al\"ice\\ ü, realm=\"x\""`)
	r.answer(f, "200 OK", "Use-Path: "+rawUse)
	require.NoError(t, (<-r.dialled).err)
}

// Close, and the end of ctx, end a DialRelay at any point.
func TestDialRelayGivesUp(t *testing.T) {
	blackHole := func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	silent := serving(func(nc net.Conn) { readFrame(NewDecoder(nc, nil)) })
	for _, host := range []func(context.Context) (net.Conn, error){blackHole, silent} {
		for _, close := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				e, err := New(&Options{Dialer: &hosts{at: map[string]func(context.Context) (net.Conn, error){"relay.example.com:2855": host}}})
				require.NoError(t, err)
				defer e.Close()
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, func() {
					if close {
						e.Close()
					}
					cancel()
				})
				begun := time.Now()
				_, err = e.DialRelay(ctx, byAlice())
				if close {
					require.ErrorIs(t, err, ErrClosed)
				} else {
					require.ErrorIs(t, err, context.Canceled)
				}
				require.Equal(t, time.Second, time.Since(begun))
			})
		}
	}
}

// Without a host of its own an endpoint calls itself by its address towards the relay: it listens nowhere.
func TestRelayWithoutHost(t *testing.T) {
	ours, theirs := net.Pipe()
	go answering(t, "200 OK", rawUse)(theirs)
	e, err := New(&Options{Dialer: &hosts{at: map[string]func(context.Context) (net.Conn, error){
		"relay.example.com:2855": func(context.Context) (net.Conn, error) { return ours, nil },
	}}})
	require.NoError(t, err)
	defer e.Close()
	r, err := e.DialRelay(ctx, byAlice())
	require.NoError(t, err)
	s, err := e.NewSession(&SessionOptions{Relay: r})
	require.NoError(t, err)
	require.Equal(t, ours.LocalAddr().String(), s.LocalPath()[1].Host)
	require.Equal(t, uint16(DefaultPort), s.LocalPath()[1].Port)
	_, err = e.NewSession(nil)
	require.ErrorContains(t, err, "no host")
}
