package otrchat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/tap"
)

// A middlebox has put its own address into the SDP: who connects goes there if both sides know of such boxes, else to the address in the path.
func TestRFC6714_4_2_ThroughAMiddlebox(t *testing.T) {
	for _, cema := range []bool{true, false} {
		p, passed := newPeer(t, nil, nil), tap.New(nil)
		box := listener(t, passed)
		require.NoError(t, p.msrp.Serve(box))
		p.box, p.cema = box.Addr().String(), cema
		a, l := meet(t, newUser(t, "alice", nil), p)
		require.Equal(t, cema, l.call.Remote().CEMA, "our offers allow it")
		waits(t, l.says("hello"), 0)
		require.NoError(t, a.Close())
		require.Equal(t, cema, len(passed.Streams()) > 0)
	}
}
