package relay

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// The abuse tests play clients, strangers and next hops that mean no good. In each of them two clients that behave well, alice and bob, are served all the
// while, and what the relay keeps stays within its bounds.

// abused runs a test in a bubble, with a relay and a pair that has to be served at its end, too.
func abused(t *testing.T, o *Options, test func(t *testing.T, g *rig, alice, bob *client)) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, o)
		alice, bob := g.pair()
		test(t, g, alice, bob)
		g.serves(alice, bob)
	})
}

// serves has a message go each way, at once, and nothing else be there.
func (g *rig) serves(alice, bob *client) {
	g.Helper()
	for _, way := range []struct{ from, to *client }{{alice, bob}, {bob, alice}} {
		begun := time.Now()
		g.p++
		id := "served" + strconv.Itoa(g.p)
		way.from.send(id, "hello")
		way.from.expect(id, msrp.StatusOK)
		f := way.to.next()
		require.Equal(g, "SEND", string(f.Method))
		require.Equal(g, "m"+id, string(f.MessageID))
		require.Equal(g, "hello", string(f.Body))
		way.to.answer(f, msrp.StatusOK)
		require.Less(g, time.Since(begun), time.Second)
	}
}

// holds is what the relay holds now, without its counters.
func (g *rig) holds() Stats {
	synctest.Wait()
	st := g.r.Stats()
	return Stats{Connections: st.Connections, Unauthenticated: st.Unauthenticated, Sessions: st.Sessions, Users: st.Users, QueuedBytes: st.QueuedBytes, Unanswered: st.Unanswered}
}

// quiet asserts that nothing more comes.
func (c *client) quiet() {
	c.g.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	f, err := c.Next(ctx)
	require.ErrorIs(c.g, err, context.DeadlineExceeded, "%v", f)
}

// request sends a request without a body, with paths other than its own where they are given.
func (c *client) request(id, method, to, from string, headers ...msrp.Header) {
	c.g.Helper()
	f := &msrp.Frame{TransactionID: []byte(id), Method: []byte(method), ToPath: []byte(to), FromPath: []byte(from), Header: headers}
	if method == msrp.MethodSend || method == msrp.MethodReport {
		f.MessageID, f.ByteRange = []byte("m"+id), msrp.ByteRange{Start: 1, End: 0, Total: 0}
	}
	if method == msrp.MethodReport {
		f.StatusHeader = []byte("000 200 OK")
	}
	require.NoError(c.g, c.Send(f, nil))
}

// challenge asks for one, and reads it.
func (c *client) challenge() *digest.Challenge {
	c.g.Helper()
	c.request("challenge", msrp.MethodAuth, bareHost.String(), c.Path.String())
	f := c.expect("challenge", msrp.StatusUnauthorized)
	challenge, err := digest.ParseChallenge(string(f.Value("WWW-Authenticate")))
	require.NoError(c.g, err)
	return challenge
}

// try sends an AUTH with credentials, and returns the answer.
func (c *client) try(authorization string) *msrptest.Frame {
	c.g.Helper()
	c.request("credentials", msrp.MethodAuth, bareHost.String(), c.Path.String(), msrp.Header{Name: []byte("Authorization"), Value: []byte(authorization)})
	return c.next()
}
