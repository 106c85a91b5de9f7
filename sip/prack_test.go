package sip

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

func provisionally(tag string, seq int) string {
	return fmt.Sprintf("To: <sip:x>;tag=%s\nRequire: 100rel\nRSeq: %d\n", tag, seq)
}

// Each reliable provisional response is acknowledged in order and once, in each early dialog by itself.
func TestRFC3262_4_ProvisionalsAreAcknowledgedInOrder(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		assert.Contains(t, invite.Value("Supported"), "100rel")
		assert.Contains(t, invite.Value("Allow"), "PRACK")
		to := strings.TrimSuffix(invite.Value("To"), ">")
		require.NotEmpty(t, to)
		respond := func(tag string, seq int, extra string) {
			b.Respond(invite, "183 Progress", provisionally(tag, seq)+extra)
		}
		pracked := func(tag string, seq int) *siptest.Message {
			t.Helper()
			prack := b.Request("PRACK")
			assert.Equal(t, fmt.Sprintf("%d %d INVITE", seq, invite.Seq()), prack.Value("RAck"))
			assert.Equal(t, tag, prack.Param("To", "tag"))
			b.Respond(prack, "200 OK", "")
			return prack
		}
		respond("a", 7, "Record-Route: <sip:192.0.2.2;lr>\nContact: <sip:a@192.0.2.9>\n")
		first := pracked("a", 7)
		assert.Equal(t, "sip:a@192.0.2.9", first.URI)
		assert.Equal(t, "<sip:192.0.2.2;lr>", first.Value("Route"))
		assert.Equal(t, invite.Seq()+1, first.Seq())
		respond("a", 7, "") // again
		respond("a", 9, "") // before 8
		respond("a", 6, "")
		b.None(time.Second)
		respond("b", 1, "")
		assert.Equal(t, invite.Seq()+1, pracked("b", 1).Seq(), "each dialog counts by itself")
		respond("a", 8, "")
		assert.Equal(t, invite.Seq()+2, pracked("a", 8).Seq())
		b.None(time.Second)

		b.Respond(invite, "200 OK", "To: <sip:x>;tag=a\n"+b.SDP("passive"))
		b.Request("ACK")
		call := (<-done)
		require.NoError(t, call.err)
		require.NoError(t, call.call.Close())
		bye := b.Request("BYE")
		assert.Equal(t, invite.Seq()+3, bye.Seq())
		b.Respond(bye, "200 OK", "")
	})
}

// What is no reliable response, or cannot be one, gets no PRACK.
func TestRFC3262_4_WhatIsNotAcknowledged(t *testing.T) {
	for name, rest := range map[string]string{
		"no Require":  "To: <sip:x>;tag=a\nRSeq: 1\n",
		"no RSeq":     "To: <sip:x>;tag=a\nRequire: 100rel\n",
		"RSeq zero":   "To: <sip:x>;tag=a\nRequire: 100rel\nRSeq: 0\n",
		"RSeq large":  "To: <sip:x>;tag=a\nRequire: 100rel\nRSeq: 4294967296\n",
		"RSeq text":   "To: <sip:x>;tag=a\nRequire: 100rel\nRSeq: x\n",
		"no To tag":   "To: <sip:x>\nRequire: 100rel\nRSeq: 1\n",
		"another tag": "To: <sip:x>;tag=a\nRequire: precondition\nRSeq: 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, b *stage) {
				invite, done := b.invite(t.Context())
				b.Respond(invite, "183 Progress", rest)
				b.None(time.Minute)
				b.Respond(invite, "486 Busy Here", "")
				assert.ErrorIs(t, (<-done).err, ErrBusy)
			})
		})
	}
}

// The 100 is never reliable.
func TestRFC3262_3_TryingIsNotReliable(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		b.Respond(invite, "100 Trying", provisionally("a", 1))
		b.None(time.Minute)
		b.Respond(invite, "486 Busy Here", "")
		assert.ErrorIs(t, (<-done).err, ErrBusy)
	})
}

