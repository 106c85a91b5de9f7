package otrsession

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/coyim/otr3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLayout(t *testing.T) {
	assert.NoError(t, checkLayout())
	assert.NoError(t, layout())
	assert.False(t, reach(inside(new(otr3.Conversation)), "keys", "nonsense").IsValid())
	assert.ErrorIs(t, protect(func() error {
		reach(inside(new(otr3.Conversation)), "keys", "nonsense").Uint()
		return nil
	}), ErrBroken)
}

// sizes tells how much otr3 keeps.
func sizes(c *otr3.Conversation) (sent, macs, counters int) {
	v := inside(c)
	return reach(v, "resend", "messages", "m").Len(),
		reach(v, "keys", "macKeyHistory", "items").Len(),
		reach(v, "keys", "counterHistory", "counters").Len()
}

func TestNothingIsKept(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	check := func() {
		t.Helper()
		for _, s := range []*side{p.alice, p.bob} {
			sent, macs, counters := sizes(s.live.otr)
			require.Zero(t, sent)
			require.LessOrEqual(t, macs, 4)
			require.LessOrEqual(t, counters, 4)
			require.LessOrEqual(t, len(s.live.guard.known), 4)
		}
	}
	for range 12 {
		p.say(p.alice, "one way")
		check()
	}
	for range 6 {
		p.say(p.bob, "to")
		p.say(p.alice, "and fro")
		check()
	}
	p.forget()
	for range 20 {
		p.say(p.alice, "one way, again")
	}
	p.say(p.bob, "answer")
	p.say(p.alice, "and on")
	for _, m := range p.alice.sent {
		assert.Less(t, len(m), 1000, "no long list of MAC keys")
	}
}

// What a forger sends leaves no trace, whatever key IDs he makes up.
func TestForgeriesAreNotCounted(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	_, macs, counters := sizes(p.alice.live.otr)
	for i := range 50 {
		m, err := parseEncoded(p.bob.forge(forged{counter: 1, plain: []byte("x")}))
		require.NoError(t, err)
		m.raw[12+i%8] ^= 0x55 // in the key IDs
		hearing(t, p.alice.Session, m.message())
	}
	_, macsAfter, countersAfter := sizes(p.alice.live.otr)
	assert.Equal(t, macs, macsAfter)
	assert.Equal(t, counters, countersAfter)
}

func TestSentTextIsWiped(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	c := p.alice.live.otr
	_, err := c.Send([]byte("kept by otr3"))
	require.NoError(t, err)
	kept := reach(reach(inside(c), "resend", "messages", "m").Index(0), "m").Bytes()
	require.Equal(t, "kept by otr3", string(kept), "or else this file is of no use any more")
	forget(c)
	assert.Equal(t, strings.Repeat("\x00", len(kept)), string(kept))
	sent, _, _ := sizes(c)
	assert.Zero(t, sent)
}

func TestGuardAgreesWithOTR3(t *testing.T) {
	p := encryptedPair(t, Options{}, Options{})
	for range 4 {
		m := must(p.bob.Encrypt([]byte("text"))).Send[0]
		e, err := parseEncoded(m)
		require.NoError(t, err)
		d, err := parseData(e)
		require.NoError(t, err)
		k, ok := p.alice.live.guard.session(keysOf(p.alice.live.otr), d.recipientKey, d.senderKey)
		require.True(t, ok)
		text, _, _ := bytes.Cut(decrypt(k.aes, d), []byte{0})
		assert.Equal(t, "text", string(text))
		p.deliver(p.bob, [][]byte{m})
		p.say(p.alice, "turn")
	}
}

func TestKeep(t *testing.T) {
	numbers := []int{1, 2, 3, 4, 5}
	kept := numbers
	keep(reflect.ValueOf(&kept).Elem(), func(v reflect.Value) bool { return v.Int()%2 == 1 })
	assert.Equal(t, []int{1, 3, 5}, kept)
	assert.Equal(t, []int{1, 3, 5, 0, 0}, numbers)
}

func TestOldKeysAreWiped(t *testing.T) {
	end := map[string]func(p *pair){
		"we end":    func(p *pair) { p.run(p.alice, must(p.alice.End())) },
		"peer ends": func(p *pair) { p.run(p.bob, must(p.bob.End())) },
		"new keys": func(p *pair) {
			p.bob.since = p.bob.since.Add(-requery)
			p.run(p.alice, must(p.alice.Start()))
		},
	}
	for name, end := range end {
		t.Run(name, func(t *testing.T) {
			p := encryptedPair(t, Options{}, Options{})
			p.say(p.bob, "x")
			keys, guard := keysOf(p.alice.live.otr), p.alice.live.guard.known
			require.NotEmpty(t, guard)
			end(p)
			for _, secret := range [][]byte{keys.ours.private, keys.oursBefore.private, guard[0].aes, guard[0].mac} {
				require.NotEmpty(t, secret)
				assert.Equal(t, make([]byte, len(secret)), secret)
			}
		})
	}
}
