package relay_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
	"github.com/otrchat/otrchat/msrp/relay"
)

// listen returns what takes the connections that the relay dials to address.
func listen(t testing.TB, n *msrptest.Network, address, uri string) (accept func() *end) {
	l, err := n.Listen(address)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return func() *end {
		nc, err := l.Accept()
		require.NoError(t, err)
		return newEnd(t, nc, uri)
	}
}

// withEndpoint runs a test with alice, who has a URI of the relay, and an endpoint without a relay that accepts what the relay dials.
func withEndpoint(t *testing.T, change func(*relay.Options), test func(t *testing.T, alice *end, bob func() *end)) {
	inBubble(t, change, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		bob := listen(t, n, "bob.example.com:8145", bobURI)
		alice := dial(t, r, aliceURI)
		alice.auth("alice", relayURI)
		test(t, alice, bob)
	})
}

// message sends a SEND with one byte to bob, and returns what the relay makes of it.
func (e *end) message(id string, bob func() *end, headers ...string) (*end, *msrptest.Frame) {
	e.Helper()
	e.send(id, e.path+" "+bobURI, "x", msrp.Complete, append([]string{"Message-ID: m" + id, "Byte-Range: 1-1/1"}, headers...)...)
	peer := bob()
	return peer, peer.next()
}

// names stands for the URIs of a session of alice and bob in frames.
func (e *end) names() []string { return []string{e.path, "RELAY", aliceURI, "ALICE", bobURI, "BOB"} }

// A request is forwarded only for a URI that the relay has given out.
func TestRFC4976_6_4_OnlyItsOwnURIs(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		l, err := n.Listen("bob.example.com:8145")
		require.NoError(t, err)
		defer l.Close()
		for _, method := range []string{"SEND", "REPORT", "AUTH", "NICKNAME", "HUG"} {
			for _, to := range []string{relayURI, "msrp://relay.example.com:2855/unknown;tcp", "msrp://relay.example.com:2855/" + strings.Repeat("a", 26) + ";tcp"} {
				alice := dial(t, r, aliceURI)
				alice.auth("alice", relayURI)
				alice.write("abcd", method, to+" "+bobURI, aliceURI, "Message-ID: msg1")
				for _, f := range alice.frames() {
					require.NotEqual(t, msrp.StatusOK, f.Status, "%s %s", method, to)
				}
				require.Empty(t, n.Wires())
				alice.nc.Close()
			}
		}
	})
}

// What comes for a client goes to that client, whatever stands behind the relay's URI; nobody is dialled for it (section 9.3).
func TestRFC4976_9_3_OnlyToTheClient(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		l, err := n.Listen("bob.example.com:8145")
		require.NoError(t, err)
		defer l.Close()
		alice, mallory := dial(t, r, aliceURI), dial(t, r, "msrp://mallory.example.com:1/m;tcp")
		alice.auth("alice", relayURI)
		for i, rest := range []string{bobURI, bobURI + " " + bobURI, aliceURI + " " + bobURI} {
			mallory.send(fmt.Sprintf("abc%d", i), alice.path+" "+rest, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
			synctest.Wait()
			require.Empty(t, n.Wires(), "dialled for %s", rest)
			for _, f := range alice.frames() {
				require.Equal(t, rest, string(f.ToPath))
			}
			mallory.frames()
			if mallory.closed() {
				mallory = dial(t, r, mallory.uri)
			}
		}
	})
}

// The relay's URI goes from the front of To-Path to the front of From-Path, the transaction identifier is a new one, and nothing else changes.
func TestRFC4976_6_4_1_ForwardedFrame(t *testing.T) {
	withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
		alice.send("6aef", alice.path+" "+bobURI, "Hi Bob, I'm about to send you file.mpeg", msrp.Complete,
			"Success-Report: yes", "Byte-Range: 1-*/*", "Message-ID: 87652", "X-New: 1", "x-new: two", "Content-Disposition: render")
		require.Equal(t, "MSRP ID 200 OK\nTo-Path: ALICE\nFrom-Path: RELAY\n-------ID$\n", text(t, alice.next(), alice.names()...))
		f := bob().next()
		require.NotEqual(t, "6aef", string(f.TransactionID))
		require.GreaterOrEqual(t, len(f.TransactionID), 8)
		require.Equal(t, "MSRP ID SEND\nTo-Path: BOB\nFrom-Path: RELAY ALICE\nMessage-ID: 87652\nSuccess-Report: yes\nByte-Range: 1-*/*\nX-New: 1\nx-new: two\n"+
			"Content-Disposition: render\nContent-Type: text/plain\n\nHi Bob, I'm about to send you file.mpeg\n-------ID$\n", text(t, f, alice.names()...))
	})
}

