package contacts_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
)

// addressCases are addresses and their normal form; no form means that the address is refused.
var addressCases = []struct{ address, normal string }{
	{"alice@example.com", "alice@example.com"},
	{"sip:alice@example.com", "alice@example.com"},
	{"SIPS:alice@EXAMPLE.com", "alice@example.com"},
	{"im:alice@example.com", "alice@example.com"},
	{"pres:alice@example.com", "alice@example.com"},
	{"sip:alice:secret@Example.com:5070;transport=tcp;lr?subject=x", "alice@example.com"},
	{"alice@example.com:5070", "alice@example.com"},
	{"sip:Alice@example.com.", "Alice@example.com"},
	{"sip:%61lice%2Ework@example.com", "alice.work@example.com"},
	{"sip:a%40b%3ac@example.com", "a%40b%3Ac@example.com"},
	{"sip:100%25@example.com", "100%25@example.com"},
	{"sip:alice%20b@example.com", "alice%20b@example.com"},
	{"sip:alice@example.com:5", "alice@example.com"},
	{"sip:alice@example.com:65535", "alice@example.com"},
	{strings.Repeat("a", contacts.MaxAddress-len("@example.com")) + "@example.com", strings.Repeat("a", contacts.MaxAddress-len("@example.com")) + "@example.com"},
	{"sip:jürgen@example.com", "j%C3%BCrgen@example.com"},
	{"sip:j%c3%bcrgen@example.com", "j%C3%BCrgen@example.com"},
	{"sip:bob;x=y?z/w@example.com", "bob;x=y?z/w@example.com"},
	{"sip:+12015550123@example.com;user=phone", "+12015550123@example.com"},
	{"sip:+1-201-555-0123@example.com;user=phone", "+1-201-555-0123@example.com"},
	{"sip:alice@example.com;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "alice@example.com"},
	{"sip:tgruu.7hs==jd7vnzga5w7fajsc7-ajd6fabz0f8g5@example.com;gr", "tgruu.7hs==jd7vnzga5w7fajsc7-ajd6fabz0f8g5@example.com"},
	{"sip:bob@127.0.0.1:5070", "bob@127.0.0.1"},
	{"sip:bob@[2001:DB8:0::1]:5070;transport=tls", "bob@[2001:db8::1]"},
	{"sip:[::1]", "[::1]"},
	{"sip:example.com", "example.com"},
	{"sip:example.com:5060", "example.com"},
	{"conference.example.com", "conference.example.com"},
	{"sip:under_score@my_host", "under_score@my_host"},
	{"sip:xn--bcher-kva.example", "xn--bcher-kva.example"},
	{"tel:+1-201-555-0123", "tel:+12015550123"},
	{"TEL:+1(201)555.0123;phone-context=x;isub=1", "tel:+12015550123"},
	{"tel:7042;phone-context=Example.com", "tel:7042;phone-context=example.com"},
	{"tel:7042;phone-context=example.com.", "tel:7042;phone-context=example.com"},
	{"tel:7042;phone-context=..", "tel:7042"},
	{"TEL:7042;PHONE-CONTEXT=example.com;tgrp=x", "tel:7042;phone-context=example.com"},
	{"tel:70-42;phone-context=+1-201;ext=1-2", "tel:7042;ext=12;phone-context=+1201"},
	{"tel:*#6a;ext=-", "tel:*#6A"},

	{"", ""},
	{"sip:", ""},
	{"sip:@example.com", ""},
	{"sip:alice@", ""},
	{"sip:alice@.", ""},
	{"sip:alice@:5060", ""},
	{"sip:alice@bob@example.com", ""},
	{"sip:alice@example.com;x=@", ""},
	{"\"Alice\" <sip:alice@example.com>", ""},
	{"<sip:alice@example.com>", ""},
	{"sip:alice@example.com>", ""},
	{" alice@example.com", ""},
	{"alice@example.com\r\nTo: eve", ""},
	{"alice@example.com;x=\n", ""},
	{"alice@example.com;x=ä", ""},
	{"al\x00ice@example.com", ""},
	{"sip:al%00ice@example.com", ""},
	{"sip:al%0d%0aice@example.com", ""},
	{"sip:alice%7f@example.com", ""},
	{"sip:al%zzice@example.com", ""},
	{"sip:al%g6ice@example.com", ""},
	{"sip:al%6gice@example.com", ""},
	{"sip:alice@example.com;x= ", ""},
	{"sip:alice@example.com;x=\x7f", ""},
	{"sip:alice%4@example.com", ""},
	{"sip:al ice@example.com", ""},
	{"sip:al\"ice@example.com", ""},
	{"sip:\xff@example.com", ""},
	{"sip:alice@exämple.com", ""},
	{"sip:alice@\u212Aelvin.com", ""}, // the Kelvin sign, k in lower case
	{"sip:alice@a..b", ""},
	{"sip:alice@.b", ""},
	{"sip:alice@b..", ""},
	{"sip:alice@a/b", ""},
	{"sip:alice@example.com:", ""},
	{"sip:alice@example.com:port", ""},
	{"sip:alice@example.com:123456", ""},
	{"sip:alice@2001:db8::1", ""},
	{"sip:alice@[2001:db8::1", ""},
	{"sip:alice@[fe80::1%25eth0]", ""},
	{"sip:alice@[fe80::1%eth0]", ""},
	{"sip:alice@[127.0.0.1]", ""},
	{"sip:alice@[::1]x", ""},
	{"mailto:alice@example.com", ""},
	{"alice:secret@example.com", ""},
	{"https://example.com", ""},
	{"tel:", ""},
	{"tel:+", ""},
	{"tel:alice@example.com", ""},
	{"tel:+12ab", ""},
	{"tel:+12015550123;m-budget=1", ""},
	{"tel:12;x=\r", ""},
	{"tel:12;x=\u212A", ""},
	{strings.Repeat("a", contacts.MaxAddress) + "@example.com", ""},
	{"sip:" + strings.Repeat("ä", 200) + "@example.com", ""}, // too long only once escaped
}

func TestNormalize(t *testing.T) {
	for _, c := range addressCases {
		t.Run(c.address, func(t *testing.T) {
			got, err := contacts.Normalize(c.address)
			assert.Equal(t, c.normal, got)
			if c.normal != "" {
				require.NoError(t, err)
				return
			}
			var bad *contacts.AddressError
			require.ErrorAs(t, err, &bad)
			assert.NotContains(t, err.Error(), "alice", "errors hold no addresses")
		})
	}
}

// A normal form is its own normal form, is short enough, and holds nothing that could break out of a
// line, a quoted string or angle brackets.
func FuzzNormalize(f *testing.F) {
	for _, c := range addressCases {
		f.Add(c.address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		once, err := contacts.Normalize(address)
		if err != nil {
			require.Empty(t, once)
			return
		}
		twice, err := contacts.Normalize(once)
		require.NoError(t, err, "%q became %q", address, once)
		require.Equal(t, once, twice)
		require.LessOrEqual(t, len(once), contacts.MaxAddress)
		require.False(t, strings.ContainsFunc(once, func(r rune) bool {
			return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>"\`, r)
		}), "%q", once)
	})
}
