package relay

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// wire is a request as it goes over the connection, with a body.
func wire(id, method string, to, from msrp.Path, body string) string {
	return fmt.Sprintf("MSRP %s %s\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m%[1]s\r\nByte-Range: 1-%[5]d/%[5]d\r\nContent-Type: text/plain\r\n\r\n%[6]s\r\n-------%[1]s$\r\n",
		id, method, to, from, len(body), body)
}

func (c *client) write(wire string) {
	c.g.Helper()
	_, err := c.Conn.Write([]byte(wire))
	require.NoError(c.g, err)
}

// Nothing of a frame that is refused half-way gets into the next one.
func TestAbuseRefusedHalfWay(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		mallory := g.client("carol")
		to := join(mallory.use, bob.sdp())
		for n := pieceBytes - 100; n < 2*pieceBytes; n += 4001 {
			go mallory.write(wire("wink01", "WINK", to, mallory.Path, strings.Repeat("x", n)) + wire("second", "SEND", to, mallory.Path, "hello"))
			mallory.expect("wink01", msrp.StatusBadRequest)
			f := bob.next()
			require.Equal(t, "SEND", string(f.Method))
			require.Equal(t, "hello", string(f.Body[:min(len(f.Body), 10)]))
			bob.answer(f, msrp.StatusOK)
			mallory.expect("second", msrp.StatusOK)
		}
	})
}

// A frame may come in pieces, after however long a silence, but not for ever.
func TestAbuseSlowFrame(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		wire := wire("slow01", "SEND", alice.Remote, alice.Path, "hello")
		for _, silence := range []time.Duration{time.Second, pieceTimeout - time.Second, pieceTimeout + time.Second, 20 * time.Minute} {
			time.Sleep(silence)
			for i := range 10 {
				alice.write(wire[i*len(wire)/10 : (i+1)*len(wire)/10])
				time.Sleep(time.Second)
			}
			require.Equal(t, "hello", string(bob.next().Body))
			alice.expect("slow01", msrp.StatusOK)
			require.Equal(t, "REPORT", string(alice.next().Method)) // Bob has not answered
		}
		carol := g.client("carol")
		time.Sleep(20 * time.Minute)
		begun := time.Now()
		for i := range wire {
			if _, err := carol.Conn.Write([]byte(wire[i : i+1])); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		require.InDelta(t, pieceTimeout, time.Since(begun), float64(2*time.Second))
		carol.gone()
	})
}

// A frame that never ends is passed on in chunks, at the rate that its sender has, and takes no memory.
func TestAbuseEndlessFrame(t *testing.T) {
	abused(t, &Options{Rate: 1 << 20}, func(t *testing.T, g *rig, alice, bob *client) {
		mallory, accomplice := g.client("carol"), g.client("carol")
		mallory.talkTo(accomplice)
		head, _, _ := strings.Cut(wire("endless", "SEND", mallory.Remote, mallory.Path, ""), "\r\n\r\n")
		mallory.write(head + "\r\n\r\n")
		go func() {
			for more := bytes.Repeat([]byte{'x'}, 8<<10); ; {
				if _, err := mallory.Conn.Write(more); err != nil {
					return
				}
			}
		}()
		begun, sum := time.Now(), int64(0)
		for range 100 {
			f := accomplice.next()
			require.Equal(t, msrp.More, f.Continuation)
			require.Equal(t, msrp.ByteRange{Start: sum + 1, End: sum + int64(len(f.Body)), Total: 0}, f.ByteRange)
			require.LessOrEqual(t, len(f.Body), pieceBytes)
			sum += int64(len(f.Body))
			accomplice.answer(f, msrp.StatusOK)
			require.LessOrEqual(t, g.r.Stats().QueuedBytes, g.r.o.QueueBytes+2*pieceBytes)
		}
		require.InDelta(t, float64(sum)/(1<<20)-1, time.Since(begun).Seconds(), 0.2)
		g.serves(alice, bob)
		require.NoError(t, mallory.Conn.Close())
		for { // what was begun is ended
			f := accomplice.next()
			if f.Continuation == msrp.Aborted {
				return
			}
		}
	})
}

