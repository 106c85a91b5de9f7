package msrp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha1"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	c, err := SelfSigned()
	require.NoError(t, err)
	return c
}

// value is that of the SDP attribute, of any hash.
func value(name string, sum []byte) string {
	return name + " " + strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

func TestRFC8122_5_SelfSigned(t *testing.T) {
	a, b := certificate(t), certificate(t)
	require.NotEqual(t, a.Leaf.SerialNumber, b.Leaf.SerialNumber)
	require.NotEqual(t, Fingerprint(a.Leaf), Fingerprint(b.Leaf))
	require.Regexp(t, `^sha-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}$`, Fingerprint(a.Leaf))
}

func TestRFC4975_14_4_SelfSigned(t *testing.T) {
	c := certificate(t)
	require.Equal(t, elliptic.P256(), c.PrivateKey.(*ecdsa.PrivateKey).Curve)
	require.Positive(t, c.Leaf.SerialNumber.Sign())
	require.LessOrEqual(t, c.Leaf.SerialNumber.BitLen(), 128)
	require.NoError(t, c.Leaf.CheckSignature(c.Leaf.SignatureAlgorithm, c.Leaf.RawTBSCertificate, c.Leaf.Signature))
	require.True(t, c.Leaf.NotBefore.Before(time.Now().Add(-time.Hour)))
	require.True(t, c.Leaf.NotAfter.After(time.Now().Add(300*24*time.Hour)))
	require.Equal(t, "CN=msrp", c.Leaf.Subject.String())
	require.Empty(t, c.Leaf.DNSNames)
	require.Empty(t, c.Leaf.IPAddresses)
	require.False(t, c.Leaf.IsCA)
	require.Equal(t, c.Certificate[0], c.Leaf.Raw)
}

// Which of the SDP's fingerprints count, and which values are none.
func TestRFC8122_5_1_MultipleFingerprints(t *testing.T) {
	ours, other := certificate(t).Leaf, certificate(t).Leaf
	s1, s512 := sha1.Sum(ours.Raw), sha512.Sum512(ours.Raw)
	s384, other512 := sha512.Sum384(ours.Raw), sha512.Sum512(other.Raw)
	sha256 := Fingerprint(ours)
	for name, c := range map[string]struct {
		values []string
		want   error // nil: accepted
	}{
		"sha-256":                       {[]string{sha256}, nil},
		"lower case":                    {[]string{strings.ToLower(sha256)}, nil},
		"upper case":                    {[]string{strings.ToUpper(sha256)}, nil},
		"sha-384":                       {[]string{value("sha-384", s384[:])}, nil},
		"sha-512":                       {[]string{value("sha-512", s512[:])}, nil},
		"one of two":                    {[]string{Fingerprint(other), sha256}, nil},
		"of two hashes":                 {[]string{value("sha-512", s512[:]), sha256}, nil},
		"unknown ones passed over":      {[]string{"sha-1 AA", "md5 AA", "md2 x", "", "tiger", "sha3-256 AA:BB", sha256}, nil},
		"another":                       {[]string{Fingerprint(other)}, ErrFingerprint},
		"strongest hash does not match": {[]string{sha256, value("sha-512", other512[:])}, ErrFingerprint},
		"sha-1 alone":                   {[]string{value("sha-1", s1[:])}, ErrFingerprint},
		"md5 alone":                     {[]string{"md5 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B"}, ErrFingerprint},
		"empty":                         {[]string{""}, ErrFingerprint},
		"too short":                     {[]string{sha256[:len(sha256)-3]}, ErrMalformed},
		"too long":                      {[]string{sha256 + ":00"}, ErrMalformed},
		"no colons":                     {[]string{strings.ReplaceAll(sha256, ":", "")}, ErrMalformed},
		"no digits":                     {[]string{"sha-256 " + strings.Repeat("XX:", 31) + "XX"}, ErrMalformed},
		"no value":                      {[]string{"sha-256"}, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := parseFingerprints(c.values)
			if err == nil {
				err = f.check([]*x509.Certificate{ours, other})
			}
			if c.want == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, c.want)
			}
		})
	}
	f, err := parseFingerprints([]string{sha256})
	require.NoError(t, err)
	require.ErrorIs(t, f.check(nil), ErrFingerprint)
	require.ErrorIs(t, f.check([]*x509.Certificate{other, ours}), ErrFingerprint, "only the peer's own counts, not what it has sent along")
}

// tlsEnd is an endpoint with a certificate of its own.
type tlsEnd struct {
	*Endpoint
	cert tls.Certificate
}

