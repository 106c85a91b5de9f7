package sip

import (
	"testing"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
)

// A call that we have placed takes no offer of the peer's before it has read the answer to its own, although the ACK is out.
func TestRFC3261_14_2_OfferBeforeTheAnswerIsRead(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		b.agent.mu.Lock()
		var o *outgoing
		for _, o = range b.agent.outgoing {
		}
		b.agent.mu.Unlock()
		res := gosip.NewResponse(200, "OK")
		res.AppendHeader(&gosip.ToHeader{Params: gosip.HeaderParams{{K: "tag", V: "x"}}})
		c, _ := o.confirm(res)
		assert.Equal(t, 491, c.crossing().code)
		b.Respond(invite, "200 OK", b.SDP("passive"))
		b.Request("ACK")
		r := <-done
		r.call.mu.Lock()
		assert.Nil(t, r.call.crossing())
		r.call.mu.Unlock()
		b.bye(r.call)
	})
}
