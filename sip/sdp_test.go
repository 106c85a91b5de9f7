package sip

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const blinkOffer = "v=0\r\no=- 3903934 3903934 IN IP4 192.0.2.1\r\ns=Blink\r\nt=0 0\r\n" +
	"m=message 2855 TCP/TLS/MSRP *\r\nc=IN IP4 192.0.2.1\r\na=path:msrps://192.0.2.1:2855/a1b2c3;tcp\r\n" +
	"a=accept-types:message/cpim text/* image/* application/im-iscomposing+xml\r\n" +
	"a=accept-wrapped-types:text/* image/* application/im-iscomposing+xml\r\na=setup:active\r\n"

// sdpCases feed the parser's test and the fuzz seeds.
var sdpCases = []struct {
	name, sdp string
	chat      int // the line that offered chooses, -1 for none
	err       error
}{
	{"Blink", blinkOffer, 0, nil},
	{"ours", string(appendOffer(nil, origin{1, 1}, testMedia("x"))), 0, nil},
	{"LF, no last line end", strings.TrimSuffix(peerOffer, "\n"), 0, nil},
	{"lower case", strings.ReplaceAll(strings.ReplaceAll(peerOffer, "TCP/MSRP", "tcp/msrp"), "a=setup:active", "a=SETUP:Active"), 0, nil},
	{"unknown lines", "v=0\nq=?\nm=quux 9 FOO/BAR 1 2 3\na=\na=x y\n" + after(peerOffer), 1, nil},
	{"Latin-1 in s=", strings.ReplaceAll(peerOffer, "s=-", "s=\xe9"), 0, nil},
	{"no setup", strings.ReplaceAll(peerOffer, "a=setup:active\n", ""), 0, nil},
	{"setup at session level", strings.Replace(strings.ReplaceAll(peerOffer, "a=setup:active\n", ""), "t=0 0", "t=0 0\na=setup:passive", 1), 0, nil},
	{"sendrecv", peerOffer + "a=sendrecv\n", 0, nil},
	{"sendrecv wins over the session", strings.Replace(peerOffer, "t=0 0", "t=0 0\na=inactive", 1) + "a=sendrecv\n", 0, nil},
	{"odd max-size", peerOffer + "a=max-size:-3\n", 0, nil},
	{"relay", strings.ReplaceAll(peerOffer, "path:", "path:msrp://relay.example.com:2855/r;tcp "), 0, nil},
	{"second of two", strings.Replace(peerOffer, "m=message", "m=message 0 TCP/MSRP *\nm=message", 1), 1, nil},

	{"session inactive", strings.Replace(peerOffer, "t=0 0", "t=0 0\na=inactive", 1), -1, ErrMedia},
	{"file", peerOffer + "a=file-selector:name:\"x\" type:image/png\n", -1, ErrMedia},
	{"file id", peerOffer + "a=file-transfer-id:x\n", -1, ErrMedia},
	{"sendonly", peerOffer + "a=sendonly\n", -1, ErrMedia},
	{"port 0", strings.ReplaceAll(peerOffer, "2856 TCP", "0 TCP"), -1, ErrMedia},
	{"no path", strings.ReplaceAll(peerOffer, "a=path", "a=pth"), -1, ErrMedia},
	{"bad path", strings.ReplaceAll(peerOffer, "msrp://", "http://"), -1, ErrMedia},
	{"port in path", strings.ReplaceAll(peerOffer, ":2856/", ":0/"), -1, ErrMedia},
	{"long path", strings.ReplaceAll(peerOffer, "path:", "path:"+strings.Repeat("msrp://a/b;tcp ", maxPath)), -1, ErrMedia},
	{"long URI", strings.ReplaceAll(peerOffer, "/peer", "/"+strings.Repeat("p", maxURI)), -1, ErrMedia},
	{"many types", strings.ReplaceAll(peerOffer, "types:", "types:"+strings.Repeat("a/b ", maxWords)), -1, ErrMedia},
	{"no types", strings.ReplaceAll(peerOffer, "types:message/cpim text/plain", "types:"), -1, ErrMedia},
	{"scheme", strings.ReplaceAll(peerOffer, "msrp://", "msrps://"), -1, ErrMedia},
	{"audio", "v=0\nm=audio 1 RTP/AVP 0\n", -1, ErrMedia},
	{"SCTP", strings.ReplaceAll(peerOffer, "TCP/MSRP", "SCTP/MSRP"), -1, ErrMedia},

	{"empty", "", 0, errSDP},
	{"no v", strings.TrimPrefix(peerOffer, "v=0\n"), 0, errSDP},
	{"no media", "v=0\n", 0, errSDP},
	{"short media", "v=0\nm=message 1\n", 0, errSDP},
	{"no type", "v=0\nhello\n", 0, errSDP},
	{"NUL", peerOffer + "a=x:\x00\n", 0, errSDP},
	{"CR", peerOffer + "a=x:\ry\n", 0, errSDP},
	{"not UTF-8", peerOffer + "a=x:\xff\n", 0, errSDP},
	{"long", "v=0\n" + strings.Repeat("a=x\n", maxSDP), 0, errSDP},
	{"long line", peerOffer + "a=" + strings.Repeat("x", maxSDPLine) + "\n", 0, errSDP},
	{"many lines", peerOffer + strings.Repeat("a=x\n", maxSDPLines), 0, errSDP},
	{"many media", "v=0\n" + strings.Repeat("m=a 1 b c\n", maxMediaLines+1), 0, errSDP},
}

