package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// placed is a call that the agent has placed to the peer; the answer's headers may be given.
func (b *stage) placed(headers string) (*Call, *siptest.Message) {
	b.t.Helper()
	invite, done := b.invite(b.t.Context())
	b.Respond(invite, "200 OK", headers+b.SDP("passive"))
	b.Request("ACK")
	r := <-done
	require.NoError(b.t, r.err)
	return r.call, invite
}

// taken is a call that the peer has placed to the agent; the INVITE's headers may be given.
func (b *stage) taken(headers string) (*Call, *siptest.Message) {
	b.t.Helper()
	invite, i := b.offer(headers)
	done := answer(b.t.Context(), i)
	ok := b.Final("INVITE")
	require.Equal(b.t, 200, ok.Status)
	b.Ack(invite, ok, "")
	r := <-done
	require.NoError(b.t, r.err)
	return r.call, ok
}

// reinvite runs Reinvite in the background.
func reinvite(ctx context.Context, c *Call, m *Media) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Reinvite(ctx, m) }()
	return done
}

func movedSDP(b *stage, setup string) string {
	return strings.ReplaceAll(b.SDP(setup), "a=path:", "a=path:msrp://192.0.2.9:1/moved;tcp ")
}

func version(t *testing.T, sdp string) (id, version int) {
	t.Helper()
	_, err := fmt.Sscanf(strings.Split(sdp, "\r\n")[1], "o=- %d %d", &id, &version)
	require.NoError(t, err)
	return id, version
}

// Our re-INVITE offers with the next version, a new CSeq and the same dialog; the 2xx is acknowledged, and acknowledged again.
func TestRFC3261_14_1_Reinvite(t *testing.T) {
	onStage(t, Options{Address: "sip:alice@example.com"}, func(t *testing.T, b *stage) {
		call, first := b.placed("")
		changed := call.Changed()
		done := reinvite(t.Context(), call, testMedia("moved"))
		again := b.Request("INVITE")
		assert.Greater(t, again.Seq(), first.Seq())
		for _, name := range []string{"From", "Call-ID"} {
			assert.Equal(t, first.Value(name), again.Value(name))
		}
		assert.NotEmpty(t, again.Param("To", "tag"))
		assert.NotEqual(t, first.Param("Via", "branch"), again.Param("Via", "branch"))
		id, v := version(t, first.Body)
		id2, v2 := version(t, again.Body)
		assert.Equal(t, []int{id, v + 1}, []int{id2, v2}, "RFC 3264 section 8")
		assert.Contains(t, again.Body, "a=path:msrp://127.0.0.1:2855/moved;tcp\r\n")
		assert.Contains(t, again.Body, "a=setup:actpass\r\n")

		ok := b.Respond(again, "200 OK", "Contact: <sip:other@192.0.2.2>;isfocus\n"+movedSDP(b, "active"))
		ack := b.Request("ACK")
		assert.Equal(t, again.Seq(), ack.Seq())
		assert.Equal(t, "sip:other@192.0.2.2", ack.URI, "the target is refreshed")
		require.NoError(t, <-done)
		waitDone(t, changed)
		assert.Equal(t, testMedia("moved").Path, call.Local().Path)
		assert.Equal(t, SetupPassive, call.Local().Setup)
		assert.Len(t, call.Remote().Path, 2)
		assert.True(t, call.Focus(), "RFC 4579 section 4: isfocus in the answer to a re-INVITE")

		b.Repeat(ok)
		assert.Equal(t, ack.Value("Via"), b.Request("ACK").Value("Via"), "the same ACK")
		b.bye(call)
	})
}

// bye lets the agent hang up.
func (b *stage) bye(call *Call) *siptest.Message {
	b.t.Helper()
	done := make(chan error, 1)
	go func() { done <- call.Bye(b.t.Context()) }()
	bye := b.Request("BYE")
	b.Respond(bye, "200 OK", "")
	assert.NoError(b.t, <-done)
	return bye
}