// Transaction identifiers of forwarded requests do not collide, even where those of their senders do.
func TestRFC4976_6_4_TransactionIDs(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		bob := dial(t, r, bobURI)
		bob.auth("bob", relayURI)
		seen := map[string]bool{}
		for i := range 5 {
			e := dial(t, r, fmt.Sprintf("msrp://peer%d.example.com:2855/p;tcp", i))
			for _, method := range []string{"SEND", "REPORT", "NICKNAME"} {
				e.write("same", method, bob.path+" "+bobURI, e.uri, "Message-ID: msg1", "Status: 000 200 OK", "Byte-Range: 1-0/0")
			}
		}
		for _, f := range bob.frames() {
			require.False(t, seen[string(f.TransactionID)])
			seen[string(f.TransactionID)] = true
		}
		require.Len(t, seen, 15)
	})
}

// The 200 comes at once, before the next hop has the request or there is one, to the hop before alone.
func TestRFC4976_6_4_1_AnswersAtOnce(t *testing.T) {
	for _, headers := range [][]string{nil, {"Failure-Report: yes"}} {
		withEndpoint(t, nil, func(t *testing.T, alice *end, _ func() *end) {
			alice.send("6aef", alice.path+" "+bobURI, "x", msrp.Complete, append(headers, "Message-ID: msg1", "Byte-Range: 1-1/1")...)
			f := alice.next()
			require.Equal(t, "6aef", string(f.TransactionID))
			require.Equal(t, msrp.StatusOK, f.Status)
		})
	}
	inBubble(t, nil, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		alice, before := dial(t, r, aliceURI), dial(t, r, "msrp://other.example.com:2855/o;tcp")
		alice.auth("alice", relayURI)
		before.uri += " " + bobURI // it is a relay itself, and bob is behind it
		before.send("6aef", alice.path+" "+aliceURI, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
		require.Equal(t, "msrp://other.example.com:2855/o;tcp", string(before.next().ToPath))
	})
}

// Without Failure-Report yes there is no 200.
func TestRFC4976_6_4_1_NoAnswer(t *testing.T) {
	for _, report := range []string{"no", "partial"} {
		withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
			_, f := alice.message("6aef", bob, "Failure-Report: "+report)
			require.Equal(t, report, string(f.FailureReport))
			alice.quiet()
			time.Sleep(time.Minute)
			alice.quiet()
		})
	}
}

// 30 s after the last byte went out, not earlier, the sender is told that the next hop has not answered.
func TestRFC4976_6_4_1_Timeout(t *testing.T) {
	for _, headers := range [][]string{nil, {"Failure-Report: yes"}} {
		withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
			peer, _ := alice.message("6aef", bob, headers...)
			require.Equal(t, msrp.StatusOK, alice.next().Status)
			time.Sleep(30*time.Second - time.Nanosecond)
			alice.quiet()
			time.Sleep(time.Second) // a relay may look once in a while
			require.Regexp(t, "^MSRP ID REPORT\nTo-Path: ALICE\nFrom-Path: RELAY\nMessage-ID: m6aef\nByte-Range: 1-1/1\nStatus: 000 408( .*)?\n-------ID\\$\n$",
				text(t, alice.next(), alice.names()...))
			peer.quiet()
			time.Sleep(time.Minute)
			alice.quiet()
		})
	}
}

