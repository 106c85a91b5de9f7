package sip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/sip/siptest"
)

// secured is a configuration for both sides: a certificate for the names, and nothing else that is trusted.
func secured(t *testing.T, names ...string) *tls.Config {
	t.Helper()
	certificate, roots := certtest.New(t, names...)
	return &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: roots}
}

var allNetworks = []string{"udp", "tcp", "tls", "ws", "wss"}

// Two agents call each other over each transport and family of addresses, one of them without a listener where that can be; either hangs up.
func TestRFC3261_18_EveryTransport(t *testing.T) {
	config := secured(t, "127.0.0.1", "::1")
	for _, network := range allNetworks {
		for _, host := range []string{"127.0.0.1", "::1"} {
			for _, listens := range []bool{true, false} {
				if network == "udp" && !listens {
					continue
				}
				t.Run(network+" "+host+map[bool]string{true: "", false: " without a listener"}[listens], func(t *testing.T) {
					alice := newTestAgent(t, &Options{Address: "sip:alice@example.com", TLS: config})
					bob := newTestAgent(t, &Options{TLS: config})
					at := net.JoinHostPort(host, "0")
					_, err := bob.Listen(testContext(t), network, at)
					require.NoError(t, err)
					if listens {
						_, err = alice.Listen(testContext(t), network, at)
						require.NoError(t, err)
					}
					p := &pair{alice: alice, bob: bob, aliceMedia: testMedia("alice"), bobMedia: testMedia("bob")}
					p.call(t, network)
					assert.Equal(t, strings.ToUpper(network), p.invitation.request.Via().Transport)
					require.NoError(t, p.aliceCall.Bye(testContext(t)))
					waitDone(t, p.bobCall.Done())
					p.call(t, network)
					require.NoError(t, p.bobCall.Bye(testContext(t)))
					waitDone(t, p.aliceCall.Done())
					assert.ErrorIs(t, p.aliceCall.Err(), ErrEnded)
					if network != "udp" {
						alice.streams.mu.Lock()
						defer alice.streams.mu.Unlock()
						assert.LessOrEqual(t, len(alice.streams.open), 2)
					}
				})
			}
		}
	}
}

// loopback is a DNS in which every name is this machine.
type loopback struct{ net.Resolver }

func (*loopback) LookupNAPTR(context.Context, string) ([]*NAPTR, error) { return nil, nil }

func (*loopback) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, nil
}

func (*loopback) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// The certificate must hold for the host of the URI, be valid and come from somebody we trust.
func TestRFC5922_7_1_TheNameOfTheURI(t *testing.T) {
	good := secured(t, "example.com", "sip.example.com")
	stranger := secured(t, "example.com")
	var (
		hostname  x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
	)
	for name, c := range map[string]struct {
		server, client *tls.Config
		host           string
		want           any
	}{
		"the domain":          {good, good, "example.com", nil},
		"with a dot":          {good, good, "example.com.", nil},
		"another name of it":  {good, good, "sip.example.com", nil},
		"another domain":      {good, good, "example.net", &hostname},
		"a name below":        {good, good, "a.example.com", &hostname},
		"the address":         {good, good, "127.0.0.1", &hostname},
		"by configuration":    {good, &tls.Config{RootCAs: good.RootCAs, ServerName: "example.com"}, "example.net", nil},
		"unknown authority":   {stranger, good, "example.com", &authority},
		"no roots of our own": {good, &tls.Config{RootCAs: x509.NewCertPool()}, "example.com", &authority},
		"expired": {good, &tls.Config{RootCAs: good.RootCAs, Time: func() time.Time { return time.Now().Add(48 * time.Hour) }},
			"example.com", &invalid},
	} {
		t.Run(name, func(t *testing.T) {
			alice := newTestAgent(t, &Options{TLS: c.client, Resolver: new(loopback)})
			bob := newTestAgent(t, &Options{TLS: c.server}, "tls")
			_, port, err := net.SplitHostPort(listenAddr(t, bob, "tls").String())
			require.NoError(t, err)
			done := inviteTo(testContext(t), alice, "sips:bob@"+c.host+":"+port)
			if c.want != nil {
				err := (<-done).err
				assert.ErrorAs(t, err, c.want)
				return
			}
			i, err := bob.Accept(testContext(t))
			require.NoError(t, err)
			require.NoError(t, i.Reject(testContext(t), 486, ""))
			assert.ErrorIs(t, (<-done).err, ErrBusy)
		})
	}
}

// One connection serves all the names that its certificate holds, and no other.
func TestRFC5922_ReuseByName(t *testing.T) {
	config := secured(t, "example.com", "example.org")
	alice := newTestAgent(t, &Options{TLS: config, Resolver: new(loopback)})
	bob := newTestAgent(t, &Options{TLS: config}, "tls")
	addr := listenAddr(t, bob, "tls")
	require.NoError(t, alice.serveStreams())
	dial := func(name string) (*stream, error) {
		return alice.streams.dial(testContext(t), hop{network: "tls", addr: addr, name: name})
	}
	first, err := dial("example.com")
	require.NoError(t, err)
	second, err := dial("example.org")
	require.NoError(t, err)
	assert.Same(t, first, second)
	_, err = dial("example.net")
	var hostname x509.HostnameError
	assert.ErrorAs(t, err, &hostname)

	// Where nothing was verified, or the application verifies, a certificate says nothing about another name.
	for name, change := range map[string]func(*tls.Config){
		"not verified":                func(c *tls.Config) { c.InsecureSkipVerify = true },
		"verified by the application": func(c *tls.Config) { c.VerifyConnection = func(tls.ConnectionState) error { return nil } },
	} {
		changed := config.Clone()
		change(changed)
		alice = newTestAgent(t, &Options{TLS: changed, Resolver: new(loopback)})
		require.NoError(t, alice.serveStreams())
		first, err := dial("example.com")
		require.NoError(t, err)
		second, err := dial("example.org")
		require.NoError(t, err)
		assert.NotSame(t, first, second, name)
	}
}