// A refusal changes nothing: neither the session nor the version of our side, nor the peer's Contact.
func TestRFC3261_14_1_RefusalChangesNothing(t *testing.T) {
	for status, gone := range map[string]bool{
		"488 Not Acceptable Here": false, "403 Forbidden": false, "500 Oops": false, "603 Decline": false, "503 Later": false,
		"481 No Such Call": true, "408 Timeout": true,
	} {
		t.Run(status, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, b *stage) {
				call, first := b.placed("")
				local, remote, changed := call.Local(), call.Remote(), call.Changed()
				done := reinvite(t.Context(), call, testMedia("moved"))
				again := b.Request("INVITE")
				final := b.Respond(again, status, "Contact: <sip:evil@192.0.2.9>;isfocus\n")
				ack := b.Request("ACK")
				assert.Equal(t, again.Param("Via", "branch"), ack.Param("Via", "branch"))
				var e *StatusError
				require.ErrorAs(t, <-done, &e)
				assert.Equal(t, final.Status, e.Code)
				assert.Equal(t, local, call.Local())
				assert.Equal(t, remote, call.Remote())
				assert.False(t, call.Focus())
				assertOpen(t, changed)
				if gone { // RFC 3261 section 12.2.1.2
					b.Respond(b.Request("BYE"), "481 No Such Call", "")
					waitDone(t, call.Done())
					assert.ErrorAs(t, call.Err(), &e)
					return
				}
				done = reinvite(t.Context(), call, testMedia("moved"))
				third := b.Request("INVITE")
				_, v := version(t, first.Body)
				_, v3 := version(t, third.Body)
				assert.Equal(t, v+1, v3)
				b.Respond(third, "200 OK", b.SDP("active"))
				b.Request("ACK")
				require.NoError(t, <-done)
				b.bye(call)
			})
		})
	}
}

// What cannot be offered, and a call that is over, is told before anything is sent.
func TestReinviteChecksOurSide(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, _ := b.placed("")
		m := testMedia("x")
		m.Path = []string{"msrp://h/x;tcp\r\na=evil"}
		assert.ErrorIs(t, call.Reinvite(t.Context(), m), ErrMedia)
		assert.ErrorIs(t, call.Reinvite(t.Context(), nil), ErrMedia)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.ErrorIs(t, call.Reinvite(ctx, testMedia("x")), context.Canceled)
		b.bye(call)
		assert.ErrorIs(t, call.Reinvite(t.Context(), testMedia("x")), ErrClosed)
		b.None(time.Second)
	})
}

// Glare: who made the Call-ID waits 2.1 to 4 seconds, the other side 0 to 2, and the peer's INVITE is taken meanwhile.
func TestRFC3261_14_1_Glare(t *testing.T) {
	for name, c := range map[string]struct {
		up       func(b *stage) (*Call, *siptest.Message)
		min, max time.Duration
	}{
		"owner of the Call-ID": {func(b *stage) (*Call, *siptest.Message) { return b.placed("") }, 2100 * time.Millisecond, 4 * time.Second},
		"not the owner":        {func(b *stage) (*Call, *siptest.Message) { return b.taken("") }, 0, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, b *stage) {
				call, dialog := c.up(b)
				done := reinvite(t.Context(), call, testMedia("bob"))
				ours := b.Request("INVITE")
				b.Within(dialog, "INVITE", b.SDP("active"))
				assert.Equal(t, 491, b.Final("INVITE").Status, "RFC 3261 section 14.2")
				b.Respond(ours, "491 Request Pending", "")
				start := time.Now()
				b.Request("ACK")
				synctest.Wait()

				theirs := b.Within(dialog, "INVITE", b.SDP(string(call.Remote().Setup)))
				ok := b.Final("INVITE")
				assert.Equal(t, 200, ok.Status)
				b.Ack(theirs, ok, "")

				again := b.Request("INVITE")
				assert.GreaterOrEqual(t, time.Since(start), c.min)
				assert.LessOrEqual(t, time.Since(start), c.max)
				b.Respond(again, "200 OK", b.SDP(string(call.Remote().Setup)))
				b.Request("ACK")
				require.NoError(t, <-done)
				b.bye(call)
			})
		})
	}
}