// The 30 s begin with the last byte that is written, not with the first: a slow next hop has the time that it needs.
func TestRFC4976_6_4_1_TimeoutOfASlowLink(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		l, err := n.Listen("bob.example.com:8145")
		require.NoError(t, err)
		defer l.Close()
		alice := dial(t, r, aliceURI)
		alice.auth("alice", relayURI)
		accepted := make(chan *end, 1)
		go func() {
			nc, err := l.Accept()
			if err == nil {
				n.Wires()[0].ToPassive.Hold() // the relay's Write takes 64 KiB, then waits
				accepted <- newEnd(t, nc, bobURI)
			}
		}()
		for i := range 8 {
			alice.send(fmt.Sprintf("abc%d", i), alice.path+" "+bobURI, strings.Repeat("x", 10_000), msrp.Complete, fmt.Sprintf("Message-ID: msg%d", i), "Byte-Range: 1-10000/10000")
		}
		bob := <-accepted
		time.Sleep(20 * time.Second)
		alice.frames()
		n.Wires()[0].ToPassive.Release()
		synctest.Wait()
		require.Len(t, bob.frames(), 8)
		time.Sleep(15 * time.Second) // 35 s since it was sent; 15 s since it is written
		for _, f := range alice.frames() {
			require.NotEqual(t, "msg7", string(f.MessageID), "its time has only begun")
		}
		time.Sleep(16 * time.Second)
		last := alice.frames()
		require.NotEmpty(t, last)
		require.Equal(t, "msg7", string(last[len(last)-1].MessageID))
	})
}

// An answer of the next hop that is no 200 is a REPORT with its code to the sender, for Failure-Report yes and partial; no answer of any kind for no.
func TestRFC4976_6_4_1_ErrorsOfTheNextHop(t *testing.T) {
	for report, reported := range map[string]bool{"": true, "Failure-Report: yes": true, "Failure-Report: partial": true, "Failure-Report: no": false} {
		for _, code := range []int{400, 403, 408, 413, 415, 481, 501, 506, 999} {
			withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
				var headers []string
				if report != "" {
					headers = append(headers, report)
				}
				peer, f := alice.message("6aef", bob, headers...)
				alice.frames() // the 200
				peer.answer(f, fmt.Sprintf("%d Because", code))
				if !reported {
					alice.quiet()
					return
				}
				require.Regexp(t, fmt.Sprintf("^MSRP ID REPORT\nTo-Path: ALICE\nFrom-Path: RELAY\nMessage-ID: m6aef\nByte-Range: 1-1/1\nStatus: 000 %d( .*)?\n-------ID\\$\n$", code),
					text(t, alice.next(), alice.names()...))
				time.Sleep(time.Minute)
				alice.quiet()
			})
		}
	}
}

// A next hop that cannot be reached is a failure to report as well.
func TestRFC4976_6_4_1_NoNextHop(t *testing.T) {
	for report, reported := range map[string]bool{"yes": true, "partial": true, "no": false} {
		inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
			alice := dial(t, r, aliceURI)
			alice.auth("alice", relayURI)
			alice.send("6aef", alice.path+" "+bobURI, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1", "Failure-Report: "+report)
			failures := 0
			for _, f := range alice.frames() {
				if f.IsRequest() {
					require.Equal(t, "REPORT", string(f.Method))
					require.Equal(t, "msg1", string(f.MessageID))
					failures++
				} else if f.Status != msrp.StatusOK {
					failures++
				}
			}
			require.Equal(t, reported, failures == 1, report)
			require.False(t, alice.closed())
		})
	}
}

// A connection that breaks with requests unanswered is one too.
func TestRFC4976_6_4_1_LostNextHop(t *testing.T) {
	for report, reported := range map[string]bool{"yes": true, "no": false} {
		withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
			peer, _ := alice.message("6aef", bob, "Failure-Report: "+report)
			alice.frames()
			require.NoError(t, peer.nc.Close())
			time.Sleep(31 * time.Second)
			if !reported {
				alice.quiet()
				return
			}
			f := alice.next()
			require.Equal(t, "REPORT", string(f.Method))
			require.Equal(t, "m6aef", string(f.MessageID))
		})
	}
}

