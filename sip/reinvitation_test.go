package sip

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// move lets the peer offer another path while the application waits for it.
func (b *stage) move(call *Call, dialog *siptest.Message) (*siptest.Message, *Reinvitation) {
	b.t.Helper()
	taken := make(chan *Reinvitation, 1)
	go func() {
		r, _ := call.AcceptReinvite(b.t.Context())
		taken <- r
	}()
	synctest.Wait()
	invite := b.Within(dialog, "INVITE", movedSDP(b, "active"))
	r := <-taken
	require.NotNil(b.t, r)
	return invite, r
}

func movedMedia() *Media {
	m := testMedia("new")
	m.Setup = SetupPassive
	return m
}

// A peer's INVITE moves the session: the application answers it, and both sides are the new ones from then on.
func TestRFC3261_14_2_MovedSession(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		changed := call.Changed()
		invite, r := b.move(call, dialog)
		assert.Len(t, r.Offer().Path, 2)
		bad := movedMedia()
		bad.AcceptTypes = nil
		require.ErrorIs(t, r.Answer(t.Context(), bad), ErrMedia, "and it is still open")
		require.NoError(t, r.Answer(t.Context(), movedMedia()))
		ok := b.Final("INVITE")
		assert.Equal(t, 200, ok.Status)
		assert.Contains(t, ok.Body, "a=path:msrp://127.0.0.1:2855/new;tcp\r\n")
		_, v := version(t, dialog.Body)
		_, v2 := version(t, ok.Body)
		assert.Equal(t, v+1, v2)
		assert.Equal(t, movedMedia().Path, call.Local().Path)
		assert.Equal(t, r.Offer().Path, call.Remote().Path)
		assert.Equal(t, SetupPassive, call.Local().Setup)
		waitDone(t, changed)
		b.Ack(invite, ok, "")
		assert.ErrorIs(t, r.Answer(t.Context(), movedMedia()), ErrAnswered)
		assert.ErrorIs(t, r.Reject(t.Context(), 488, ""), ErrAnswered)

		// The new session is the one that stands: offered again it is answered here.
		again := b.Within(dialog, "INVITE", movedSDP(b, "active"))
		ok2 := b.Final("INVITE")
		assert.Equal(t, ok.Body, ok2.Body)
		b.Ack(again, ok2, "")
		b.bye(call)
	})
}

// Nobody has called AcceptReinvite: 488, and nothing changes. Reject says what the application wants.
func TestRFC3261_14_2_MovedSessionIsRefused(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		local, remote, changed := call.Local(), call.Remote(), call.Changed()
		b.Within(dialog, "INVITE", "Contact: <sip:x@192.0.2.9>;isfocus\n"+movedSDP(b, "active"))
		assert.Equal(t, 488, b.Final("INVITE").Status)
		b.Within(dialog, "UPDATE", movedSDP(b, "active"))
		assert.Equal(t, 488, b.Final("UPDATE").Status)

		invite, r := b.move(call, dialog)
		assert.Error(t, r.Reject(t.Context(), 200, ""))
		assert.Error(t, r.Reject(t.Context(), 488, "a\r\nb"))
		require.NoError(t, r.Reject(t.Context(), 606, "No"))
		refused := b.Final("INVITE")
		assert.Equal(t, 606, refused.Status)
		b.Ack(invite, refused, "")
		b.Within(dialog, "UPDATE", movedSDP(b, "active"))
		assert.Equal(t, 504, b.Final("UPDATE").Status, "RFC 3311 section 5.2: an application cannot be asked in an UPDATE")
		assert.Equal(t, local, call.Local())
		assert.Equal(t, remote, call.Remote())
		assert.False(t, call.Focus())
		assertOpen(t, changed)
		b.bye(call)
	})
}

