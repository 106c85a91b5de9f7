package relay

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

var (
	users    = Users{"alice": "secret", "bob": "hunter2", "carol": "password1"}
	bareHost = mustPath("msrp://relay.example.com;tcp")
)

// rig is a relay without TLS on a network in memory.
type rig struct {
	testing.TB
	r *Relay
	n *msrptest.Network
	p int // peers so far
}

// newRig starts a relay; what o does not say is what a test needs.
func newRig(t testing.TB, o *Options) *rig {
	t.Helper()
	var opts Options
	if o != nil {
		opts = *o
	}
	g := &rig{TB: t, n: &msrptest.Network{}}
	opts.Host, opts.AllowTCP, opts.Dialer = "relay.example.com", true, g.n
	if opts.Authenticator == nil {
		opts.Authenticator = users
	}
	var err error
	g.r, err = New(&opts)
	require.NoError(t, err)
	l, err := g.n.Listen("relay.example.com:2855")
	require.NoError(t, err)
	require.NoError(t, g.r.Serve(l))
	t.Cleanup(func() { g.r.Close() })
	return g
}

// client is a scripted client or stranger. Its Path is its own URI; Remote is where its requests go.
type client struct {
	*msrptest.Peer
	g   *rig
	use msrp.Path // what the relay has given it
}

// stranger connects without AUTH.
func (g *rig) stranger() *client {
	g.Helper()
	nc, err := g.n.DialContext(context.Background(), "tcp", "relay.example.com:2855")
	require.NoError(g, err)
	g.Cleanup(func() { nc.Close() })
	c := &client{Peer: msrptest.PeerOn(nc), g: g}
	g.p++
	c.Path = mustPath(fmt.Sprintf("msrp://client%d.example.com:2855/session%d;tcp", g.p, g.p))
	return c
}

// client connects and authenticates.
func (g *rig) client(user string) *client {
	g.Helper()
	c := g.stranger()
	c.auth(user)
	return c
}

func (c *client) auth(user string) {
	c.g.Helper()
	f, err := c.Auth(within(c.g), bareHost, user, users[user])
	require.NoError(c.g, err)
	require.Equal(c.g, msrp.StatusOK, f.Status)
	c.use, err = f.UsePath()
	require.NoError(c.g, err)
	require.Len(c.g, c.use, 1)
}

// pair is two clients that talk to each other.
func (g *rig) pair() (alice, bob *client) {
	g.Helper()
	alice, bob = g.client("alice"), g.client("bob")
	alice.talkTo(bob)
	bob.talkTo(alice)
	return alice, bob
}

// talkTo has requests of c go to d, through the relays of both.
func (c *client) talkTo(d *client) { c.Remote = join(c.use, d.sdp()) }

// sdp is what the peers of c are told.
func (c *client) sdp() msrp.Path { return join(c.use, c.Path) }

func join(paths ...msrp.Path) (all msrp.Path) {
	for _, p := range paths {
		all = append(all, p...)
	}
	return all
}

func (c *client) next() *msrptest.Frame {
	c.g.Helper()
	f, err := c.Next(within(c.g))
	require.NoError(c.g, err)
	return f
}

// send sends a SEND with a body, of which nobody checks the response yet.
func (c *client) send(id, body string) {
	c.g.Helper()
	require.NoError(c.g, c.Send(&msrp.Frame{
		TransactionID: []byte(id), MessageID: []byte("m" + id), ContentType: []byte("text/plain"),
		ByteRange: msrp.ByteRange{Start: 1, End: int64(len(body)), Total: int64(len(body))},
	}, []byte(body)))
}

// expect reads the next frame, which must be the response to a request of ours.
func (c *client) expect(id string, code int) *msrptest.Frame {
	c.g.Helper()
	f := c.next()
	require.Equal(c.g, code, f.Status)
	require.Equal(c.g, id, string(f.TransactionID))
	return f
}

// answer responds to a request as an endpoint does: to the hop before alone.
func (c *client) answer(f *msrptest.Frame, code int) {
	c.g.Helper()
	require.NoError(c.g, c.Send(&msrp.Frame{
		TransactionID: f.TransactionID, Status: code, Comment: []byte(msrp.StatusText(code)), ToPath: first(f.FromPath), FromPath: f.ToPath,
	}, nil))
}

// gone waits until the relay has closed the connection.
func (c *client) gone() {
	c.g.Helper()
	for {
		if _, err := c.Next(within(c.g)); err != nil {
			var timeout net.Error
			require.NotErrorIs(c.g, err, context.DeadlineExceeded)
			require.NotErrorAs(c.g, err, &timeout)
			return
		}
	}
}

// within is a context for what happens in memory, at once.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func mustPath(s string) msrp.Path {
	p, err := msrp.ParsePath(s)
	if err != nil {
		panic(err)
	}
	return p
}
