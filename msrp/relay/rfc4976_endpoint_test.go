package relay

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// A peer without a relay need not have TLS: between it and the relay there may be plain TCP, on a connection that the relay has opened for its client. One that comes over
// TCP by itself has no way to a URI that demands TLS.
func TestRFC4976_9_2_EndpointWithoutTLS(t *testing.T) {
	n := &msrptest.Network{}
	r, relays, roots := secure(t, Options{Dialer: n})
	alice := session(t, relays, roots, "alice")
	plain, err := msrp.New(&msrp.Options{Host: "bob.example.com:2855"})
	require.NoError(t, err)
	t.Cleanup(func() { plain.Close() })
	l, err := n.Listen("bob.example.com:2855")
	require.NoError(t, err)
	require.NoError(t, plain.Serve(l))
	bob, err := plain.NewSession(nil)
	require.NoError(t, err)
	connected := make(chan error, 1)
	go func() { connected <- bob.Connect(within(t), alice.LocalPath(), msrp.Passive, nil) }()
	require.NoError(t, alice.Connect(within(t), bob.LocalPath(), msrp.Active, nil))
	require.NoError(t, <-connected)
	for _, way := range []struct{ from, to *msrp.Session }{{alice, bob}, {bob, alice}} {
		d, err := way.from.Send(within(t), &msrp.Message{ContentType: "text/plain", Body: []byte("hello"), SuccessReport: true, FailureReport: msrp.No})
		require.NoError(t, err)
		m, err := way.to.Receive(within(t))
		require.NoError(t, err)
		require.Equal(t, "hello", string(m.Body))
		require.NoError(t, d.Wait(within(t)))
	}

	l, err = relays.Listen("relay.example.com:2856")
	require.NoError(t, err)
	require.NoError(t, r.Serve(l))
	nc, err := relays.DialContext(context.Background(), "tcp", "relay.example.com:2856")
	require.NoError(t, err)
	p := msrptest.PeerOn(nc)
	t.Cleanup(func() { p.Close() })
	p.Path, p.Remote = mustPath("msrp://carol.example.com:2855/carol;tcp"), alice.LocalPath()
	require.NoError(t, p.Send(&msrp.Frame{MessageID: []byte("m"), ByteRange: msrp.ByteRange{Start: 1}}, nil))
	f, err := p.Next(within(t))
	require.NoError(t, err)
	require.Equal(t, msrp.StatusForbidden, f.Status)
}