func after(sdp string) string { return strings.TrimPrefix(sdp, "v=0\n") }

func TestParseSDP(t *testing.T) {
	for _, c := range sdpCases {
		t.Run(c.name, func(t *testing.T) {
			d, err := parseSDP([]byte(c.sdp))
			if c.err == errSDP {
				require.ErrorIs(t, err, errSDP)
				return
			}
			require.NoError(t, err)
			chat, offer, err := d.offered(true)
			require.ErrorIs(t, err, c.err)
			assert.Equal(t, c.chat, chat)
			if err == nil {
				assert.NoError(t, offer.check())
			}
		})
	}
}

func TestBlinkOffer(t *testing.T) {
	d, err := parseSDP([]byte(blinkOffer))
	require.NoError(t, err)
	_, _, err = d.offered(false)
	assert.ErrorIs(t, err, ErrMedia, "TLS only where the program has it")
	_, offer, err := d.offered(true)
	require.NoError(t, err)
	assert.Equal(t, &Media{
		Path:               []string{"msrps://192.0.2.1:2855/a1b2c3;tcp"},
		AcceptTypes:        []string{"message/cpim", "text/*", "image/*", "application/im-iscomposing+xml"},
		AcceptWrappedTypes: []string{"text/*", "image/*", "application/im-iscomposing+xml"},
		Setup:              SetupActive,
		TLS:                true,
		Address:            "192.0.2.1:2855",
	}, offer)
}

func TestAppendOffer(t *testing.T) {
	m := &Media{
		Path:               []string{"msrps://[2001:db8::1]/relay;tcp", "msrps://192.0.2.1:9/x;tcp"},
		AcceptTypes:        []string{"message/cpim", "text/plain"},
		AcceptWrappedTypes: []string{"text/plain"},
		MaxSize:            1000, Setup: SetupActPass, TLS: true,
	}
	require.NoError(t, m.check())
	assert.Equal(t, "v=0\r\no=- 7 2 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\n"+
		"m=message 2855 TCP/TLS/MSRP *\r\na=path:msrps://[2001:db8::1]/relay;tcp msrps://192.0.2.1:9/x;tcp\r\n"+
		"a=accept-types:message/cpim text/plain\r\na=accept-wrapped-types:text/plain\r\na=max-size:1000\r\na=setup:actpass\r\n",
		string(appendOffer(nil, origin{7, 2}, m)))
}

func TestAnswerSetup(t *testing.T) {
	for _, c := range []struct{ offer, ours, answer Setup }{
		{SetupAbsent, SetupActPass, SetupPassive},
		{SetupAbsent, SetupPassive, SetupPassive},
		{SetupAbsent, SetupActive, ""},
		{SetupActive, SetupActPass, SetupPassive},
		{SetupActive, SetupPassive, SetupPassive},
		{SetupActive, SetupActive, ""},
		{SetupPassive, SetupActPass, SetupActive},
		{SetupPassive, SetupActive, SetupActive},
		{SetupPassive, SetupPassive, ""},
		{SetupActPass, SetupActPass, SetupActive},
		{SetupActPass, SetupActive, SetupActive},
		{SetupActPass, SetupPassive, SetupPassive},
		{SetupHoldConn, SetupActPass, ""},
		{"nonsense", SetupActPass, ""},
		{SetupActPass, SetupAbsent, ""},
	} {
		t.Run(fmt.Sprintf("%s,%s", c.offer, c.ours), func(t *testing.T) {
			answer, err := AnswerSetup(c.offer, c.ours)
			assert.Equal(t, c.answer, answer)
			assert.Equal(t, c.answer == "", err != nil)
			if err != nil {
				assert.ErrorIs(t, err, ErrMedia)
			}
		})
	}
}

