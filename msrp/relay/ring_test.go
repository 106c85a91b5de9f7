package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// A request that has its number and is not queued yet stays, whatever happens to the connection meanwhile: nobody but its sender's read loop ends it.
func TestRequestThatIsBeingQueued(t *testing.T) {
	for name, meanwhile := range map[string]func(c *conn, n uint64){
		"nothing":  func(*conn, uint64) {},
		"a sweep":  func(c *conn, _ uint64) { c.sweep() },
		"a minute": func(*conn, uint64) { time.Sleep(time.Minute) },
		"an answer": func(c *conn, n uint64) {
			var id [idBytes]byte
			c.response(&msrp.Frame{TransactionID: c.appendID(id[:0], n, true), Status: 200, ToPath: c.bindingText(), FromPath: []byte("msrp://x.example.com:1/x;tcp")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				alice, bob, to, from := still(t)
				way, code := alice.route(&msrp.Frame{ToPath: []byte(to), FromPath: []byte(from), Method: []byte(msrp.MethodSend)})
				require.Zero(t, code)
				p := pending{route: way, kind: reported, last: true}
				q := queued{size: 100, expects: true}
				require.NoError(t, bob.reserve(&p, &q))
				meanwhile(bob, q.n)
				q.frame = append(buffer.New(100), "frame"...)
				way.begun(&p)
				require.True(t, bob.push(q))
				require.Equal(t, 1, bob.unanswered())
				bob.written(t)
				time.Sleep(withholdTimeout)
				require.Equal(t, 1, bob.unanswered())
				time.Sleep(responseTimeout)
				synctest.Wait()
				require.Zero(t, bob.unanswered())
				require.Zero(t, way.sends.Load())
				for _, c := range []*conn{alice, bob} {
					c.running = false
					c.close(ErrClosed)
				}
			})
		})
	}
}

// bindingText is the URI that was given to the connection's client.
func (c *conn) bindingText() []byte {
	for b := range c.bindings {
		return b.uri.Append(nil)
	}
	return nil
}

// Numbers come back in any order, and the ring grows and shrinks with what is pending.
func TestRing(t *testing.T) {
	var g ring
	way := &route{}
	for round := range 3 {
		var numbers []uint64
		for range 100 {
			numbers = append(numbers, g.add(&pending{route: way, kind: reported, bytes: round}))
		}
		require.Len(t, g.slots, 128)
		for i := range numbers {
			n := numbers[(i*37)%100]
			require.Equal(t, round, g.get(n).bytes)
			g.remove(n)
			require.Nil(t, g.get(n))
		}
		require.True(t, g.empty())
	}
	require.Nil(t, g.get(1<<40))
	g.add(&pending{route: way})
	require.Len(t, g.clear(), 1)
	require.True(t, g.empty())
}

// A transaction ID of ours tells the number again, and no other ID does.
func TestTransactionIDs(t *testing.T) {
	c := &conn{}
	copy(c.prefix[:], "ABCDEFGHIJKLMNOP")
	for _, n := range []uint64{0, 1, 31, 32, 1<<40 - 1} {
		id := c.appendID(nil, n, true)
		require.Len(t, id, idBytes)
		got, ok := c.number(id)
		require.True(t, ok)
		require.Equal(t, n, got)
		_, ok = c.number(c.appendID(nil, n, false))
		require.False(t, ok, "of a request that waits for no answer")
		id[0]++
		_, ok = c.number(id)
		require.False(t, ok, "of another connection")
	}
	for _, id := range []string{"", "ABCDEFGHIJKLMNOPa", "ABCDEFGHIJKLMNOPaaaaaaa1", "ABCDEFGHIJKLMNOPaaaaaaaaaa"} {
		_, ok := c.number([]byte(id))
		require.False(t, ok, id)
	}
}