// A long chunk may leave in several: in order, whole, each with its range, the headers and the flag at the last.
func TestRFC4976_6_4_1_Cuts(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 20<<10) // 320 KiB
	for _, flag := range []msrp.Continuation{msrp.Complete, msrp.More, msrp.Aborted} {
		for _, r := range []struct {
			header string
			start  int64
			total  int64
		}{{"1-*/*", 1, msrp.Unknown}, {fmt.Sprintf("1001-*/%d", 1000+len(body)), 1001, int64(1000 + len(body))}, {"", 1, msrp.Unknown}} {
			withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
				headers := []string{"Message-ID: msg1", "Success-Report: yes", "X-New: 1"}
				if r.header != "" {
					headers = append(headers, "Byte-Range: "+r.header)
				}
				go alice.send("6aef", alice.path+" "+bobURI, body, flag, headers...)
				peer := bob()
				var got strings.Builder
				frames := peer.frames()
				for i, f := range frames {
					require.Equal(t, "msg1", string(f.MessageID))
					require.Equal(t, "yes", string(f.SuccessReport))
					require.Equal(t, "text/plain", string(f.ContentType))
					require.Equal(t, "1", string(f.Value("X-New")))
					want := flag
					if i < len(frames)-1 {
						want = msrp.More
					}
					require.Equal(t, want, f.Continuation)
					if f.ByteRange != (msrp.ByteRange{}) || len(frames) > 1 {
						require.Equal(t, r.start+int64(got.Len()), f.ByteRange.Start)
						require.Equal(t, r.total, f.ByteRange.Total)
						if f.ByteRange.End != msrp.Unknown {
							require.Equal(t, f.ByteRange.Start+int64(len(f.Body))-1, f.ByteRange.End)
						}
					}
					got.Write(f.Body)
					peer.answer(&f, "200 OK")
				}
				require.Equal(t, len(body), got.Len())
				require.True(t, got.String() == body)
				require.Equal(t, msrp.StatusOK, alice.next().Status)
				time.Sleep(time.Minute)
				alice.quiet()
			})
		}
	}
}

// Chunks of different messages stay apart, and each message's in order, however they take turns.
func TestRFC4976_6_4_1_MessagesStayApart(t *testing.T) {
	withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
		to := alice.path + " " + bobURI
		for i := range 20 {
			id := fmt.Sprintf("abc%d", i)
			flag := msrp.More
			if i >= 18 {
				flag = msrp.Complete
			}
			alice.send(id, to, fmt.Sprintf("%d,", i), flag, fmt.Sprintf("Message-ID: msg%d", i%2), fmt.Sprintf("Byte-Range: %d-*/*", i/2*3+1))
		}
		got := map[string]string{}
		for _, f := range bob().frames() {
			got[string(f.MessageID)] += string(f.Body)
		}
		require.Equal(t, map[string]string{"msg0": "0,2,4,6,8,10,12,14,16,18,", "msg1": "1,3,5,7,9,11,13,15,17,19,"}, got)
	})
}

// Requests with other methods, unknown ones too, go as SENDs do, but the relay does not answer them; REPORTs have no response at all.
func TestRFC4976_6_4_2_OtherMethods(t *testing.T) {
	withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
		var peer *end
		for i, method := range []string{"REPORT", "NICKNAME", "HUG"} {
			alice.write(fmt.Sprintf("abc%d", i), method, alice.path+" "+bobURI, aliceURI, "Message-ID: msg1", "Status: 000 200 OK", "X-New: 1")
			if peer == nil {
				peer = bob() // one connection for all of them
			}
			f := peer.next()
			require.Equal(t, "MSRP ID "+method+"\nTo-Path: BOB\nFrom-Path: RELAY ALICE\nMessage-ID: msg1\nStatus: 000 200 OK\nX-New: 1\n-------ID$\n", text(t, f, alice.names()...))
		}
		time.Sleep(time.Minute)
		alice.quiet()
		require.False(t, peer.closed())
	})
}

// A request uses the connection that there is: the one over which the peer came, or that was dialled for the request before.
func TestRFC4976_6_4_2_UsesTheConnection(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		l, err := n.Listen("bob.example.com:8145")
		require.NoError(t, err)
		defer l.Close()
		alice, bob := dial(t, r, aliceURI), dial(t, r, bobURI)
		alice.auth("alice", relayURI)
		bob.send("abcd", alice.path+" "+aliceURI, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
		require.Equal(t, msrp.StatusOK, bob.next().Status)
		alice.answer(alice.next(), "200 OK")
		for i := range 3 {
			alice.write(fmt.Sprintf("abc%d", i), "REPORT", alice.path+" "+bobURI, aliceURI, "Message-ID: msg1", "Status: 000 200 OK", "Byte-Range: 1-1/1")
			require.Equal(t, "REPORT", string(bob.next().Method))
		}
		require.Empty(t, n.Wires())
	})
	withEndpoint(t, nil, func(t *testing.T, alice *end, bob func() *end) {
		peer, _ := alice.message("abcd", bob)
		alice.send("abce", alice.path+" "+bobURI, "x", msrp.Complete, "Message-ID: msg2", "Byte-Range: 1-1/1")
		require.Equal(t, "msg2", string(peer.next().MessageID))
	})
}