// A BYE while we wait to try again, or for the ACK of the peer's INVITE, ends the waiting.
func TestRFC3261_15_1_ByeWhileAReinviteWaits(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		b.Within(dialog, "INVITE", b.SDP("active"))
		b.Final("INVITE")
		waiting := reinvite(t.Context(), call, testMedia("x"))
		synctest.Wait()
		b.Within(dialog, "BYE", "")
		assert.ErrorIs(t, <-waiting, ErrEnded)

		call, dialog = b.placed("")
		waiting = reinvite(t.Context(), call, testMedia("x"))
		b.Respond(b.Request("INVITE"), "491 Request Pending", "")
		b.Request("ACK")
		synctest.Wait()
		b.Within(dialog, "BYE", "")
		assert.ErrorIs(t, <-waiting, ErrEnded)
	})
}

// A peer that says 491 for ever is given up.
func TestRFC3261_14_1_GlareIsBounded(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, _ := b.placed("")
		done := reinvite(t.Context(), call, testMedia("x"))
		for range maxAttempts {
			b.Respond(b.Request("INVITE"), "491 Request Pending", "")
		}
		var e *StatusError
		require.ErrorAs(t, <-done, &e)
		assert.Equal(t, 491, e.Code)

		done, start := reinvite(t.Context(), call, testMedia("x")), time.Now()
		b.Respond(b.Request("INVITE"), "500 Busy", fmt.Sprintf("Retry-After: %d\n", maxGlare/time.Second))
		b.Respond(b.Request("INVITE"), "500 Busy", fmt.Sprintf("Retry-After: %d\n", maxGlare/time.Second+1))
		require.ErrorAs(t, <-done, &e, "nobody waits that long")
		assert.Equal(t, 500, e.Code)
		assert.Equal(t, maxGlare, time.Since(start))
		b.bye(call)
	})
}

// A 2xx with a control character in a header field has no say in the session: the call ends.
func TestReinviteAnswerWithControlCharacters(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, _ := b.placed("")
		was := call.Remote()
		done := reinvite(t.Context(), call, testMedia("x"))
		invite := b.Request("INVITE")
		b.Respond(invite, "180 Ringing", "Contact: <sip:peer@192.0.2.2>;isfocus\nSubject: a\x00b\n")
		b.Respond(invite, "200 OK", "Subject: a\x00b\n"+movedSDP(b, "passive"))
		assert.ErrorIs(t, <-done, errMalformed)
		assert.False(t, call.Focus())
		assert.Equal(t, was, call.Remote())
		b.Respond(b.Request("BYE"), "200 OK", "")
		waitDone(t, call.Done())
	})
}

// No INVITE of ours goes out while one of the peer's waits for our answer or for its ACK.
func TestRFC3261_14_1_OneInviteAtATime(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		theirs := b.Within(dialog, "INVITE", b.SDP("active"))
		ok := b.Final("INVITE")
		done := reinvite(t.Context(), call, testMedia("bob"))
		another := reinvite(t.Context(), call, testMedia("bob"))
		synctest.Wait()
		b.None(30 * time.Millisecond) // the 200 comes again after T1
		b.Ack(theirs, ok, "")
		for _, d := range []<-chan error{done, another} {
			_ = d
			again := b.Request("INVITE")
			b.None(10 * time.Millisecond)
			b.Respond(again, "200 OK", b.SDP("active"))
			b.Request("ACK")
		}
		require.NoError(t, <-done)
		require.NoError(t, <-another)
		b.bye(call)
	})
}

// When ctx ends the re-INVITE is canceled; 487 leaves the call as it was. A 200 that crosses the CANCEL has changed the session.
func TestRFC3261_9_1_CancelOfAReinvite(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, _ := b.placed("")
		for _, status := range []string{"487 Request Terminated", "200 OK"} {
			ctx, cancel := context.WithCancel(t.Context())
			changed := call.Changed()
			done := reinvite(ctx, call, testMedia("moved"))
			again := b.Request("INVITE")
			cancel()
			require.ErrorIs(t, <-done, context.Canceled)
			synctest.Wait()
			b.Respond(again, "180 Ringing", "")
			c := b.Request("CANCEL")
			assert.Equal(t, again.Value("Via"), c.Value("Via"))
			b.Respond(c, "200 OK", "")
			if status == "200 OK" {
				b.Respond(again, status, movedSDP(b, "active"))
			} else {
				b.Respond(again, status, "")
			}
			b.Request("ACK")
			synctest.Wait()
			select {
			case <-changed:
				assert.Equal(t, "200 OK", status)
				assert.Equal(t, testMedia("moved").Path, call.Local().Path)
			default:
				assert.NotEqual(t, "200 OK", status)
			}
		}
		b.bye(call)
	})
}

