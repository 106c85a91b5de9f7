package relay

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// pour writes the same requests again and again, n times or until the connection ends.
func (c *client) pour(wire string, n int) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		for range n {
			if _, err := io.WriteString(c.Conn, wire); err != nil {
				return
			}
		}
	}()
	return done
}

// tally reads everything that comes until the connection has ended, or nothing has come for a minute, and tells what it was: statuses, and methods with their Status.
func (c *client) tally(each func()) map[string]int {
	c.g.Helper()
	what := map[string]int{}
	for {
		f, err := c.Next(within(c.g))
		if err != nil {
			return what
		}
		if f.IsRequest() {
			what[strings.TrimSpace(string(f.Method)+" "+string(f.StatusHeader))]++
		} else {
			what[fmt.Sprint(f.Status)]++
		}
		each()
	}
}

// Who never reads costs its senders time and the relay a bounded queue. Then it is closed, and each sender of what was accepted has its report.
func TestAbuseNeverReads(t *testing.T) {
	for _, o := range []*Options{{QueueBytes: leastQueue}, {MaxQueueBytes: 4 << 20}} {
		abused(t, o, func(t *testing.T, g *rig, alice, bob *client) {
			deaf, sender := g.client("carol"), g.client("carol")
			sender.talkTo(deaf)
			done := sender.pour(wire("pour01", "SEND", sender.Remote, sender.Path, strings.Repeat("x", 9000)), 200)
			frames := 0
			what := sender.tally(func() {
				if frames++; frames%10 == 0 {
					g.serves(alice, bob)
				}
				require.LessOrEqual(t, g.r.Stats().QueuedBytes, g.r.o.QueueBytes+2*pieceBytes)
			})
			<-done
			require.Equal(t, what["200"], what["REPORT 000 408 Timeout"], what)
			require.Greater(t, what["200"], 10)
			require.Equal(t, 200, what["200"]+what["413"]+what["481"], what) // what came when it was closed
			require.Equal(t, Stats{Connections: 3, Sessions: 3, Users: 3}, g.holds())
		})
	}
}

// Who sends without an end and waits for no answer fills no more than its share. That its next hop hangs up with all of them unanswered does not cost it its connection.
func TestAbuseIgnoresTheWindow(t *testing.T) {
	for name, header := range map[string]string{"yes": "", "partial": "Failure-Report: partial\r\n", "unknown methods": "WINK"} {
		t.Run(name, func(t *testing.T) {
			abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
				silent, sender := g.client("carol"), g.client("carol")
				sender.talkTo(silent)
				reads := make(chan struct{})
				go func() { defer close(reads); io.Copy(io.Discard, silent.Conn) }()
				request := strings.Replace(wire("pour01", "SEND", sender.Remote, sender.Path, "x"), "Message-ID", header+"Message-ID", 1)
				if header == "WINK" {
					request = wire("pour01", "WINK", sender.Remote, sender.Path, "x")
				}
				done := sender.pour(request, 3000)
				go func() {
					time.Sleep(10 * time.Second)
					silent.Conn.Close()
				}()
				frames := 0
				what := sender.tally(func() {
					if frames++; frames%100 == 0 {
						g.serves(alice, bob)
					}
					require.LessOrEqual(t, g.r.Stats().Unanswered, maxPending)
				})
				<-done
				<-reads
				require.LessOrEqual(t, what["200"], maxPending)
				require.LessOrEqual(t, what["REPORT 000 408 Timeout"], maxPending)
				sender.talkTo(bob)
				sender.request("alive1", msrp.MethodSend, sender.Remote.String(), sender.Path.String())
				sender.expect("alive1", msrp.StatusOK)
				bob.answer(bob.next(), msrp.StatusOK)
			})
		})
	}
}

// Nor does it help to find ever new ways to the same next hop, or many next hops: each connection and each user has so many requests without an answer.
func TestAbuseManyWays(t *testing.T) {
	abused(t, &Options{MaxSessions: 32}, func(t *testing.T, g *rig, alice, bob *client) {
		sender := g.client("carol")
		go io.Copy(io.Discard, sender.Conn)
		for i := range 4 {
			silent := g.client("carol")
			go io.Copy(io.Discard, silent.Conn)
			for n := range maxPending + 10 {
				to := fmt.Sprintf("%s %s msrp://x.example.com:2855/%d;tcp", sender.use, silent.use, n)
				sender.request("ways01", msrp.MethodSend, to, sender.Path.String())
			}
			require.LessOrEqual(t, g.holds().Unanswered, min((i+1)*maxPending, g.r.o.MaxSessions*windowSends))
			g.serves(alice, bob)
			defer silent.Conn.Close()
		}
	})
}

// Requests without an answer may be as many as they like.
func TestAbuseTinyFrames(t *testing.T) {
	abused(t, &Options{Coalesce: true}, func(t *testing.T, g *rig, alice, bob *client) {
		g.n.Record = -1
		accomplice, sender := g.client("carol"), g.client("carol")
		sender.talkTo(accomplice)
		var all strings.Builder
		for i := range 100 {
			all.WriteString(strings.Replace(wire(fmt.Sprintf("tiny%d", i), []string{"SEND", "REPORT"}[i%2], sender.Remote, sender.Path, ""), "Message-ID", "Failure-Report: no\r\nMessage-ID", 1))
		}
		done := sender.pour(all.String(), 300)
		drained := make(chan struct{})
		go func() { defer close(drained); io.Copy(io.Discard, accomplice.Conn) }()
		for served := 0; ; served++ {
			select {
			case <-done:
				require.Greater(t, served, 0)
				time.Sleep(10 * time.Second) // for the rate
				require.Equal(t, int64(30_000+2*served), g.r.Stats().Forwarded)
				accomplice.Conn.Close()
				<-drained
				return
			default:
			}
			g.serves(alice, bob)
			require.LessOrEqual(t, g.r.Stats().QueuedBytes, g.r.o.QueueBytes+2*pieceBytes)
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// That a next hop hangs up with very much unanswered does not cost the connection on which all of that came, another relay's for example, while its other sessions go on.
func TestAbuseReportsByTheThousand(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		silent, relay := g.client("carol"), g.stranger()
		line := g.n.Wires()[3].ToActive
		go io.Copy(io.Discard, silent.Conn)
		for i := range maxPending {
			from := fmt.Sprintf("msrps://other.example.com:2855/%0200d;tcp %s", i/windowSends, relay.Path)
			relay.request("many01", msrp.MethodSend, silent.sdp().String(), from)
			relay.expect("many01", msrp.StatusOK)
		}
		require.Equal(t, maxPending, g.holds().Unanswered)
		line.Hold() // it reads later
		silent.Conn.Close()
		g.holds()
		relay.talkTo(bob)
		relay.write(strings.Repeat(wire("goeson", "SEND", relay.Remote, relay.Path, "hello"), 150))
		for range 150 {
			bob.answer(bob.next(), msrp.StatusOK)
		}
		line.Release()
		what := relay.tally(func() {})
		require.Equal(t, 150, what["200"], what)
		require.Greater(t, what["REPORT 000 408 Timeout"], 100)
		relay.request("alive1", msrp.MethodSend, relay.Remote.String(), relay.Path.String())
		relay.expect("alive1", msrp.StatusOK)
		bob.answer(bob.next(), msrp.StatusOK)
	})
}