// Who connects to us does not get the requests that we have for a name, whatever certificate it showed.
func TestAcceptedConnectionsProveNoName(t *testing.T) {
	s := newStreams(&Options{TLS: new(tls.Config)})
	for _, network := range []string{"tls", "ws", "wss"} {
		h := hop{network: network, name: "example.com"}
		c := &stream{name: "example.com", tls: new(tls.ConnectionState)}
		assert.False(t, s.serves(c, h), network)
		c.dialled = true
		assert.True(t, s.serves(c, h), network)
	}
}

// A SIPS URI is reached by TLS or not at all, and From and Contact on both sides are SIPS URIs.
func TestRFC3261_26_2_2_SIPS(t *testing.T) {
	config := secured(t, "127.0.0.1")
	alice := newTestAgent(t, &Options{Address: "sip:alice@example.com", TLS: config}, "udp", "tcp", "tls")
	bob := newTestAgent(t, &Options{TLS: config}, "tls", "tcp", "udp")
	addr := listenAddr(t, bob, "tls").String()
	for _, target := range []string{"sips:bob@" + addr, "sips:bob@" + addr + ";transport=tcp", "sips:bob@" + addr + ";transport=tls"} {
		done := inviteTo(testContext(t), alice, target)
		i, err := bob.Accept(testContext(t))
		require.NoError(t, err)
		assert.Equal(t, "sips:alice@example.com", i.RemoteAddress())
		assert.Equal(t, "TLS", i.request.Via().Transport)
		ours := i.request.Contact().Address
		assert.Equal(t, "sips:alice@"+listenAddr(t, alice, "tls").String()+";transport=tcp", ours.String())
		c, err := i.Answer(testContext(t), testMedia("bob"))
		require.NoError(t, err)
		made := (<-done)
		require.NoError(t, made.err)
		made.call.mu.Lock()
		assert.Equal(t, "sips", made.call.dialog.target.Scheme)
		made.call.mu.Unlock()
		require.NoError(t, c.Bye(testContext(t)))
		waitDone(t, made.call.Done())
	}
	for _, network := range []string{"tcp", "udp"} { // where no TLS is spoken
		_, err := alice.Invite(testContext(t), "sips:bob@"+listenAddr(t, bob, network).String(), testMedia("alice"))
		require.Error(t, err)
		var refused *StatusError
		assert.False(t, errors.As(err, &refused), "nothing was said in plain text")
	}
	_, err := alice.Invite(testContext(t), "sips:bob@127.0.0.1;transport=udp", testMedia("alice"))
	assert.Error(t, err)
	req := gosip.NewRequest(gosip.OPTIONS, gosip.Uri{Scheme: "sips", Host: "127.0.0.1"})
	_, err = alice.connect(testContext(t), req, hop{network: "tcp", addr: listenAddr(t, bob, "tcp")})
	assert.ErrorIs(t, err, errNotSecure, "whatever locate says")
}

func TestTLSOptions(t *testing.T) {
	_, err := New(&Options{Address: "sip:a@example.com", TLS: &tls.Config{MinVersion: tls.VersionTLS11}})
	assert.ErrorContains(t, err, "sip: Options.TLS")
	_, err = New(&Options{Address: "sip:a@example.com", TLS: &tls.Config{MaxVersion: tls.VersionTLS11}})
	assert.ErrorContains(t, err, "sip: Options.TLS")
	a := newTestAgent(t, &Options{})
	for _, network := range []string{"tls", "wss"} {
		_, err = a.Listen(testContext(t), network, "127.0.0.1:0")
		assert.ErrorIs(t, err, errNoCertificate)
	}
}

// A stranger that connects and says nothing is gone after ten seconds, and at once where too many of them wait.
func TestSilentHandshakes(t *testing.T) {
	config := secured(t, "192.0.2.1")
	synctest.Test(t, func(t *testing.T) {
		n := new(siptest.Network)
		bob, err := New(&Options{Address: "sip:bob@example.com", TLS: config})
		require.NoError(t, err)
		l, err := n.Host("192.0.2.1").Listen(5061)
		require.NoError(t, err)
		require.NoError(t, bob.ListenOn("tls", l))
		var conns []net.Conn
		gone := func(c net.Conn) bool {
			require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Nanosecond)))
			_, err := c.Read(make([]byte, 1))
			return !errors.Is(err, os.ErrDeadlineExceeded)
		}
		for range maxHandshakes + 1 {
			c, err := n.Host("192.0.2.2").DialContext(t.Context(), "tcp", "192.0.2.1:5061")
			require.NoError(t, err)
			conns = append(conns, c)
			synctest.Wait()
		}
		assert.True(t, gone(conns[0]), "it made room")
		assert.False(t, gone(conns[1]))
		time.Sleep(handshakeTime - time.Second)
		assert.False(t, gone(conns[1]))
		time.Sleep(time.Second)
		synctest.Wait()
		for _, c := range conns {
			assert.True(t, gone(c))
			_ = c.Close()
		}
		require.NoError(t, bob.Close())
	})
}
