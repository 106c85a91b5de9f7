package otrchat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/sip"
)

// Behind a relay we can be reached: our offer leaves the role to the peer, and a caller who has no relay, and may not be reachable, is the one to connect.
func TestRFC6135_4_2_2_RolesBehindARelay(t *testing.T) {
	r := newRelay(t)
	alice, p := newUser(t, "alice", r.options("alice")), r.peer(nil)
	called := make(chan error, 1)
	go func() {
		_, err := alice.Call(limited(t), p.at)
		called <- err
	}()
	i, err := p.agent.Accept(limited(t))
	require.NoError(t, err)
	checkRelayed(t, r, i.Offer())
	require.Equal(t, sip.SetupActPass, i.Offer().Setup)
	require.NoError(t, i.Reject(limited(t), 486, ""))
	require.Error(t, <-called)

	const direct, relayed = "msrp://192.0.2.1:2855/x;tcp", "msrps://192.0.2.2:2855/y;tcp"
	for _, c := range []struct {
		path          []string
		offer, answer sip.Setup
	}{
		{[]string{direct}, sip.SetupActPass, sip.SetupPassive},
		{[]string{direct}, sip.SetupActive, sip.SetupPassive},
		{[]string{direct}, sip.SetupPassive, sip.SetupActive},
		{[]string{relayed, direct}, sip.SetupActPass, sip.SetupActive},
		{[]string{relayed, direct}, sip.SetupActive, sip.SetupPassive},
	} {
		answered := make(chan error, 1)
		go func() {
			answered <- answerToTheEnd(t, alice)
		}()
		call, err := p.agent.Invite(limited(t), alice.at, &sip.Media{
			Path: c.path, TLS: len(c.path) > 1, Setup: c.offer, AcceptTypes: []string{"text/plain"},
		})
		require.NoError(t, err)
		checkRelayed(t, r, call.Remote())
		require.Equal(t, c.answer, call.Remote().Setup)
		require.NoError(t, call.Close())
		require.Error(t, <-answered)
	}
	require.NoError(t, alice.Close())
	require.ErrorIs(t, alice.Err(), otrchat.ErrClosed)
}

// answerToTheEnd answers a call, and returns why it failed or, if the relay has said that it has our first request, why the chat ended.
func answerToTheEnd(t *testing.T, u user) error {
	i, err := u.Accept(limited(t))
	if err != nil {
		return err
	}
	chat, err := i.Answer(limited(t))
	if err != nil {
		return err
	}
	select {
	case <-chat.Done():
		return chat.Err()
	case <-limited(t).Done():
		return nil
	}
}

// checkRelayed looks at what a user of the relay says of itself.
func checkRelayed(t *testing.T, r *testRelay, m *sip.Media) {
	t.Helper()
	require.True(t, m.TLS)
	require.Len(t, m.Path, 2)
	require.Contains(t, m.Path[0], "msrps://"+r.address+"/")
}
