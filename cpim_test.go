package otrchat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/cpim"
)

// What we wrap in message/cpim for a peer that lists it names both ends of the chat.
func TestRFC4975_13_WrappedMessagesNameBothEnds(t *testing.T) {
	a, l := meet(t, newUser(t, "alice", nil), newPeer(t, nil, nil))
	m, err := l.session.Receive(limited(t))
	require.NoError(t, err)
	require.Equal(t, cpim.MediaType, m.ContentType)
	wrapped, err := cpim.Parse(m.Body)
	require.NoError(t, err)
	require.Contains(t, wrapped.From.URI, "sip:alice@")
	require.Len(t, wrapped.To, 1)
	require.Equal(t, a.RemoteAddress(), wrapped.To[0].URI)
	require.False(t, wrapped.DateTime.IsZero())
}
