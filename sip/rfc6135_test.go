package sip

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A peer's holdconn counts as no setup at all: its offer comes from an active side, its answer from a passive one.
func TestRFC6135_4_2_1_HoldConn(t *testing.T) {
	for _, held := range []string{"holdconn", "HoldConn"} {
		sdp := strings.ReplaceAll(peerOffer, "setup:active", "setup:"+held)
		d, err := parseSDP([]byte(sdp))
		require.NoError(t, err)
		_, offer, err := d.offered(false)
		require.NoError(t, err)
		answer, err := answerTo(offer, testMedia("ours"))
		require.NoError(t, err)
		require.Equal(t, SetupPassive, answer.Setup)

		ours := testMedia("ours")
		ours.Setup = SetupActPass
		local, remote, err := d.answered(0, ours)
		require.NoError(t, err)
		require.Equal(t, SetupActive, local.Setup)
		require.Equal(t, SetupPassive, remote.Setup)
	}
	ours := testMedia("ours")
	ours.Setup = SetupHoldConn
	require.ErrorIs(t, ours.check(), ErrMedia, "we never send it")
}

// Offers and answers always say who connects.
func TestRFC6135_4_2_1_SetupIsAlwaysThere(t *testing.T) {
	offer, err := offerOf(testMedia("ours"))
	require.NoError(t, err)
	require.Contains(t, string(appendOffer(nil, origin{1, 1}, offer)), "a=setup:actpass\r\n")
	d, err := parseSDP([]byte(strings.ReplaceAll(peerOffer, "a=setup:active\n", "")))
	require.NoError(t, err)
	chat, offered, err := d.offered(false)
	require.NoError(t, err)
	answer, err := answerTo(offered, testMedia("ours"))
	require.NoError(t, err)
	require.Contains(t, string(appendAnswer(nil, origin{1, 1}, d, chat, answer)), "a=setup:passive\r\n")
}

// a=connection is neither read nor written.
func TestRFC6135_4_4_Connection(t *testing.T) {
	for _, value := range []string{"new", "existing", "nonsense"} {
		d, err := parseSDP([]byte(peerOffer + "a=connection:" + value + "\n"))
		require.NoError(t, err)
		chat, offered, err := d.offered(false)
		require.NoError(t, err)
		answer, err := answerTo(offered, testMedia("ours"))
		require.NoError(t, err)
		wire := string(appendAnswer(nil, origin{1, 1}, d, chat, answer)) + string(appendOffer(nil, origin{1, 1}, answer))
		require.NotContains(t, wire, "a=connection")
	}
}
