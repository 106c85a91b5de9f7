package relay

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// Each counter counts what it says.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, &Options{Rate: 1 << 10})
		alice, bob := g.pair()
		stranger := g.stranger()
		f, err := stranger.Auth(within(t), bareHost, "carol", "wrong")
		require.NoError(t, err)
		require.Equal(t, msrp.StatusUnauthorized, f.Status)

		alice.send("first1", "hello")
		alice.expect("first1", msrp.StatusOK)
		bob.answer(bob.next(), msrp.StatusStopSending)
		require.Equal(t, msrp.MethodReport, string(alice.next().Method))
		alice.send("second", strings.Repeat("x", 10<<10)) // 11 KiB at 1 KiB a second
		alice.expect("second", msrp.StatusOK)
		alice.request("refuse", msrp.MethodSend, alice.use.String(), alice.Path.String())
		alice.expect("refuse", msrp.StatusNoSession)
		second := bob.next()

		synctest.Wait()
		st := g.r.Stats()
		require.Positive(t, st.ForwardedBytes-int64(10<<10))
		require.Less(t, st.ForwardedBytes, int64(11<<10))
		st.ForwardedBytes = 0
		require.Equal(t, Stats{
			Connections: 3, Unauthenticated: 1, Sessions: 2, Users: 2, Unanswered: 1, Forwarded: 2, Throttled: 1, Reports: 1, AuthGranted: 2, AuthRefused: 1,
		}, st)
		bob.answer(second, msrp.StatusOK)
		synctest.Wait()
		require.Zero(t, g.r.Stats().Unanswered)
		g.r.Close()
	})
}