func TestAnsweredSetup(t *testing.T) {
	for _, c := range []struct{ offer, answer, local, remote Setup }{
		{SetupActPass, SetupPassive, SetupActive, SetupPassive},
		{SetupActPass, SetupActive, SetupPassive, SetupActive},
		{SetupActPass, SetupAbsent, SetupActive, SetupPassive},
		{SetupActive, SetupPassive, SetupActive, SetupPassive},
		{SetupActive, SetupAbsent, SetupActive, SetupPassive},
		{SetupPassive, SetupActive, SetupPassive, SetupActive},
		{SetupActive, SetupActive, "", ""},
		{SetupPassive, SetupPassive, "", ""},
		{SetupPassive, SetupAbsent, "", ""},
		{SetupActPass, SetupActPass, "", ""},
	} {
		t.Run(fmt.Sprintf("%s,%s", c.offer, c.answer), func(t *testing.T) {
			ours, theirs := testMedia("a"), testMedia("b")
			ours.Setup, theirs.Setup = c.offer, c.answer
			d, err := parseSDP(appendOffer(nil, origin{}, theirs))
			require.NoError(t, err)
			local, remote, err := d.answered(0, ours)
			if c.local == "" {
				assert.ErrorIs(t, err, ErrMedia)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.local, local.Setup)
			assert.Equal(t, c.remote, remote.Setup)
			assert.Equal(t, c.offer, ours.Setup, "the offer is not touched")
		})
	}
}

// FuzzParseSDP: no input panics. What is accepted can be offered again and answered; the answer parses with the same lines in the same
// order, and nothing of the offer has made a line that we did not write. The same holds for the answer read as one to an offer of ours.
func FuzzParseSDP(f *testing.F) {
	for _, c := range sdpCases {
		f.Add([]byte(c.sdp))
	}
	f.Add([]byte(secureSDP(printOne+","+printMD5, printTwo)))
	f.Add([]byte(peerOffer + "a=chatroom:nickname\na=msrp-cema\na=sendonly\nc=IN IP6 ::1\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parseSDP(body)
		if err != nil {
			return
		}
		for i := range d.media {
			fuzzAnswer(t, d, i)
		}
		chat, offer, err := d.reoffered(0, testMedia("other"), true)
		if err != nil {
			return
		}
		again, err := parseSDP(appendOffer(nil, origin{}, offer))
		require.NoError(t, err)
		_, same, err := again.reoffered(0, offer, true)
		require.NoError(t, err)
		assert.Equal(t, offer, same)

		ours := testMedia("ours")
		out := appendAnswer(nil, origin{}, d, chat, ours)
		if len(out) > maxSDP {
			return // as many lines as an offer may have, made longer by CR
		}
		checkLines(t, out, len(d.media))
		answer, err := parseSDP(out)
		require.NoError(t, err)
		require.Len(t, answer.media, len(d.media))
		for i, l := range answer.media {
			assert.Equal(t, i != chat, l.port == "0")
			if i != chat {
				assert.Equal(t, d.media[i].media+d.media[i].protocol+d.media[i].formats, l.media+l.protocol+l.formats)
			}
		}
	})
}

// fuzzAnswer reads a media line as the answer to an offer of ours.
func fuzzAnswer(t *testing.T, d *description, i int) {
	for _, change := range []func(*Media){func(m *Media) { m.Setup = SetupActPass }, func(m *Media) { secure(m); m.Setup = SetupActive }} {
		local, remote, err := d.reanswered(i, media(change), nil, nil)
		if err != nil {
			continue
		}
		assert.Equal(t, local.Setup, remote.Setup.opposite())
		checkLines(t, appendOffer(nil, origin{}, remote), 1)
	}
}

// checkLines makes sure that a description has the lines that we write, each ended by CRLF and without another CR or LF.
func checkLines(t *testing.T, sdp []byte, media int) {
	lines := strings.Split(string(sdp), "\r\n")
	require.Empty(t, lines[len(lines)-1])
	chats := 0
	for i, l := range lines[:len(lines)-1] {
		require.NotContains(t, l, "\n")
		require.NotContains(t, l, "\r")
		require.NotContains(t, l, "\x00")
		switch want := "vosct"; {
		case i < len(want):
			require.Equal(t, want[i:i+1]+"=", l[:2])
		case strings.HasPrefix(l, "m="):
			media--
		default:
			require.True(t, strings.HasPrefix(l, "a="), l)
		}
		if strings.HasPrefix(l, "a=path:") {
			chats++
		}
	}
	require.Zero(t, media)
	require.Equal(t, 1, chats)
}
