package msrp_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// A session that is shut down ends its relay as closed, also where the relay hangs up first, as it is given the time to.
func TestShutdownEndsTheRelay(t *testing.T) {
	ctx := context.Background()
	var n msrptest.Network
	l, err := n.Listen("relay.example.com:2855")
	require.NoError(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		relay := msrptest.PeerOn(nc)
		for f, err := relay.Next(ctx); err == nil; f, err = relay.Next(ctx) {
			ok := &msrp.Frame{TransactionID: f.TransactionID, Status: msrp.StatusOK, ToPath: f.FromPath, FromPath: f.ToPath}
			ok.Add("Use-Path", "msrp://relay.example.com:2855/use;tcp")
			if string(f.Method) != msrp.MethodAuth {
				ok.Header, ok.FromPath = nil, []byte("msrp://relay.example.com:2855/use;tcp")
			}
			relay.Send(ok, nil)
		}
	}()
	e, err := msrp.New(&msrp.Options{Host: "alice.example.com:2855", Dialer: &n})
	require.NoError(t, err)
	defer e.Close()
	r, err := e.DialRelay(ctx, &msrp.RelayOptions{URI: "msrp://relay.example.com:2855;tcp", Username: "alice", AllowTCP: true})
	require.NoError(t, err)
	s, err := e.NewSession(&msrp.SessionOptions{Relay: r})
	require.NoError(t, err)
	peer, err := msrp.ParsePath("msrp://bob.example.com:2855/bob;tcp")
	require.NoError(t, err)
	require.NoError(t, s.Connect(ctx, peer, msrp.Active, nil))
	require.NoError(t, s.Shutdown(ctx))
	<-served
	require.ErrorIs(t, s.Err(), msrp.ErrClosed)
	require.ErrorIs(t, r.Err(), msrp.ErrClosed)
}