// Heads that are larger or longer than any that is needed end the connection, and leave nothing behind.
func TestAbuseHugeHeads(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		mallory := g.client("carol")
		to := join(mallory.use, bob.sdp())
		for name, header := range map[string]string{
			"one of 15 KiB":      "X: " + strings.Repeat("y", 15<<10) + "\r\n",
			"63 of them":         strings.Repeat("X: y\r\n", 60),
			"an extension":       "Fancy-Extension: with \"a\" value; and=more\r\n",
			"an unknown request": "",
		} {
			mallory.write(strings.Replace(wire("head01", "WINK", to, mallory.Path, ""), "Content-Type: text/plain\r\n\r\n\r\n", header, 1))
			f := bob.next()
			require.Equal(t, "WINK", string(f.Method), name)
			bob.answer(f, 501)
		}
		mallory.Conn.Close()
		for name, wire := range map[string]string{
			"a head without end":   "MSRP head01 WINK\r\nTo-Path: " + to.String() + "\r\nX: " + strings.Repeat("y", 17<<10),
			"a line without end":   "MSRP " + strings.Repeat("y", 17<<10),
			"too many headers":     "MSRP head01 WINK\r\nTo-Path: " + to.String() + "\r\n" + strings.Repeat("X: y\r\n", 100),
			"To-Path twice":        "MSRP head01 WINK\r\nTo-Path: " + to.String() + "\r\nTo-Path: " + to.String() + "\r\n",
			"NUL":                  "MSRP head01 WINK\r\nTo-Path: " + to.String() + "\x00\r\n",
			"a bare line feed":     "MSRP head01 WINK\nTo-Path: " + to.String() + "\r\n",
			"no From-Path":         "MSRP head01 WINK\r\nTo-Path: " + to.String() + "\r\n-------head01$\r\n",
			"another protocol":     "GET / HTTP/1.1\r\nHost: relay.example.com\r\n\r\n",
			"a short transaction":  "MSRP a WINK\r\n",
			"a lower case method":  "MSRP head01 wink\r\n",
			"a status out of line": "MSRP head01 99 OK\r\n",
		} {
			carol := g.client("carol")
			go carol.Conn.Write([]byte(wire))
			carol.gone()
			require.Zero(t, g.r.Stats().QueuedBytes, name)
		}
		bob.quiet()
	})
}

// Who writes another hop into its From-Path is a sender like any other, with one's rate.
func TestAbuseRate(t *testing.T) {
	const rate, frames = 64 << 10, 64
	abused(t, &Options{Rate: rate}, func(t *testing.T, g *rig, alice, bob *client) {
		carol := g.client("carol")
		target := g.client("bob")
		relay := mustPath("msrps://other.example.com:2855/x;tcp")
		for name, way := range map[string]struct {
			from   *client
			to, of msrp.Path // of: before its own URI
		}{
			"a client":                             {carol, join(carol.use, target.sdp()), nil},
			"a client past its own URI":            {carol, target.sdp(), nil},
			"a client that pretends to be a relay": {carol, target.sdp(), relay},
			"a stranger":                           {nil, target.sdp(), nil},
			"one that pretends to be a relay":      {nil, target.sdp(), relay},
		} {
			time.Sleep(time.Minute) // what was sent before is paid for
			if way.from == nil {
				way.from = g.stranger()
			}
			path := join(way.of, way.from.Path)
			begun := time.Now()
			go func() {
				for range frames {
					way.from.Conn.Write([]byte(wire("rate01", "SEND", way.to, path, strings.Repeat("x", 4<<10-300))))
				}
			}()
			for range frames {
				f := target.next()
				require.Equal(t, "SEND", string(f.Method), name)
				target.answer(f, msrp.StatusOK)
				require.Equal(t, msrp.StatusOK, way.from.next().Status)
			}
			require.InDelta(t, frames*(4<<10)/rate-1, time.Since(begun).Seconds(), 0.5, name)
		}
	})
}