// A PRACK is repeated and challenged as any request is; what comes meanwhile waits, and the BYE has a newer number than either PRACK.
func TestRFC3262_4_PRACKIsChallenged(t *testing.T) {
	onStage(t, Options{Password: "secret"}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		b.Respond(invite, "183 Progress", provisionally("a", 1))
		first := b.Request("PRACK")
		assert.Equal(t, first.Header, b.Request("PRACK").Header, "timer E")
		b.Respond(invite, "183 Progress", provisionally("a", 2))
		b.Respond(invite, "200 OK", "To: <sip:x>;tag=a\n"+b.SDP("passive"))
		b.Request("ACK")
		call := <-done
		require.NoError(t, call.err)
		b.Respond(first, "401 Unauthorized", `WWW-Authenticate: Digest realm="r", nonce="n"`+"\n")
		second := b.Request("PRACK")
		assert.NotEmpty(t, second.Value("Authorization"))
		assert.Equal(t, first.Seq()+1, second.Seq())
		assert.Equal(t, first.Value("RAck"), second.Value("RAck"))
		b.Respond(second, "200 OK", "")
		require.NoError(t, call.call.Close())
		bye := b.Request("BYE")
		assert.Greater(t, bye.Seq(), second.Seq())
		b.Respond(bye, "200 OK", "")
	})
}

// However many a peer sends, at most one PRACK of an early dialog is under way, and we know of few dialogs.
func TestRFC3262_4_FloodOfProvisionals(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		ctx, cancel := context.WithCancel(t.Context())
		invite, done := b.invite(ctx)
		for tag := range 3 * maxForks {
			for seq := range 20 {
				b.Respond(invite, "183 Progress", provisionally(strconv.Itoa(tag), 1+seq))
			}
		}
		synctest.Wait()
		dialogs := map[string]int{}
		for range maxForks {
			prack := b.Request("PRACK")
			dialogs[prack.Param("To", "tag")]++
		}
		assert.Len(t, dialogs, maxForks)
		for _, o := range b.agent.outgoing {
			o.mu.Lock()
			assert.Len(t, o.early, maxForks)
			o.mu.Unlock()
		}
		cancel()
		<-done
		b.Respond(b.Request("CANCEL"), "200 OK", "")
		b.Respond(invite, "487 Request Terminated", "")
	})
}

// The answer to our offer may come in a reliable provisional response. The 2xx need not repeat it then, and cannot change it.
func TestRFC3262_5_AnswerInAProvisional(t *testing.T) {
	for name, c := range map[string]struct {
		body, final string
		err         error
	}{
		"once":         {"passive", "", nil},
		"twice":        {"passive", "active", nil},
		"does not fit": {"actpass", "passive", ErrMedia},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, b *stage) {
				invite, done := b.invite(t.Context())
				b.Respond(invite, "183 Progress", provisionally("a", 1)+b.SDP(c.body))
				b.Respond(b.Request("PRACK"), "200 OK", "")
				rest := "To: <sip:x>;tag=a\n"
				if c.final != "" {
					rest += b.SDP(c.final)
				}
				b.Respond(invite, "200 OK", rest)
				b.Request("ACK")
				call := <-done
				require.ErrorIs(t, call.err, c.err)
				if c.err != nil {
					b.Respond(b.Request("BYE"), "200 OK", "")
					return
				}
				assert.Equal(t, SetupPassive, call.call.Remote().Setup)
				assert.Equal(t, []string{"msrp://192.0.2.2:2855/peer;tcp"}, call.call.Remote().Path)
			})
		})
	}
}

// What an unreliable response says of the session does not count.
func TestRFC3261_13_2_1_AnswerInAnUnreliableProvisional(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		b.Respond(invite, "183 Progress", "To: <sip:x>;tag=a\n"+b.SDP("passive"))
		b.None(time.Second)
		b.Respond(invite, "200 OK", "To: <sip:x>;tag=a\n")
		b.Request("ACK")
		b.Respond(b.Request("BYE"), "200 OK", "")
		assert.ErrorIs(t, (<-done).err, ErrMedia)
	})
}

