package sip

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	secureOffer = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nSESSIONm=message 2855 TCP/TLS/MSRP *\n" +
		"a=path:msrps://192.0.2.1:2855/x;tcp\na=accept-types:*\nMEDIA"
	printMD5 = "MD5 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B"
)

func secureSDP(session, media string) string {
	line := func(values string) (lines string) {
		for v := range strings.SplitSeq(values, ",") {
			if v != "" {
				lines += "a=fingerprint:" + v + "\n"
			}
		}
		return lines
	}
	return strings.NewReplacer("SESSION", line(session), "MEDIA", line(media)).Replace(secureOffer)
}

func TestRFC8122_5_Fingerprints(t *testing.T) {
	for _, c := range []struct {
		name, session, media string
		prints               []string
	}{
		{"none", "", "", nil},
		{"media", "", printOne, []string{printOne}},
		{"session", printOne, "", []string{printOne}},
		{"media wins", printOne, printTwo, []string{printTwo}},
		{"case", "", "SHA-256 " + strings.ToLower(strings.TrimPrefix(printOne, "sha-256 ")), []string{printOne}},
		{"several", "", printOne + "," + printTwo, []string{printOne, printTwo}}, // RFC 8122 §5.1
		{"twice", "", printOne + "," + printOne, []string{printOne}},
		{"MD5", "", printMD5, nil},
		{"MD5 and better", "", printMD5 + "," + printOne, []string{printOne}},
		{"only MD5 for the line: the session's do not count", printOne, printMD5, nil},
		{"unknown hash", "", "sha-3 00:11," + printOne, []string{printOne}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := readOffered(t, secureSDP(c.session, c.media))
			assert.Equal(t, c.prints, m.Fingerprints)
			assert.Equal(t, m, readOffered(t, string(appendOffer(nil, origin{}, m))))
		})
	}
}

// What cannot be a fingerprint makes the line none that we can take, for nothing could be verified.
func TestRFC8122_5_MalformedFingerprints(t *testing.T) {
	for _, f := range []string{"sha-256", "sha-256 ", "sha-256 12:DF", "sha-256 " + strings.Repeat("zz:", 31) + "zz", strings.ReplaceAll(printOne, ":", ""),
		strings.ReplaceAll(printOne, ":", "::"), printOne + ":", strings.Replace(printOne, ":", " ", 1)} {
		d, err := parseSDP([]byte(secureSDP("", f)))
		require.NoError(t, err)
		_, _, err = d.offered(true)
		assert.ErrorIs(t, err, ErrMedia, f)
	}
	d, err := parseSDP([]byte(secureSDP("", strings.Repeat(printOne+",", maxFingerprints+1))))
	require.NoError(t, err)
	_, m, err := d.offered(true)
	require.NoError(t, err)
	assert.Equal(t, []string{printOne}, m.Fingerprints, "the same again is one")

	many := func(n int) (prints []string) {
		for i := range n {
			prints = append(prints, fmt.Sprintf("%s%02X", strings.TrimSuffix(printOne, "AD"), i))
		}
		return prints
	}
	assert.Len(t, readOffered(t, secureSDP("", strings.Join(many(maxFingerprints), ","))).Fingerprints, maxFingerprints)
	d, err = parseSDP([]byte(secureSDP("", strings.Join(many(maxFingerprints+1), ","))))
	require.NoError(t, err)
	_, _, err = d.offered(true)
	assert.ErrorIs(t, err, ErrMedia)
}

// A session-level fingerprint is about other lines where this one has no certificate, or a relay's.
func TestRFC8122_5_NotWithoutTLSNorWithRelays(t *testing.T) {
	plain := strings.NewReplacer("TCP/TLS/MSRP", "TCP/MSRP", "msrps:", "msrp:").Replace(secureSDP(printOne, ""))
	assert.Empty(t, readOffered(t, plain).Fingerprints)
	relay := strings.Replace(secureSDP(printOne, ""), "a=path:", "a=path:msrps://192.0.2.9:2855/r;tcp ", 1)
	assert.Empty(t, readOffered(t, relay).Fingerprints)
}
