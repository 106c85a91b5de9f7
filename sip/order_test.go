package sip

import (
	"fmt"
	"testing"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Requests that leave the peer at once are served in the order of the wire, although each has a goroutine of its own: none is
// refused for its sequence number, and the BYE comes last.
func TestRFC3261_12_2_2_OrderOfTheWire(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		for range 30 {
			call, dialog := b.taken("")
			const requests = 10
			for range requests {
				b.Within(dialog, "INFO", "")
			}
			again := b.Within(dialog, "INVITE", b.SDP(""))
			b.Send(fmt.Sprintf("ACK %s SIP/2.0\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: %d ACK\n",
				again.URI, again.Value("From"), again.Value("To"), again.Value("Call-ID"), again.Seq()))
			b.Within(dialog, "BYE", "")
			finals := map[string]int{}
			for finals["INFO"] < requests || finals["INVITE"] == 0 || finals["BYE"] == 0 {
				if res := b.Next(); res.Status >= 200 {
					require.Equal(t, 200, res.Status, res.CSeqMethod())
					finals[res.CSeqMethod()]++
				}
			}
			waitDone(t, call.Done())
			assert.ErrorIs(t, call.Err(), ErrEnded)
		}
	})
}

// A request that never asks for its turn, because sipgo takes it for another one that comes again, holds the others up for T1
// only, and any number of them leaves room for others.
func TestRFC3261_12_2_2_RepeatedBranch(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	u.up(bob)
	info := func(seq int) string {
		return fmt.Sprintf("INFO sip:bob@x SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bKsame\nFrom: <sip:carol@example.org>;tag=carol\n"+
			"To: <sip:bob@example.com>;tag=%s\nCall-ID: %s\nCSeq: %d INFO\n", u.addr(), u.toTag, u.callID, seq)
	}
	for seq := 2; seq < 2+2*maxArrivals; seq++ {
		u.send(info(seq))
		assert.Equal(t, 200, u.final(gosip.INFO).StatusCode)
	}
	u.write("BYE", 1000, "")
	assert.Equal(t, 200, u.final(gosip.BYE).StatusCode)
}

// Every datagram comes twice: sipgo may hand over either copy, and each request is served, once.
func TestRFC3261_12_2_2_RepeatedDatagrams(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	for range 30 {
		u := newUAC(t, bob)
		call := u.up(bob)
		for seq, method := range []string{"INFO", "UPDATE", "BYE"} {
			text := u.write(method, seq+2, "")
			u.send(text)
			assert.Equal(t, 200, u.final(gosip.RequestMethod(method)).StatusCode, method)
		}
		waitDone(t, call.Done())
	}
}

// A BYE that comes with the ACK, right behind it, does not lose the answer that the ACK brings.
func TestRFC3261_15_ByeBehindTheACK(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	for range 20 {
		u := newUAC(t, bob)
		u.write("INVITE", 1, "")
		i, err := bob.Accept(testContext(t))
		require.NoError(t, err)
		done := make(chan invited, 1)
		go func() {
			c, err := i.Answer(testContext(t), testMedia("bob"))
			done <- invited{c, err}
		}()
		u.toTag = toTag(u.final(gosip.INVITE))
		u.write("ACK", 1, withSDP(peerOffer))
		u.write("BYE", 2, "")
		r := <-done
		require.NoError(t, r.err)
		waitDone(t, r.call.Done())
		assert.ErrorIs(t, r.call.Err(), ErrEnded)
		assert.NotNil(t, r.call.Remote())
	}
}

// A caller may hang up an early dialog with BYE (RFC 3261 §15); the INVITE gets 487 (§15.1.2).
func TestRFC3261_15_ByeBeforeTheAnswer(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	u.write("INVITE", 1, withSDP(peerOffer))
	i, err := bob.Accept(testContext(t))
	require.NoError(t, err)
	require.NoError(t, i.Ring(testContext(t)))
	u.toTag = toTag(u.response(180))
	u.write("INFO", 2, "")
	assert.Equal(t, 500, u.final(gosip.INFO).StatusCode)
	u.write("BYE", 3, "")
	codes := map[gosip.RequestMethod]int{}
	for len(codes) < 2 {
		res := u.next("final response", func(m gosip.Message) bool {
			r, ok := m.(*gosip.Response)
			return ok && !r.IsProvisional()
		}).(*gosip.Response)
		codes[res.CSeq().MethodName] = res.StatusCode
	}
	assert.Equal(t, map[gosip.RequestMethod]int{gosip.INVITE: 487, gosip.BYE: 200}, codes)
	waitDone(t, i.Done())
	assert.ErrorIs(t, i.Err(), ErrCanceled)
}
