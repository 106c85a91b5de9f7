package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// Who asks for what is not ours is cut off at once.
func TestRFC4976_6_2_StrayRequest(t *testing.T) {
	g := newRig(t, nil)
	s := g.stranger()
	s.Remote = mustPath("msrp://elsewhere.example.com:2855/x;tcp msrp://far.example.com:2855/y;tcp")
	s.send("stray1", "hello")
	s.gone()
}

// A connection has 30 s for its first request that succeeds.
func TestRFC4976_6_1_Probation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		s := g.stranger()
		start := time.Now()
		s.gone()
		require.Equal(t, 30*time.Second, time.Since(start))
		alice := g.client("alice")
		time.Sleep(time.Minute)
		f, err := alice.Auth(within(t), bareHost, "alice", users["alice"])
		require.NoError(t, err)
		require.Equal(t, msrp.StatusOK, f.Status)
		g.r.Close()
	})
}

// A URI that was given out once is answered; after several the connection is closed.
func TestRFC4976_6_1_SeveralFailures(t *testing.T) {
	g := newRig(t, nil)
	alice := g.client("alice")
	s := g.stranger()
	s.Remote = alice.sdp()
	s.Remote[0].SessionID = "guess"
	for _, id := range []string{"guess1", "guess2", "guess3"} {
		s.send(id, "hello")
		s.expect(id, msrp.StatusNoSession)
	}
	s.gone()
}
