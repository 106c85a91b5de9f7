package msrp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Framing that slips must not carry a user's text or a session's URI into errors and logs.
func TestErrorsHoldNothingOfThePeers(t *testing.T) {
	const secret = "topsecret"
	for _, wire := range []string{
		secret + "\r\n", "MSRP " + secret + "\r\n", "MSRP " + secret + "/ SEND\r\n", "MSRP abcd1 " + secret + "\r\n" + paths + "-------abcd1$\r\n",
		"MSRP abcd1 SEND\r\n" + secret + "\r\n\r\n", "MSRP abcd1 SEND\r\nX " + secret + ": y\r\n\r\n", "MSRP abcd1 SEND\r\n" + paths + "X: " + secret + "\x00\r\n\r\n",
		"MSRP abcd1 SEND\r\n" + paths + "X:" + strings.Repeat(secret, 5000),
	} {
		_, _, err := readFrame(NewDecoder(strings.NewReader(wire), nil))
		require.True(t, isParseError(err), "%v", err)
		require.NotContains(t, err.Error(), secret)
	}
	for _, uri := range []string{secret, "sip://a/" + secret, "msrp://a/" + secret, "msrp://a/" + secret + ";", "msrp://a:x/" + secret + ";tcp", "msrp://a\"/" + secret + ";tcp", "msrp://[::1%" + secret + "]/x;tcp"} {
		_, err := ParseURI(uri)
		require.ErrorIs(t, err, ErrMalformed, uri)
		require.NotContains(t, err.Error(), secret)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"Not found": "Not found", "größe": "größe", "a\r\nb\x00": "a??b?", "\xff": "?", "\u009b31m": "?31m", "\u202eab\u2028": "?ab?", strings.Repeat("ä", 200): strings.Repeat("ä", 100),
	} {
		require.Equal(t, want, printable([]byte(in)))
	}
}

// With a larger HeadBytes than the room for body bytes, a head that ends with the buffer still leaves room for the body.
func TestDecodeLargeHeadsAnywhere(t *testing.T) {
	limits := &Limits{HeadBytes: 1 << 20}
	a := good("", "SEND", "X-Y: "+strings.Repeat("y", 500_000)+"\r\nMessage-ID: 456so39s\r\n", "", Complete)
	head := limits.HeadBytes - 500_000
	for _, slack := range []int{0, 1, 5, 15, 100} {
		c := good("", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", strings.Repeat("z", 200_000), Complete)
		fill := "X-Y: " + strings.Repeat("y", head-slack-strings.Index(c.wire, "zzz")-len("X-Y: \r\n")) + "\r\n"
		c = good("", "SEND", fill+"Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", c.body, Complete)
		d := NewDecoder(strings.NewReader(strings.Repeat(a.wire+c.wire, 3)), limits)
		for i := range 6 {
			want := []wireCase{a, c}[i%2]
			f, body, err := readFrame(d)
			require.NoError(t, err)
			require.Equal(t, len(want.want.Header[0].Value), len(f.Header[0].Value))
			require.Equal(t, len(want.body), len(body))
		}
	}
}

func TestDecodeSecondHeaderAfterAnEmptyOne(t *testing.T) {
	_, err := NewDecoder(strings.NewReader("MSRP d93kswow SEND\r\nTo-Path: \r\n"+paths+"-------d93kswow$\r\n"), nil).Next()
	require.ErrorIs(t, err, ErrMalformed)
}
