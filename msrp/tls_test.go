package msrp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// selfSigned is a certificate for 127.0.0.1 and passive.example.com: a server's configuration and that of a client which trusts it.
func selfSigned(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "msrp test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"passive.example.com"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, DynamicRecordSizingDisabled: true}
	return server, &tls.Config{RootCAs: roots}
}

// records counts the TLS records that are written to a connection.
type records struct {
	net.Conn
	mu      sync.Mutex
	n, rest int
	head    []byte
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	for b := p; len(b) > 0; {
		if r.rest > 0 {
			k := min(r.rest, len(b))
			r.rest, b = r.rest-k, b[k:]
			continue
		}
		r.head, b = append(r.head, b[0]), b[1:]
		if len(r.head) == 5 {
			r.rest, r.head = int(r.head[3])<<8|int(r.head[4]), r.head[:0]
			r.n++
		}
	}
	r.mu.Unlock()
	return r.Conn.Write(p)
}

func (r *records) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// recordListener and recordDialer hand out the connections that they count on.
type recordListener struct {
	net.Listener
	conns chan *records
}

func (l recordListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	r := &records{Conn: nc}
	l.conns <- r
	return r, nil
}

type recordDialer chan *records

func (d recordDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	r := &records{Conn: nc}
	d <- r
	return r, nil
}

// securePair connects two msrps sessions over loopback and returns what counts their records.
func securePair(t testing.TB) (active, passive *Session, sent, received *records) {
	server, client := selfSigned(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	accepted, dialled := make(chan *records, 1), make(recordDialer, 1)
	pe, err := New(&Options{TLS: client})
	require.NoError(t, err)
	require.NoError(t, pe.Serve(tls.NewListener(recordListener{l, accepted}, server)))
	ae, err := New(&Options{Host: "127.0.0.1:1", TLS: client, Dialer: dialled})
	require.NoError(t, err)
	t.Cleanup(func() { ae.Close(); pe.Close() })
	active, err = ae.NewSession(&SessionOptions{Secure: true})
	require.NoError(t, err)
	passive, err = pe.NewSession(&SessionOptions{Secure: true})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(passive.LocalPath().String(), "msrps://127.0.0.1:"))
	connect(t, active, passive)
	return active, passive, <-dialled, <-accepted
}

// AG Projects' relay loses a frame that is not alone in its record: one frame, one record, in both directions.
func TestTLSOneFrameOneRecord(t *testing.T) {
	a, p, fromActive, fromPassive := securePair(t)
	for _, way := range []struct {
		from, to *Session
		records  *records
	}{{a, p, fromActive}, {p, a, fromPassive}} {
		for _, size := range []int{1, 5_000, 10_000} {
			before := way.records.count()
			m := text(strings.Repeat("x", size))
			d, err := way.from.Send(ctx, m)
			require.NoError(t, err)
			require.NoError(t, d.Wait(ctx)) // answered, so written
			require.Equal(t, 1, way.records.count()-before, "body of %d bytes", size)
			got, err := way.to.Receive(ctx)
			require.NoError(t, err)
			require.Equal(t, m.Body, got.Body)
		}
	}
}

// A session with msrps URIs takes no connection and no path without TLS.
func TestTLSNoDowngrade(t *testing.T) {
	_, client := selfSigned(t)
	e, err := New(&Options{Host: "p.example.com", TLS: client})
	require.NoError(t, err)
	defer e.Close()
	s, err := e.NewSession(&SessionOptions{Secure: true})
	require.NoError(t, err)
	require.ErrorIs(t, s.Connect(ctx, mustPath(rawPath), Active, nil), ErrInsecure)
	require.ErrorIs(t, s.Connect(ctx, mustPath(rawPath), Passive, nil), ErrInsecure)

	nc, remote := net.Pipe()
	defer nc.Close()
	e.ServeConn(remote)
	bound := make(chan error, 1)
	go func() { bound <- s.Connect(ctx, mustPath("msrps://raw.example.com:2855/raw;tcp"), Passive, nil) }()
	write(t, nc, strings.Replace(frame(s, "aaaa1", "Message-ID: m1234\r\n", "", Complete), "From-Path: msrp:", "From-Path: msrps:", 1))
	f, _, err := readFrame(NewDecoder(nc, nil))
	require.NoError(t, err)
	require.Equal(t, StatusForbidden, f.Status)
	require.NoError(t, s.Err())
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-bound, ErrClosed)
}

