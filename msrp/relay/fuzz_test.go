package relay

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// FuzzRelay: whatever a bound client and a stranger send, nothing panics, hangs or stays behind, what the relay writes are frames, and what reaches others
// has come the way that it says. Of the input, \x01 to \x03 stand for its URI at the relay, its own, and both; \x04 to \x06 for those of
// another; \x07 for the transaction ID of a request that waits for its answer, and \x08 for the From-Path of that.
func FuzzRelay(f *testing.F) {
	const head = "\r\nFrom-Path: \x02\r\nMessage-ID: m1234\r\n"
	for _, seed := range []string{
		"MSRP aaaa1 SEND\r\nTo-Path: \x01 \x06" + head + "Byte-Range: 1-5/5\r\nContent-Type: text/plain\r\n\r\nhello\r\n-------aaaa1$\r\n",
		"MSRP aaaa1 SEND\r\nTo-Path: \x06" + head + "Byte-Range: 1-*/9\r\nContent-Type: text/plain\r\n\r\nhello\r\n-------aaaa1+\r\n",
		"MSRP aaaa1 SEND\r\nTo-Path: \x01 \x06" + head + "Failure-Report: partial\r\n-------aaaa1#\r\n",
		"MSRP aaaa1 REPORT\r\nTo-Path: \x06" + head + "Byte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n-------aaaa1$\r\n",
		"MSRP aaaa1 WINK\r\nTo-Path: \x01 \x06" + head + "-------aaaa1$\r\n",
		"MSRP aaaa1 AUTH\r\nTo-Path: msrp://relay.example.com;tcp\r\nFrom-Path: \x02\r\nAuthorization: Digest username=\"carol\", realm=\"x\"\r\nExpires: 60\r\n-------aaaa1$\r\n",
		"MSRP aaaa1 AUTH\r\nTo-Path: \x01 msrps://other.example.com;tcp\r\nFrom-Path: \x02\r\nAuthorization: Digest x\r\n-------aaaa1$\r\n",
		"MSRP aaaa1 SEND\r\nTo-Path: \x01 msrp://nowhere.example.com:2855/x;tcp" + head + "-------aaaa1$\r\n",
		"MSRP \x07 200 OK\r\nTo-Path: \x08\r\nFrom-Path: \x02\r\n-------\x07$\r\n",
		"MSRP \x07 413 Stop\r\nTo-Path: \x08\r\nFrom-Path: \x02\r\n-------\x07$\r\n",
		"MSRP aaaa1 SEND\r\nTo-Path: \x01 \x04 \x01 \x06" + head + "-------aaaa1$\r\n",
		"MSRP aaaa1 SEND\r\nTo-Path: \x06\r\nFrom-Path: \x04 \x05\r\n-------aaaa1$\r\n",
		"\x00",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed+seed), false)
	}
	f.Fuzz(func(t *testing.T, input []byte, bound bool) {
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t, &Options{Rate: 1 << 20})
			alice, bob := g.pair()
			mallory := g.stranger()
			if bound {
				mallory.auth("carol")
			}
			alice.Remote = join(alice.use, mallory.sdp())
			if !bound {
				mallory.request("meet01", msrp.MethodSend, alice.sdp().String(), mallory.Path.String())
				mallory.expect("meet01", msrp.StatusOK)
				alice.answer(alice.next(), msrp.StatusOK)
			}
			alice.request("asks01", "WINK", alice.Remote.String(), alice.Path.String())
			asked := mallory.next()
			alice.talkTo(bob)
			use := mallory.use.String() // a stranger has none
			in := strings.NewReplacer("\x01", use, "\x02", mallory.Path.String(), "\x03", mallory.sdp().String(), "\x04", bob.use.String(), "\x05", bob.Path.String(), "\x06", bob.sdp().String(),
				"\x07", string(asked.TransactionID), "\x08", string(asked.FromPath)).Replace(string(input))
			answers := make(chan struct{})
			go func() {
				defer close(answers)
				d := msrp.NewDecoder(mallory.Conn, nil)
				for {
					if _, err := d.Next(); err != nil {
						require.NotErrorIs(t, err, msrp.ErrMalformed)
						return
					}
				}
			}()
			go io.WriteString(mallory.Conn, in)
			time.Sleep(responseTimeout + time.Second)
			synctest.Wait()
			mallory.Conn.Close()
			<-answers
			for _, c := range []*client{alice, bob} {
				for _, f := range c.rest() {
					if !f.IsRequest() {
						require.Equal(t, "asks01", string(f.TransactionID), "it is the one answer that anybody waits for")
						continue
					}
					from := mustPath(string(f.FromPath))
					require.True(t, from[0].Equal(c.use[0]))
					require.False(t, from[1].Equal(alice.use[0]) || from[1].Equal(bob.use[0]), "alice and bob have sent nothing")
					require.NotEmpty(t, f.ToPath)
				}
			}
			g.serves(alice, bob)
			require.Equal(t, Stats{Connections: 2, Sessions: 2, Users: 2}, g.holds())
		})
	})
}

// rest is what has come.
func (c *client) rest() (all []*msrptest.Frame) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		f, err := c.Next(ctx)
		cancel()
		if err != nil {
			require.ErrorIs(c.g, err, context.DeadlineExceeded)
			return all
		}
		all = append(all, f)
	}
}
