package sip

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// side makes a CEMA side, with a relay or without.
func cemaSide(relay bool, setup Setup) *Media {
	return media(func(m *Media) {
		m.CEMA, m.Setup = true, setup
		if relay {
			m.Path = append([]string{"msrp://192.0.2.9:2855/relay;tcp"}, m.Path...)
		}
	})
}

func TestRFC6714_4_3_Answerer(t *testing.T) {
	for _, c := range []struct {
		name        string
		offer, ours *Media
		offerer     bool // goes by the offerer's c= and m=
		answerer    bool // says a=msrp-cema
	}{
		{"no relays, we connect", cemaSide(false, SetupActPass), cemaSide(false, SetupAbsent), true, true},
		{"no relays, they connect", cemaSide(false, SetupActPass), cemaSide(false, SetupPassive), true, true},
		{"we do not want it", cemaSide(false, SetupActPass), testMedia("x"), false, false},
		{"they do not want it", testMedia("x"), cemaSide(false, SetupAbsent), false, false},
		{"two relays", cemaSide(true, SetupActPass), cemaSide(true, SetupPassive), false, false},
		{"their relay, they connect", cemaSide(true, SetupActPass), cemaSide(false, SetupPassive), false, false},
		{"their relay, we connect", cemaSide(true, SetupActPass), cemaSide(false, SetupActive), true, true},
		{"our relay, we would connect", cemaSide(false, SetupActPass), cemaSide(true, SetupActive), false, false},
		{"our relay, they connect", cemaSide(false, SetupActPass), cemaSide(true, SetupPassive), false, true}, // by the path, RFC 6714 §4.2
	} {
		t.Run(c.name, func(t *testing.T) {
			sdp, local, answer, err := answers(t, c.offer, c.ours)
			require.NoError(t, err)
			assert.Equal(t, c.answerer, answer.CEMA)
			assert.Equal(t, c.answerer, strings.Contains(sdp, "\r\na=msrp-cema\r\n"))
			assert.Equal(t, c.offerer, local.CEMA)
		})
	}
}

func TestRFC6714_4_2_OfferWithARelay(t *testing.T) {
	_, err := offerOf(cemaSide(true, SetupActive))
	assert.ErrorIs(t, err, ErrMedia)
	_, err = reofferOf(cemaSide(true, SetupActive))
	assert.NoError(t, err, "the roles are agreed then")
	o, err := offerOf(cemaSide(true, SetupAbsent))
	require.NoError(t, err)
	sdp := string(appendOffer(nil, origin{}, o))
	for _, line := range []string{"c=IN IP4 192.0.2.9", "m=message 2855 TCP/MSRP *", "a=setup:actpass", "a=msrp-cema"} {
		assert.Contains(t, sdp, "\r\n"+line+"\r\n", "the relay's address")
	}
}

func TestRFC6714_4_4_Address(t *testing.T) {
	const path = "127.0.0.1:2856"
	for _, c := range []struct{ connection, port, address string }{
		{"IN IP4 192.0.2.7", "7394", "192.0.2.7:7394"},
		{"in ip4 192.0.2.7", "7394", "192.0.2.7:7394"},
		{"IN IP6 2001:db8::7", "7394", "[2001:db8::7]:7394"},
		{"IN IP4 box.example.com", "7394", "box.example.com:7394"},
		{"IN IP4 192.0.2.7", "7394/2", "192.0.2.7:7394"},
		{"IN IP4 0.0.0.0", "7394", path}, // hold, as RFC 2543 had it
		{"IN IP6 ::", "7394", path},
		{"IN IP4 233.252.0.1/127", "7394", path},
		{"IN IP4 233.252.0.1", "7394", path},
		{"IN IP6 fe80::1%eth0", "7394", path},
		{"IN IP4 a,b", "7394", path},
		{"ATM NSAP 47", "7394", path},
		{"IN IP4", "7394", path},
		{"IN IP4 192.0.2.7", "70000", path},
		{"IN IP4 192.0.2.7", "x", path},
	} {
		sdp := strings.NewReplacer("c=IN IP4 127.0.0.1", "c="+c.connection, "message 2856", "message "+c.port).Replace(peerOffer)
		assert.Equal(t, c.address, readOffered(t, sdp).Address, "%v", c)
	}
	m := readOffered(t, peerOffer+"c=IN IP4 192.0.2.8\n")
	assert.Equal(t, "192.0.2.8:2856", m.Address, "that of the media line wins")
	ours := media(func(m *Media) { m.Address = "[2001:db8::1]:9" })
	require.NoError(t, ours.check())
	sdp := string(appendOffer(nil, origin{}, ours))
	assert.Contains(t, sdp, "\r\nc=IN IP6 2001:db8::1\r\n")
	assert.Contains(t, sdp, "\r\nm=message 9 TCP/MSRP *\r\na=path:msrp://127.0.0.1:2855/x;tcp\r\n")
}