// An application that does not answer: 488 after 30 seconds.
func TestReinvitationTimesOut(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		start := time.Now()
		_, r := b.move(call, dialog)
		assert.Equal(t, 488, b.Final("INVITE").Status)
		assert.Equal(t, 30*time.Second, time.Since(start))
		assert.ErrorIs(t, r.Answer(t.Context(), movedMedia()), ErrTimeout)
		b.bye(call)
	})
}

// CANCEL of a re-INVITE: 487, the call and its session stay.
func TestRFC3261_9_2_CancelOfAReinvitation(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		local := call.Local()
		for range 2 { // the second time in the place of the first
			invite, r := b.move(call, dialog)
			b.Cancel(invite)
			assert.Equal(t, 200, b.Final("CANCEL").Status)
			refused := b.Final("INVITE")
			assert.Equal(t, 487, refused.Status)
			b.Ack(invite, refused, "")
			assert.ErrorIs(t, r.Answer(t.Context(), movedMedia()), ErrCanceled)
			assert.ErrorIs(t, r.Reject(t.Context(), 488, ""), ErrCanceled)
		}
		assert.Equal(t, local, call.Local())
		b.bye(call)
		_, err := call.AcceptReinvite(t.Context())
		assert.ErrorIs(t, err, ErrClosed)
	})
}

// A CANCEL that comes between Answer and its 200: the 487 is out, so the session stays, and no ACK is waited for.
func TestRFC3261_9_2_CancelCrossesOurAnswer(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		invite, r := b.move(call, dialog)
		local, remote := call.Local(), call.Remote()
		b.Cancel(invite)
		assert.Equal(t, 487, b.Final("INVITE").Status)
		next := call.session.answer(r.moved.description, r.moved.chat, r.moved.offer, movedMedia())
		assert.ErrorIs(t, call.accept(r.request, r.tx, next), ErrCanceled)
		assert.Equal(t, local, call.Local())
		assert.Equal(t, remote, call.Remote())
		for range 3 { // timer G
			assert.Equal(t, 487, b.Final("INVITE").Status)
		}
		b.bye(call)
	})
}

// BYE while a re-INVITE waits for the application: 487 for that (RFC 3261 §15.1.2), and the call is over.
func TestRFC3261_15_1_2_ByeDuringAReinvitation(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		_, r := b.move(call, dialog)
		b.Within(dialog, "BYE", "")
		codes := map[string]int{}
		for len(codes) < 2 {
			if m := b.Next(); m.Status >= 200 {
				codes[m.CSeqMethod()] = m.Status
			}
		}
		assert.Equal(t, map[string]int{"INVITE": 487, "BYE": 200}, codes)
		<-call.Done()
		assert.ErrorIs(t, r.Answer(t.Context(), movedMedia()), ErrEnded)
	})
}

// An ACK that never comes after a re-INVITE ends the call with BYE after 64*T1.
func TestRFC3261_13_3_1_4_ACKOfAReinviteIsLost(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		b.Within(dialog, "INVITE", b.SDP("active"))
		start := time.Now()
		for range 5 { // it is repeated meanwhile
			assert.Equal(t, 200, b.Final("INVITE").Status)
		}
		b.Respond(b.Request("BYE"), "200 OK", "")
		assert.Equal(t, 3200*time.Millisecond, time.Since(start))
		<-call.Done()
		assert.ErrorIs(t, call.Err(), ErrTimeout)
	})
}