// 180 goes out reliably to a caller that requires it: at T1, 2*T1, ... until its PRACK.
func TestRFC3262_3_RingIsRepeatedUntilPRACK(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, i := b.offer("Require: 100rel\n")
		start := time.Now()
		require.NoError(t, i.Ring(t.Context()))
		first := b.Response(180)
		seq, err := strconv.ParseUint(first.Value("RSeq"), 10, 31)
		require.NoError(t, err)
		assert.NotZero(t, seq)
		assert.Equal(t, "100rel", first.Value("Require"))
		assert.NotEmpty(t, first.Address("Contact"))
		require.NoError(t, i.Ring(t.Context()), "it rings")
		for _, at := range []time.Duration{1, 3, 7, 15} {
			assert.Equal(t, first.Header, b.Response(180).Header)
			assert.Equal(t, at*gosip.T1, time.Since(start))
		}
		for _, rack := range []string{"", fmt.Sprint(seq+1, " ", invite.Seq(), " INVITE"), fmt.Sprint(seq, " ", invite.Seq()+1, " INVITE"),
			fmt.Sprint(seq, " ", invite.Seq(), " BYE"), fmt.Sprint(seq), "x y z"} {
			b.Within(first, "PRACK", "RAck: "+rack+"\n")
			assert.Equal(t, 481, b.Final("PRACK").Status, rack)
		}
		b.Within(first, "PRACK", fmt.Sprintf("RAck: %d %d INVITE\n", seq, invite.Seq()))
		assert.Equal(t, 200, b.Final("PRACK").Status)
		b.Within(first, "PRACK", fmt.Sprintf("RAck: %d %d INVITE\n", seq, invite.Seq()))
		assert.Equal(t, 481, b.Final("PRACK").Status, "acknowledged before")
		b.None(time.Minute)

		require.NoError(t, i.Ring(t.Context()))
		second := b.Response(180)
		assert.Equal(t, strconv.FormatUint(seq+1, 10), second.Value("RSeq"))
		b.Within(first, "PRACK", fmt.Sprintf("RAck: %d %d INVITE\n", seq+1, invite.Seq()))
		assert.Equal(t, 200, b.Final("PRACK").Status)

		done := answer(t.Context(), i)
		res := b.Final("INVITE")
		assert.Equal(t, 200, res.Status)
		b.Ack(invite, res, "")
		require.NoError(t, (<-done).err)
	})
}

// No PRACK ever: 5xx after 64*T1.
func TestRFC3262_3_NoPRACK(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, i := b.offer("Require: 100rel\n")
		require.NoError(t, i.Ring(t.Context()))
		start := time.Now()
		res := b.Final("INVITE")
		assert.Equal(t, 504, res.Status)
		assert.Equal(t, 64*gosip.T1, time.Since(start))
		b.Ack(invite, res, "")
		waitDone(t, i.Done())
		assert.ErrorIs(t, i.Err(), ErrTimeout)
		assert.ErrorIs(t, i.Ring(t.Context()), ErrTimeout)
	})
}

// A final response ends the repeating. The PRACK that comes all the same is taken, after a 2xx.
func TestRFC3262_3_FinalResponseBeforePRACK(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, i := b.offer("Require: 100rel\n")
		require.NoError(t, i.Ring(t.Context()))
		ringing := b.Response(180)
		done := answer(t.Context(), i)
		res := b.Final("INVITE")
		assert.Equal(t, 200, res.Status)
		b.Within(ringing, "PRACK", fmt.Sprintf("RAck: %s %d INVITE\n", ringing.Value("RSeq"), invite.Seq()))
		assert.Equal(t, 200, b.Final("PRACK").Status)
		b.Ack(invite, res, "")
		require.NoError(t, (<-done).err)
		b.None(time.Minute)
	})
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, i := b.offer("Require: 100rel\n")
		require.NoError(t, i.Ring(t.Context()))
		ringing := b.Response(180)
		require.NoError(t, i.Reject(t.Context(), 486, ""))
		res := b.Final("INVITE")
		assert.Equal(t, 486, res.Status)
		b.Ack(invite, res, "")
		b.Within(ringing, "PRACK", fmt.Sprintf("RAck: %s %d INVITE\n", ringing.Value("RSeq"), invite.Seq()))
		assert.Equal(t, 481, b.Final("PRACK").Status)
		b.None(time.Minute)
	})
}

// Who merely supports it gets a plain 180; who requires it and leaves the offer to us hears nothing before the answer, as the response would
// have to carry our offer.
func TestRFC3262_3_RingWhereItIsNotRequired(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, i := b.offer("Supported: 100rel\n")
		require.NoError(t, i.Ring(t.Context()))
		ringing := b.Response(180)
		assert.Empty(t, ringing.Value("RSeq"))
		assert.Empty(t, ringing.Value("Require"))
		b.None(gosip.T1 + time.Second)
		b.Within(ringing, "PRACK", fmt.Sprintf("RAck: 1 %d INVITE\n", invite.Seq()))
		assert.Equal(t, 481, b.Final("PRACK").Status)
	})
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite := b.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\nRequire: 100rel\n")
		i, err := b.agent.Accept(t.Context())
		require.NoError(t, err)
		require.NoError(t, i.Ring(t.Context()))
		done := answer(t.Context(), i)
		res := b.Final("INVITE")
		assert.Equal(t, 200, res.Status)
		b.Ack(invite, res, b.SDP("active"))
		require.NoError(t, (<-done).err)
		assert.ErrorIs(t, i.Ring(t.Context()), ErrAnswered)
	})
}
