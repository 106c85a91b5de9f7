package sip

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TLS ends at a relay, so one side may have it and the other not. Without relays both speak of the same connection.
func TestRFC4976_11_TransportOfEachSide(t *testing.T) {
	const plain, secure = "msrp://127.0.0.1:2855/x;tcp", "msrps://127.0.0.1:2855/x;tcp"
	side := func(path ...string) *Media {
		m := testMedia("x")
		m.Path, m.TLS, m.Address = path, path[0] == secure, "127.0.0.1:2855"
		return m
	}
	for _, c := range []struct {
		a, b *Media
		fit  bool
	}{
		{side(plain), side(plain), true},
		{side(secure), side(secure), true},
		{side(plain), side(secure), false},
		{side(plain), side(secure, plain), true}, // the example of the RFC
		{side(plain), side(secure, secure), true},
		{side(secure), side(plain, plain), false},
		{side(secure), side(secure, secure), true},
		{side(plain, plain), side(secure, secure), true},
	} {
		for _, o := range []struct{ offer, answer *Media }{{c.a, c.b}, {c.b, c.a}} {
			t.Run(fmt.Sprint(o.offer.Path, o.answer.Path), func(t *testing.T) {
				want := ErrMedia
				if c.fit {
					want = nil
				}
				o.offer.Setup = SetupActPass
				d, err := parseSDP(appendOffer(nil, origin{}, o.offer))
				require.NoError(t, err)
				chat, offer, err := d.offered(true)
				require.NoError(t, err)
				answer, err := answerTo(offer, o.answer)
				assert.ErrorIs(t, err, want)
				if !c.fit {
					answer = o.answer.clone()
					answer.Setup = SetupActive
				}
				d, err = parseSDP(appendAnswer(nil, origin{}, d, chat, answer))
				require.NoError(t, err)
				_, remote, err := d.answered(0, offer)
				assert.ErrorIs(t, err, want)
				if c.fit {
					assert.Equal(t, answer, remote)
				}
			})
		}
	}
}