// A second INVITE before the first has its answer: 500 with Retry-After. One that follows a 200 whose ACK has not come is fine unless
// the ACK brings the answer.
func TestRFC3261_14_2_SecondInvite(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		first, r := b.move(call, dialog)
		for _, method := range []string{"INVITE", "UPDATE"} {
			b.Within(dialog, method, b.SDP("active"))
			res := b.Final(method)
			assert.Equal(t, 500, res.Status)
			assert.NotEmpty(t, res.Value("Retry-After"))
		}
		b.Within(dialog, "UPDATE", "")
		assert.Equal(t, 200, b.Final("UPDATE").Status, "it offers nothing")
		require.NoError(t, r.Reject(t.Context(), 488, ""))
		b.Ack(first, b.Final("INVITE"), "")

		offerless := b.Within(dialog, "INVITE", "")
		ok := b.Final("INVITE")
		b.Within(dialog, "INVITE", b.SDP("active"))
		for {
			if m := b.Final("INVITE"); m.Status != 200 {
				assert.Equal(t, 491, m.Status, "our offer has no answer yet")
				break
			}
		}
		b.Ack(offerless, ok, b.SDP("active"))
		again := b.Within(dialog, "INVITE", b.SDP("active"))
		ok = b.Final("INVITE")
		assert.Equal(t, 200, ok.Status)
		b.Ack(again, ok, "")
		b.bye(call)
	})
}

// UPDATE and INVITE of the peer's that cross an INVITE of ours: 491, but an UPDATE without an offer is none of that.
func TestRFC3311_5_2_Glare(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		done := reinvite(t.Context(), call, testMedia("bob"))
		ours := b.Request("INVITE")
		for method, rest := range map[string]string{"INVITE": "", "UPDATE": b.SDP("active")} {
			b.Within(dialog, method, rest)
			assert.Equal(t, 491, b.Final(method).Status, method)
		}
		b.Within(dialog, "UPDATE", "Contact: <sip:new@192.0.2.2>;isfocus\n")
		assert.Equal(t, 200, b.Final("UPDATE").Status)
		b.Respond(ours, "200 OK", b.SDP("active"))
		b.Request("ACK")
		require.NoError(t, <-done)
		b.bye(call)
	})
}

// UPDATE within a call: a hold is answered in kind, a new Contact is where we send from then on, and its isfocus counts.
func TestRFC3311_5_2_Update(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		changed := call.Changed()
		b.Within(dialog, "UPDATE", strings.Replace(b.SDP("active"), "a=path", "a=sendonly\na=path", 1))
		ok := b.Final("UPDATE")
		assert.Equal(t, 200, ok.Status)
		assert.Contains(t, ok.Body, "a=recvonly\r\n")
		assert.NotEmpty(t, ok.Value("Contact"))
		assert.Contains(t, ok.Value("Allow"), "UPDATE")
		waitDone(t, changed)
		assert.Equal(t, RecvOnly, call.Local().Direction)

		b.Within(dialog, "UPDATE", "Contact: <sip:new@192.0.2.2>;isfocus\n")
		ok = b.Final("UPDATE")
		assert.Empty(t, ok.Body)
		assert.True(t, call.Focus(), "RFC 4579")
		b.Within(dialog, "UPDATE", b.SDP("active"))
		assert.Equal(t, 200, b.Final("UPDATE").Status)
		assert.Equal(t, SendRecv, call.Local().Direction, "resumed")
		b.Within(dialog, "UPDATE", "Content-Type: text/plain\n\nx")
		assert.Equal(t, 415, b.Final("UPDATE").Status)
		b.Within(dialog, "UPDATE", "Content-Type: application/sdp\n\nx")
		assert.Equal(t, 400, b.Final("UPDATE").Status)
		assert.Equal(t, "sip:new@192.0.2.2", b.bye(call).URI)
	})
}

// A re-INVITE that is repeated gets its 200 again, and is served once.
func TestRFC3261_17_2_1_RepeatedReinvite(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, dialog := b.taken("")
		invite := b.Within(dialog, "INVITE", b.SDP("active"))
		ok := b.Final("INVITE")
		b.Repeat(invite)
		again := b.Final("INVITE")
		assert.Equal(t, ok.Body, again.Body)
		b.Ack(invite, ok, "")
		b.bye(call)
	})
}

// AcceptReinvite ends with its context, and leaves the call as it is.
func TestAcceptReinviteContext(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		call, _ := b.taken("")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := call.AcceptReinvite(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NoError(t, call.Err())
		b.bye(call)
	})
}
