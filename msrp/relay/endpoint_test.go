package relay

import (
	"bytes"
	"crypto/tls"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// secure is a relay with TLS on a network in memory, and a certificate for relay.example.com that roots trusts.
func secure(t testing.TB, o Options) (r *Relay, n *msrptest.Network, roots *tls.Config) {
	t.Helper()
	cert, pool := certtest.New(t, "relay.example.com")
	n = &msrptest.Network{}
	o.Host, o.Authenticator = "relay.example.com", users
	r, err := New(&o)
	require.NoError(t, err)
	l, err := n.Listen("relay.example.com:2855")
	require.NoError(t, err)
	require.NoError(t, r.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true})))
	t.Cleanup(func() { r.Close() })
	return r, n, &tls.Config{RootCAs: pool}
}

// session is one of an endpoint of its own, behind the relay.
func session(t testing.TB, n *msrptest.Network, roots *tls.Config, user string) *msrp.Session {
	t.Helper()
	e, err := msrp.New(&msrp.Options{Host: user + ".example.com", TLS: roots, Dialer: n})
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	way, err := e.DialRelay(within(t), &msrp.RelayOptions{URI: "msrps://relay.example.com:2855;tcp", Username: user, Password: users[user]})
	require.NoError(t, err)
	s, err := e.NewSession(&msrp.SessionOptions{Relay: way, Secure: true})
	require.NoError(t, err)
	return s
}

// sessions are two that are connected through the relay.
func sessions(t testing.TB, o Options) (r *Relay, alice, bob *msrp.Session) {
	t.Helper()
	r, n, roots := secure(t, o)
	alice, bob = session(t, n, roots, "alice"), session(t, n, roots, "bob")
	connected := make(chan error, 1)
	go func() { connected <- bob.Connect(within(t), alice.LocalPath(), msrp.Passive, nil) }()
	require.NoError(t, alice.Connect(within(t), bob.LocalPath(), msrp.Active, nil))
	require.NoError(t, <-connected)
	return r, alice, bob
}

// Two of our own endpoints talk through the relay, both ways and with reports, over TLS.
func TestEndpointsTalk(t *testing.T) {
	_, alice, bob := sessions(t, Options{})
	for _, way := range []struct{ from, to *msrp.Session }{{alice, bob}, {bob, alice}} {
		d, err := way.from.Send(within(t), &msrp.Message{ContentType: "text/plain", Body: []byte("hello"), SuccessReport: true})
		require.NoError(t, err)
		m, err := way.to.Receive(within(t))
		require.NoError(t, err)
		require.Equal(t, "hello", string(m.Body))
		require.NoError(t, d.Wait(within(t)), "the success report has come")
	}
}

// A message of 5 MiB comes through whole.
func TestEndpointsTransfer(t *testing.T) {
	_, alice, bob := sessions(t, Options{})
	body := make([]byte, 5<<20)
	rand.NewChaCha8([32]byte{}).Read(body)
	d, err := alice.Send(within(t), &msrp.Message{ContentType: "application/octet-stream", Body: body, SuccessReport: true})
	require.NoError(t, err)
	m, err := bob.Receive(within(t))
	require.NoError(t, err)
	require.True(t, bytes.Equal(body, m.Body))
	require.NoError(t, d.Wait(within(t)))
}

// A relay that closes ends the sessions that it has carried.
func TestEndpointsLoseTheRelay(t *testing.T) {
	r, alice, bob := sessions(t, Options{})
	require.NoError(t, r.Close())
	<-alice.Done()
	<-bob.Done()
	require.Error(t, alice.Err())
}