// A peer that does not answer the re-INVITE is gone: the call ends at timer B.
func TestRFC3261_12_2_1_2_ReinviteTimesOut(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, _ := b.placed("")
		start := time.Now()
		assert.ErrorIs(t, call.Reinvite(t.Context(), testMedia("x")), ErrTimeout)
		assert.Equal(t, 3200*time.Millisecond, time.Since(start).Round(time.Millisecond))
		waitDone(t, call.Done())
		assert.ErrorIs(t, call.Err(), ErrTimeout)
		b.Respond(b.Request("BYE"), "481 Gone", "")
	})
}

// BYE of either side while a re-INVITE of ours is pending ends both.
func TestRFC3261_15_1_ByeDuringAReinvite(t *testing.T) {
	for _, ours := range []bool{true, false} {
		t.Run(fmt.Sprint(ours), func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, b *stage) {
				call, dialog := b.placed("")
				done := reinvite(t.Context(), call, testMedia("x"))
				invite := b.Request("INVITE")
				b.Respond(invite, "100 Trying", "")
				if ours {
					b.bye(call)
				} else {
					b.Within(dialog, "BYE", "")
					assert.Equal(t, 200, b.Final("BYE").Status)
				}
				b.Respond(invite, "487 Request Terminated", "")
				b.Request("ACK")
				err := <-done
				waitDone(t, call.Done())
				assert.ErrorIs(t, err, call.Err())
			})
		})
	}
}

// The answer is malformed, or no answer to the offer: it cannot be refused any more, so the call ends with the reason.
func TestReinviteAnswerDoesNotFit(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, _ := b.placed("")
		done := reinvite(t.Context(), call, testMedia("x"))
		b.Respond(b.Request("INVITE"), "200 OK", "Content-Type: application/sdp\n\nv=0\nm=message 0 TCP/MSRP *\n")
		b.Request("ACK")
		require.ErrorIs(t, <-done, ErrMedia)
		bye := b.Request("BYE")
		assert.Contains(t, bye.Value("Reason"), "cause=488")
		b.Respond(bye, "200 OK", "")
		waitDone(t, call.Done())
	})
}

// Hold and resume of ours keep the path, the connection and its roles.
func TestRFC3264_8_4_HoldOfOurs(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, _ := b.placed("")
		role := call.Local().Setup
		for _, d := range []Direction{SendOnly, SendRecv} {
			m := testMedia("bob")
			m.Path = call.Local().Path
			m.Direction = d
			done := reinvite(t.Context(), call, m)
			again := b.Request("INVITE")
			assert.Contains(t, again.Body, "a=setup:"+string(role)+"\r\n")
			assert.Equal(t, d == SendOnly, strings.Contains(again.Body, "a=sendonly\r\n"))
			b.Respond(again, "200 OK", b.SDP("passive"))
			b.Request("ACK")
			require.NoError(t, <-done)
			assert.Equal(t, d, call.Local().Direction)
			assert.Equal(t, role, call.Local().Setup)
		}
		b.bye(call)
	})
}

// A challenge to the re-INVITE is answered with the next CSeq.
func TestRFC3261_22_ReinviteIsChallenged(t *testing.T) {
	onStage(t, Options{Password: "secret"}, func(t *testing.T, b *stage) {
		call, _ := b.placed("")
		done := reinvite(t.Context(), call, testMedia("x"))
		first := b.Request("INVITE")
		b.Respond(first, "407 Proxy Authentication Required", `Proxy-Authenticate: Digest realm="p", nonce="n", algorithm=SHA-256, qop="auth"`+"\n")
		again := b.Request("INVITE")
		assert.Equal(t, first.Seq()+1, again.Seq())
		assert.Contains(t, again.Value("Proxy-Authorization"), `realm="p"`)
		b.Respond(again, "200 OK", b.SDP("active"))
		ack := b.Request("ACK")
		assert.Equal(t, again.Value("Proxy-Authorization"), ack.Value("Proxy-Authorization"), "RFC 3261 section 22.1")
		require.NoError(t, <-done)
		b.bye(call)
	})
}
