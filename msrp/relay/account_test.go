package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// Leaving and coming back is no way round Options.Rate: what a user has sent too much is remembered until it is paid for.
func TestRateOutlivesTheConnection(t *testing.T) {
	abused(t, &Options{Rate: 100 << 10}, func(t *testing.T, g *rig, alice, bob *client) {
		begun := time.Now()
		const times = 10
		for range times {
			carol, sink := g.client("carol"), g.client("bob")
			carol.talkTo(sink)
			carol.flood(2, 60<<10, "no")
			sink.next()
			sink.next()
			require.NoError(t, carol.Conn.Close())
			require.NoError(t, sink.Conn.Close())
			synctest.Wait()
			require.Equal(t, 2, g.r.Stats().Users)
		}
		sent := float64(times * 2 * 60 << 10)
		require.InDelta(t, (sent-100<<10)/(100<<10), time.Since(begun).Seconds(), 1.5)
		time.Sleep(2 * time.Second)
		g.r.mu.Lock()
		defer g.r.mu.Unlock()
		require.Nil(t, g.r.users["carol"], "then it is forgotten")
	})
}

// A user who leaves and comes back still has the connections that were dialled.
func TestDialsOutliveTheConnection(t *testing.T) {
	abused(t, &Options{MaxSessions: 2}, func(t *testing.T, g *rig, alice, bob *client) {
		for _, want := range []int{msrp.StatusOK, msrp.StatusOK, msrp.StatusTimeout} {
			carol, peer := g.client("carol"), msrptest.NewPeer(t, g.n)
			carol.Remote = join(carol.use, peer.Path)
			carol.send("first1", "hello")
			carol.expect("first1", want)
			if want == msrp.StatusOK {
				require.NoError(t, peer.Accept(within(t)))
			}
			require.NoError(t, carol.Conn.Close())
			synctest.Wait()
		}
	})
}
