package otrchat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/sip"
	"github.com/otrchat/otrchat/sip/siptest"
)

// A Client without a socket of its own registers over the connection that it opens, by way of the proxy that Options.SIP names, and takes that back at the
// end. What the Client decides does not come from Options.SIP.
func TestRegister(t *testing.T) {
	var network siptest.Network
	registrar := siptest.NewPeer(t, network.Host("192.0.2.5"))
	c, err := otrchat.New(&otrchat.Options{
		Address: "sip:alice@example.com", Key: key(t, aliceKey),
		SIP: sip.Options{
			Address: "sip:mallory@example.org", UserAgent: "our app", Dialer: network.Host("192.0.2.1"), MessageTypes: []string{"text/plain"},
			OutboundProxy: registrar.URI("tcp"), InstanceID: "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
		},
	})
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.ListenOn(nil, nil), "nothing to listen on")

	registered := make(chan error, 1)
	var r *sip.Registration
	go func() {
		var err error
		r, err = c.Register(limited(t), nil)
		registered <- err
	}()
	m := registrar.Request("REGISTER")
	require.Equal(t, "sip:example.com", m.URI)
	require.Equal(t, "sip:alice@example.com", m.Address("To"))
	require.Equal(t, "our app", m.Value("User-Agent"))
	require.Contains(t, m.Value("Contact"), "+sip.instance=")
	require.NotContains(t, m.Value("Allow"), "MESSAGE")
	registrar.Respond(m, "200 OK", "Contact: "+m.Value("Contact")+"\n")
	require.NoError(t, <-registered)
	require.True(t, r.State().Registered)

	gone := make(chan error, 1)
	go func() { gone <- c.Shutdown(limited(t)) }()
	m = registrar.Request("REGISTER")
	require.Regexp(t, `expires=0\b`, m.Value("Contact")+";expires="+m.Value("Expires"))
	registrar.Respond(m, "200 OK", "")
	require.NoError(t, <-gone)
	<-r.Done()
}

func TestRegistrarRefuses(t *testing.T) {
	var network siptest.Network
	registrar := siptest.NewPeer(t, network.Host("192.0.2.5"))
	c, err := otrchat.New(&otrchat.Options{
		Address: "sip:alice@" + registrar.Address(), Key: key(t, aliceKey), SIP: sip.Options{Dialer: network.Host("192.0.2.1")},
	})
	require.NoError(t, err)
	defer c.Close()
	refused := make(chan error, 1)
	go func() {
		_, err := c.Register(limited(t), &sip.RegisterOptions{Registrar: "sip:" + registrar.Address() + ";transport=tcp"})
		refused <- err
	}()
	registrar.Respond(registrar.Request("REGISTER"), "403 Forbidden", "")
	var status *sip.StatusError
	require.ErrorAs(t, <-refused, &status)
	require.Equal(t, 403, status.Code)
	require.NoError(t, c.Close())
	_, err = c.Register(ctx, nil)
	require.ErrorIs(t, err, otrchat.ErrClosed)
}