func TestTLSChecksTheName(t *testing.T) {
	server, client := selfSigned(t)
	e, err := New(&Options{Host: "a.example.com", TLS: client, Dialer: pipeDialer(func(nc net.Conn) {
		go func() {
			defer nc.Close()
			tls.Server(nc, server).Handshake()
		}()
	})})
	require.NoError(t, err)
	defer e.Close()
	s, err := e.NewSession(&SessionOptions{Secure: true})
	require.NoError(t, err)
	var wrong x509.HostnameError
	require.ErrorAs(t, s.Connect(ctx, mustPath("msrps://other.example.com/x;tcp"), Active, nil), &wrong)
}

// A peer that falls silent within the handshake costs a connection for 30 s, whether we wait to read or to write.
func TestTLSHandshakeIsBounded(t *testing.T) {
	for name, peer := range map[string]func(nc net.Conn, client *tls.Config){
		"silent": func(net.Conn, *tls.Config) {},
		"does not read": func(nc net.Conn, client *tls.Config) {
			c := client.Clone()
			c.ServerName = "passive.example.com"
			tls.Client(writeOnly{nc}, c).Handshake()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, client := selfSigned(t)
				e, err := New(&Options{Host: "p.example.com"})
				require.NoError(t, err)
				defer e.Close()
				nc, remote := net.Pipe()
				e.ServeConn(tls.Server(remote, server))
				done := make(chan struct{})
				go func() {
					defer close(done)
					peer(nc, client)
				}()
				time.Sleep(bindTimeout - time.Second)
				synctest.Wait()
				require.EqualValues(t, 1, e.unbound.Load())
				time.Sleep(time.Second)
				synctest.Wait()
				require.Zero(t, e.unbound.Load())
				nc.Close()
				<-done
			})
		})
	}
}

// writeOnly waits until it is closed instead of reading.
type writeOnly struct{ net.Conn }

func (w writeOnly) Read([]byte) (int, error) {
	for {
		if _, err := w.Conn.Write(nil); err != nil {
			return 0, err
		}
		time.Sleep(time.Second)
	}
}

// The last TLS alert does not make Close or Shutdown wait for a peer that does not read.
func TestTLSCloseDoesNotWait(t *testing.T) {
	for name, end := range map[string]func(e *Endpoint) error{
		"Close": (*Endpoint).Close, "Shutdown": func(e *Endpoint) error { return e.Shutdown(ctx) },
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { closesAtOnce(t, end) }) })
	}
}

func closesAtOnce(t *testing.T, end func(e *Endpoint) error) {
	server, client := selfSigned(t)
	accepted := make(chan net.Conn, 1)
	e, err := New(&Options{Host: "a.example.com", TLS: client, Dialer: pipeDialer(func(nc net.Conn) { accepted <- nc })})
	require.NoError(t, err)
	s, err := e.NewSession(&SessionOptions{Secure: true})
	require.NoError(t, err)
	connected := make(chan error, 1)
	go func() { connected <- s.Connect(ctx, mustPath("msrps://passive.example.com/x;tcp"), Active, nil) }()
	nc := <-accepted
	tc := tls.Server(nc, server)
	f, _, err := readFrame(NewDecoder(tc, nil))
	require.NoError(t, err)
	_, err = io.WriteString(tc, strings.Replace(ok(s, f), rawPath, "msrps://passive.example.com/x;tcp", 1))
	require.NoError(t, err)
	require.NoError(t, <-connected)
	synctest.Wait() // TLS sends no alert behind a Write that has not returned
	begin := time.Now()
	require.NoError(t, end(e)) // nobody reads at the other end of the pipe
	require.Equal(t, 100*time.Millisecond, time.Since(begin))
	nc.Close()
}
