package sip

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A peer may offer something itself as soon as it has our ACK: our own exchange is over by then, that of the first INVITE and that of
// a re-INVITE.
func TestRFC3261_14_2_OfferBehindTheACK(t *testing.T) {
	for range 20 {
		onStage(t, Options{}, func(t *testing.T, b *stage) {
			invite, invited := b.invite(t.Context())
			b.Respond(invite, "200 OK", b.SDP("passive"))
			theirs := func() {
				t.Helper()
				b.Request("ACK")
				again := b.Within(invite, "INVITE", b.SDP("passive"))
				ok := b.Final("INVITE")
				assert.Equal(t, 200, ok.Status)
				b.Ack(again, ok, "")
			}
			theirs()
			r := <-invited
			require.NoError(t, r.err)
			done := reinvite(t.Context(), r.call, testMedia("alice"))
			b.Respond(b.Request("INVITE"), "200 OK", b.SDP("passive"))
			theirs()
			require.NoError(t, <-done)
			b.bye(r.call)
		})
	}
}
