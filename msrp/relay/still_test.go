package relay

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// deaf is a connection to nowhere.
type deaf struct{ net.Conn }

func (deaf) Write(b []byte) (int, error) { return len(b), nil }

// still is a relay with two clients whose connections nobody reads or writes, and the route from one to the other.
func still(t testing.TB) (alice, bob *conn, to, from string) {
	r, err := New(&Options{Host: "relay.example.com", Authenticator: users, Rate: 1 << 40})
	require.NoError(t, err)
	var uris []string
	var conns []*conn
	for _, user := range []string{"alice", "bob"} {
		nc, _ := net.Pipe()
		c := newConn(r)
		c.nc, c.running = deaf{nc}, true // as if the writer were at it
		b := r.bind(c, user, msrp.URI{}, mustPath("msrp://"+user+".example.com:2855/session;tcp"), r.o.MaxExpires)
		require.NotNil(t, b)
		uris, conns = append(uris, b.uri.String()), append(conns, c)
	}
	t.Cleanup(func() { r.Close() })
	return conns[0], conns[1], uris[0] + " " + uris[1] + " msrp://bob.example.com:2855/session;tcp", "msrp://alice.example.com:2855/session;tcp"
}

// written is what the writer does with what is queued.
func (c *conn) written(t testing.TB) {
	for batch := c.batch(); len(batch) > 0; {
		n, err := c.writeSome(batch)
		if err != nil {
			t.Fatal(err)
		}
		batch = batch[n:]
	}
}

// unanswered is how many requests wait on the connection for an answer.
func (c *conn) unanswered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.ring.next - c.first)
}
