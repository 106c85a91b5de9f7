package relay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// Kamailio answers every request to the hop before alone. The response goes all the way back all the same.
func TestResponseToTheHopBefore(t *testing.T) {
	alice, bob := newRig(t, nil).pair()
	require.NoError(t, alice.Send(&msrp.Frame{TransactionID: []byte("nick1"), Method: []byte(msrp.MethodNickname)}, nil))
	bob.answer(bob.next(), msrp.StatusUnknownMethod)
	f := alice.expect("nick1", msrp.StatusUnknownMethod)
	require.Equal(t, alice.Path.String(), string(f.ToPath))
	require.Equal(t, alice.Remote.String(), string(f.FromPath))
}