func newTLSEnd(t testing.TB, dialer Dialer) *tlsEnd {
	t.Helper()
	cert := certificate(t)
	e, err := New(&Options{Host: "a.example.com:2855", TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Dialer: dialer})
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return &tlsEnd{e, cert}
}

// listen is the configuration for its connections.
func (e *tlsEnd) listen(auth tls.ClientAuthType) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{e.cert}, ClientAuth: auth, DynamicRecordSizingDisabled: true}
}

func (e *tlsEnd) session(t testing.TB) *Session {
	t.Helper()
	s, err := e.NewSession(&SessionOptions{Secure: true})
	require.NoError(t, err)
	return s
}

// tlsPair is an endpoint that dials another over loopback.
func tlsPair(t testing.TB) (active, passive *tlsEnd) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	passive = newTLSEnd(t, nil)
	require.NoError(t, passive.Serve(tls.NewListener(l, passive.listen(tls.RequireAnyClientCert))))
	return newTLSEnd(t, toAddress(l.Addr().String())), passive
}

// toAddress dials there, whatever it is told.
type toAddress string

func (to toAddress) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, string(to))
}

func (e *tlsEnd) demand() *ConnectOptions {
	return &ConnectOptions{Fingerprints: []string{Fingerprint(e.cert.Leaf)}}
}

// Self-signed certificates of both sides, verified by their fingerprints.
func TestRFC4975_14_4_Fingerprints(t *testing.T) {
	active, passive := tlsPair(t)
	a, p := active.session(t), passive.session(t)
	bound := make(chan error, 1)
	go func() { bound <- p.Connect(ctx, a.LocalPath(), Passive, active.demand()) }()
	require.NoError(t, a.Connect(ctx, p.LocalPath(), Active, passive.demand()))
	require.NoError(t, <-bound)
	exchange(t, a, p, "hello")
	exchange(t, p, a, "hello")
}

// A wrong certificate of the passive side ends the handshake, before anything of ours is sent.
func TestRFC4975_14_4_WrongFingerprintOfThePassiveSide(t *testing.T) {
	for name, o := range map[string]*ConnectOptions{
		"other certificate": {Fingerprints: []string{Fingerprint(certificate(t).Leaf)}},
		"no trusted hash":   {Fingerprints: []string{"sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB"}},
		"by name":           nil,
	} {
		t.Run(name, func(t *testing.T) {
			active, passive := tlsPair(t)
			a, p := active.session(t), passive.session(t)
			go p.Connect(ctx, a.LocalPath(), Passive, nil)
			err := a.Connect(ctx, p.LocalPath(), Active, o)
			if o == nil {
				var unknown *tls.CertificateVerificationError
				require.ErrorAs(t, err, &unknown)
			} else {
				require.ErrorIs(t, err, ErrFingerprint)
			}
			require.ErrorIs(t, p.Err(), nil)
			require.NotContains(t, err.Error(), p.uri.SessionID)
		})
	}
}

// A wrong certificate of the active side, or none, is refused with 403 and its connection closed. The right one may still come.
func TestRFC4975_14_4_WrongFingerprintOfTheActiveSide(t *testing.T) {
	for name, c := range map[string]struct {
		auth tls.ClientAuthType
		cert bool
	}{
		"other certificate": {tls.RequireAnyClientCert, true},
		"not asked for":     {tls.NoClientCert, true},
		"none":              {tls.RequestClientCert, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				passive := newTLSEnd(t, nil)
				defer passive.Close()
				active := newTLSEnd(t, pipeDialer(func(nc net.Conn) { passive.ServeConn(tls.Server(nc, passive.listen(c.auth))) }))
				defer active.Close()
				a, p := active.session(t), passive.session(t)
				short, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				bound := make(chan error, 1)
				go func() { bound <- p.Connect(short, a.LocalPath(), Passive, passive.demand()) }()
				synctest.Wait()
				if !c.cert {
					active.o.TLS.Certificates = nil
				}
				begin := time.Now()
				var refused *StatusError
				require.ErrorAs(t, a.Connect(ctx, p.LocalPath(), Active, passive.demand()), &refused)
				require.Equal(t, StatusForbidden, refused.Code)
				require.NoError(t, p.Err())
				err := <-bound
				require.ErrorIs(t, err, ErrFingerprint)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, time.Minute, time.Since(begin))
			})
		})
	}
}

const securePath = "msrps://raw.example.com:2855/raw;tcp"

// A peer that is refused has a second to take it in, however often it asks.
func TestRFC4975_14_4_RefusedConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		passive := newTLSEnd(t, nil)
		defer passive.Close()
		var log strings.Builder
		passive.o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		p := passive.session(t)
		go p.Connect(ctx, mustPath(securePath), Passive, passive.demand())
		ours, theirs := net.Pipe()
		passive.ServeConn(tls.Server(theirs, passive.listen(tls.RequireAnyClientCert)))
		nc := tls.Client(ours, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certificate(t)}})
		d := NewDecoder(nc, nil)
		begin := time.Now()
		for range 3 {
			write(t, nc, strings.Replace(frame(p, "aaaa1", "Message-ID: m1234\r\nContent-Type: text/plain\r\n", "trust me", Complete), rawPath, securePath, 1))
			requireStatus(t, d, "aaaa1", StatusForbidden)
			time.Sleep(lingerTimeout / 4)
		}
		_, _, err := readFrame(d)
		require.Equal(t, io.EOF, err)
		require.Equal(t, lingerTimeout, time.Since(begin))
		require.NoError(t, p.Err())
		require.Equal(t, 1, strings.Count(log.String(), "fingerprint"))
		require.NotContains(t, log.String(), p.uri.SessionID)
		nc.Close()
	})
}

// What cannot hold what is demanded of it fails before anything is dialled, and leaves the session as it was.
func TestRFC8122_FingerprintsNeedTLS(t *testing.T) {
	e := newTLSEnd(t, pipeDialer(func(net.Conn) { t.Error("dialled") }))
	plain, err := e.NewSession(nil)
	require.NoError(t, err)
	for _, role := range []Role{Active, Passive} {
		require.ErrorIs(t, plain.Connect(ctx, mustPath(rawPath), role, e.demand()), ErrInsecure)
		require.ErrorIs(t, plain.Connect(ctx, mustPath("msrps://b.example.com:1/x;tcp"), role, &ConnectOptions{Fingerprints: []string{"md5 00"}}), ErrFingerprint)
		require.ErrorIs(t, plain.Connect(ctx, mustPath("msrps://b.example.com:1/x;tcp"), role, &ConnectOptions{Fingerprints: []string{"sha-256 00"}}), ErrMalformed)
	}
	require.NoError(t, plain.Err())
}

// hello records the server name that a client asks for.
func helloName(t *testing.T, o *ConnectOptions, path string) (name string) {
	names := make(chan string, 1)
	e := newTLSEnd(t, pipeDialer(func(nc net.Conn) {
		go func() {
			defer nc.Close()
			tls.Server(nc, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				names <- h.ServerName
				return nil, errors.New("enough")
			}}).Handshake()
		}()
	}))
	require.Error(t, e.session(t).Connect(ctx, mustPath(path), Active, o))
	return <-names
}

// RFC 4975 section 14.2 demands the server name indication; Blink refuses a name that its certificate does not have, so with fingerprints there is none.
func TestRFC4975_14_2_ServerName(t *testing.T) {
	demand := &ConnectOptions{Fingerprints: []string{Fingerprint(certificate(t).Leaf)}}
	require.Equal(t, "b.example.com", helloName(t, nil, "msrps://b.example.com:1/x;tcp"))
	require.Empty(t, helloName(t, demand, "msrps://b.example.com:1/x;tcp"))
	require.Empty(t, helloName(t, nil, "msrps://192.0.2.1:1/x;tcp"))
}

// The caller's own check of a connection is made as well.
func TestFingerprintsKeepVerifyConnection(t *testing.T) {
	active, passive := tlsPair(t)
	mine := errors.New("mine")
	active.o.TLS.VerifyConnection = func(tls.ConnectionState) error { return mine }
	require.ErrorIs(t, active.session(t).Connect(ctx, passive.session(t).LocalPath(), Active, passive.demand()), mine)
	require.ErrorIs(t, active.session(t).Connect(ctx, passive.session(t).LocalPath(), Active, active.demand()), ErrFingerprint)
}

// A session resumed from a ticket is checked like any other.
func TestRFC8122_ResumedSessions(t *testing.T) {
	active, passive := tlsPair(t)
	active.o.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	for i := range 3 {
		a, p := active.session(t), passive.session(t)
		bound := make(chan error, 1)
		go func() { bound <- p.Connect(ctx, a.LocalPath(), Passive, active.demand()) }()
		require.NoError(t, a.Connect(ctx, p.LocalPath(), Active, passive.demand()))
		require.NoError(t, <-bound)
		exchange(t, p, a, "hello") // brings the ticket
		state := a.conn.nc.(*tls.Conn).ConnectionState()
		require.Equal(t, i > 0, state.DidResume)
	}
	require.ErrorIs(t, active.session(t).Connect(ctx, passive.session(t).LocalPath(), Active, active.demand()), ErrFingerprint)
}
