package sip

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	printOne = "sha-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD"
	printTwo = "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB"
)

// media makes a side from testMedia.
func media(change func(*Media)) *Media {
	m := testMedia("x")
	change(m)
	return m
}

// readOffered is what the first chat of an offer says.
func readOffered(t *testing.T, sdp string) *Media {
	t.Helper()
	d, err := parseSDP([]byte(sdp))
	require.NoError(t, err)
	_, m, err := d.offered(true)
	require.NoError(t, err)
	return m
}

// answers negotiates: what each side has after the answer.
func answers(t *testing.T, offer, ours *Media) (sdp string, offerer, answerer *Media, err error) {
	t.Helper()
	o, err := offerOf(offer)
	require.NoError(t, err)
	d, err := parseSDP(appendOffer(nil, origin{1, 1}, o))
	require.NoError(t, err)
	chat, offered, err := d.offered(true)
	require.NoError(t, err)
	answer, err := answerTo(offered, ours)
	if err != nil {
		return "", nil, nil, err
	}
	sdp = string(appendAnswer(nil, origin{2, 1}, d, chat, answer))
	d, err = parseSDP([]byte(sdp))
	require.NoError(t, err)
	local, _, err := d.answered(chat, o)
	require.NoError(t, err)
	return sdp, local, answer, nil
}

// Nothing that an application hands in can start a line, or a word, of its own.
func TestMediaCheck(t *testing.T) {
	for name, change := range map[string]func(*Media){
		"line in path":         func(m *Media) { m.Path = []string{"msrp://127.0.0.1:1/x;tcp\r\na=evil"} },
		"blank in path":        func(m *Media) { m.Path = []string{"msrp://127.0.0.1:1/x;tcp msrp://evil:1/x;tcp"} },
		"host with comma":      func(m *Media) { m.Path = []string{"msrp://a,b:1/x;tcp"} },
		"host with zone":       func(m *Media) { m.Path = []string{"msrp://[fe80::1%25eth0]:1/x;tcp"} },
		"line in type":         func(m *Media) { m.AcceptTypes = []string{"text/plain\na=evil"} },
		"line in wrapped type": func(m *Media) { m.AcceptWrappedTypes = []string{"text/plain\ra=evil"} },
		"empty type":           func(m *Media) { m.AcceptTypes = []string{""} },
		"long type":            func(m *Media) { m.AcceptTypes = []string{strings.Repeat("x", maxWord+1)} },
		"line in Address":      func(m *Media) { m.Address = "127.0.0.1\r\na=evil:1" },
		"line in port":         func(m *Media) { m.Address = "127.0.0.1:1\n" },
		"port 0":               func(m *Media) { m.Address = "127.0.0.1:0" },
		"port of a name":       func(m *Media) { m.Address = "127.0.0.1:http" },
		"no port":              func(m *Media) { m.Address = "127.0.0.1" },
		"TTL in Address":       func(m *Media) { m.Address = "224.0.0.1/127:1" },
		"zone in Address":      func(m *Media) { m.Address = "[fe80::1%eth0]:1" },
		"line in chatroom":     func(m *Media) { m.Chatroom = []string{"nickname\r\na=evil"} },
		"blank in chatroom":    func(m *Media) { m.Chatroom = []string{"nick name"} },
		"many in chatroom":     func(m *Media) { m.Chatroom = make([]string, maxWords+1) },
		"direction":            func(m *Media) { m.Direction = "sendonly\r\na=evil" },
		"sendrecv":             func(m *Media) { m.Direction = "sendrecv" }, // it is the zero value
		"setup":                func(m *Media) { m.Setup = "active\r\na=evil" },
		"plain fingerprint":    func(m *Media) { m.Fingerprints = []string{printOne} },
		"line in fingerprint":  func(m *Media) { secure(m); m.Fingerprints = []string{printOne + "\r\na=evil"} },
		"MD5":                  func(m *Media) { secure(m); m.Fingerprints = []string{"md5 " + strings.Repeat("00:", 15) + "00"} },
		"MD2":                  func(m *Media) { secure(m); m.Fingerprints = []string{"md2 " + strings.Repeat("00:", 15) + "00"} },
		"unknown hash":         func(m *Media) { secure(m); m.Fingerprints = []string{"sha-9 00"} },
		"short fingerprint":    func(m *Media) { secure(m); m.Fingerprints = []string{"sha-256 00:01"} },
		"lower case":           func(m *Media) { secure(m); m.Fingerprints = []string{strings.ToLower(printOne)} },
		"many fingerprints":    func(m *Media) { secure(m); m.Fingerprints = make([]string, maxFingerprints+1) },
		"relay's fingerprint": func(m *Media) {
			secure(m)
			m.Path = append([]string{"msrps://relay.example.com:2855/r;tcp"}, m.Path...)
			m.Fingerprints = []string{printOne}
		},
	} {
		t.Run(name, func(t *testing.T) { assert.ErrorIs(t, media(change).check(), ErrMedia) })
	}
}

func secure(m *Media) {
	m.TLS, m.Path = true, []string{"msrps://127.0.0.1:2855/x;tcp"}
}

// Of several attributes that may stand only once the first one counts, so that nobody after the sender can add one that does.
func TestDuplicateAttributes(t *testing.T) {
	m := readOffered(t, peerOffer+"a=path:msrp://192.0.2.66:1/evil;tcp\na=accept-types:*\na=setup:passive\nc=IN IP4 192.0.2.66\nc=IN IP4 192.0.2.67\n"+
		"a=max-size:10\na=max-size:20\na=sendrecv\na=inactive\n")
	assert.Equal(t, []string{"msrp://127.0.0.1:2856/peer;tcp"}, m.Path)
	assert.Equal(t, []string{"message/cpim", "text/plain"}, m.AcceptTypes)
	assert.Equal(t, SetupActive, m.Setup)
	assert.Equal(t, int64(10), m.MaxSize)
	assert.Equal(t, "192.0.2.66:2856", m.Address, "that of the media line, the first one")
}

func TestRFC3264_6_AnswerKeepsLinesAndTiming(t *testing.T) {
	const lines = "m=audio 4000 RTP/AVP 0 8\na=group:BUNDLE 1 2\na=mid:1\nm=quux 9/2 FOO/BAR 1 2 3\nm=message 2855 TCP/TLS/MSRP *\n"
	offer := strings.Replace(peerOffer, "t=0 0\n", "t=3034423619 3042462419\na=group:BUNDLE 1 2\n"+lines, 1) + "a=mid:2\nm=message 1 TCP/MSRP *\n"
	d, err := parseSDP([]byte(offer))
	require.NoError(t, err)
	chat, offered, err := d.offered(false)
	require.NoError(t, err)
	assert.Equal(t, 3, chat)
	ours, err := answerTo(offered, testMedia("ours"))
	require.NoError(t, err)
	answer := string(appendAnswer(nil, origin{1, 1}, d, chat, ours))
	var got []string
	for l := range strings.Lines(answer) {
		if strings.HasPrefix(l, "m=") || strings.HasPrefix(l, "t=") {
			got = append(got, strings.TrimSuffix(l, "\r\n"))
		}
	}
	assert.Equal(t, []string{
		"t=3034423619 3042462419", "m=audio 0 RTP/AVP 0 8", "m=quux 0 FOO/BAR 1 2 3", "m=message 0 TCP/TLS/MSRP *", "m=message 2855 TCP/MSRP *", "m=message 0 TCP/MSRP *",
	}, got)
	assert.NotContains(t, answer, "BUNDLE")
	assert.NotContains(t, answer, "a=mid")

	for _, odd := range []string{"t=", "t=1", "t=1 2 3", "t=x y", "t=" + strings.Repeat("1", 30) + " 0"} {
		d, err := parseSDP([]byte(strings.Replace(peerOffer, "t=0 0", odd, 1)))
		require.NoError(t, err)
		assert.Contains(t, string(appendAnswer(nil, origin{1, 1}, d, 0, ours)), "\r\nt=0 0\r\n", odd)
	}
}

func TestRFC3264_8_VersionCountsChanges(t *testing.T) {
	o := origin{id: 7, version: 1}
	write := func(m *Media) func(origin) []byte { return func(o origin) []byte { return appendOffer(nil, o, m) } }
	first := appendOffer(nil, o, testMedia("x"))
	assert.Equal(t, string(first), string(o.revise(first, write(testMedia("x")))))
	assert.Equal(t, origin{7, 1}, o)
	second := o.revise(first, write(media(func(m *Media) { m.MaxSize = 1 })))
	assert.Contains(t, string(second), "\r\no=- 7 2 IN IP4 127.0.0.1\r\n")
	assert.Equal(t, string(second), string(o.revise(second, write(media(func(m *Media) { m.MaxSize = 1 })))))
	third := o.revise(second, write(testMedia("x")))
	assert.Equal(t, strings.Replace(string(first), " 7 1 ", " 7 3 ", 1), string(third))
}

// Hold: what a side wants meets what the other side offers.
func TestRFC3264_6_1_AnswerMirrorsTheDirection(t *testing.T) {
	for _, c := range []struct{ offer, ours, answer Direction }{
		{SendRecv, SendRecv, SendRecv},
		{SendOnly, SendRecv, RecvOnly},
		{RecvOnly, SendRecv, SendOnly},
		{Inactive, SendRecv, Inactive},
		{SendRecv, SendOnly, SendOnly}, // we hold them
		{SendOnly, SendOnly, Inactive}, // each holds the other
		{RecvOnly, SendOnly, SendOnly},
		{SendRecv, Inactive, Inactive},
		{SendOnly, RecvOnly, RecvOnly},
	} {
		assert.Equal(t, c.answer, c.offer.answer(c.ours), "%q %q", c.offer, c.ours)
	}
}

// A re-offer with another direction, other types or another size names the same session, and the roles stay.
func TestRFC3264_8_4_HoldKeepsTheSession(t *testing.T) {
	remote := readOffered(t, peerOffer)
	local, err := answerTo(remote, testMedia("ours"))
	require.NoError(t, err)
	require.Equal(t, SetupPassive, local.Setup)
	for name, c := range map[string]struct {
		sdp       string
		direction Direction
	}{
		"hold":          {peerOffer + "a=sendonly\n", RecvOnly},
		"inactive":      {peerOffer + "a=inactive\n", Inactive},
		"held session":  {strings.Replace(peerOffer, "t=0 0\n", "t=0 0\na=sendonly\n", 1), RecvOnly},
		"types":         {strings.Replace(peerOffer, "message/cpim ", "", 1), SendRecv},
		"size":          {peerOffer + "a=max-size:9\n", SendRecv},
		"without setup": {strings.Replace(peerOffer, "a=setup:active\n", "", 1), SendRecv},
		"actpass":       {strings.Replace(peerOffer, "setup:active", "setup:actpass", 1), SendRecv},
		"c= of 0.0.0.0": {strings.Replace(peerOffer, "c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0", 1), SendRecv},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := parseSDP([]byte(c.sdp))
			require.NoError(t, err)
			chat, offer, err := d.reoffered(0, remote, false)
			require.NoError(t, err)
			assert.Zero(t, chat)
			assert.True(t, sameSession(offer, remote))
			answer, err := reanswerTo(offer, testMedia("ours"), local)
			require.NoError(t, err)
			assert.Equal(t, SetupPassive, answer.Setup)
			assert.Equal(t, c.direction, answer.Direction)
		})
	}
}

// A peer that says nothing of the roles leaves them, also where we are the active one.
func TestRFC4975_8_5_RolesStay(t *testing.T) {
	remote := readOffered(t, strings.Replace(peerOffer, "setup:active", "setup:passive", 1))
	local, err := answerTo(remote, testMedia("ours"))
	require.NoError(t, err)
	require.Equal(t, SetupActive, local.Setup)
	d, err := parseSDP([]byte(strings.Replace(peerOffer, "a=setup:active\n", "", 1)))
	require.NoError(t, err)
	_, offer, err := d.reoffered(0, remote, false)
	require.NoError(t, err)
	answer, err := reanswerTo(offer, testMedia("ours"), local)
	require.NoError(t, err)
	assert.Equal(t, SetupActive, answer.Setup)

	// The same where we offer again and the peer chooses the other role.
	for _, ours := range []Setup{SetupAbsent, SetupActive, SetupPassive} {
		for _, theirs := range []string{"a=setup:active\n", "a=setup:passive\n", "a=setup:actpass\n", ""} {
			again, err := reofferOf(media(func(m *Media) { m.Path, m.Setup = local.Path, ours }))
			require.NoError(t, err)
			d, err := parseSDP([]byte(strings.Replace(peerOffer, "a=setup:active\n", theirs, 1)))
			require.NoError(t, err)
			l, r, err := d.reanswered(0, again, local, remote)
			require.NoError(t, err, theirs)
			assert.Equal(t, []Setup{SetupActive, SetupPassive}, []Setup{l.Setup, r.Setup}, theirs)
		}
	}

	// A new session has new roles.
	again, err := reofferOf(testMedia("ours"))
	require.NoError(t, err)
	d, err = parseSDP([]byte(peerOffer))
	require.NoError(t, err)
	l, r, err := d.reanswered(0, again, local, testMedia("other"))
	require.NoError(t, err)
	assert.Equal(t, []Setup{SetupPassive, SetupActive}, []Setup{l.Setup, r.Setup})
}

// A one-way session is no chat to begin with, whoever says so.
func TestOneWayDoesNotOpen(t *testing.T) {
	held := media(func(m *Media) { m.Direction = SendOnly })
	_, err := offerOf(held)
	assert.ErrorIs(t, err, ErrMedia)
	_, err = answerTo(readOffered(t, peerOffer), held)
	assert.ErrorIs(t, err, ErrMedia)
	o, err := reofferOf(held)
	require.NoError(t, err)
	assert.Contains(t, string(appendOffer(nil, origin{}, o)), "\r\na=sendonly\r\na=accept-types:")
	d, err := parseSDP([]byte(peerSDP + "a=recvonly\n"))
	require.NoError(t, err)
	ours, err := offerOf(testMedia("ours"))
	require.NoError(t, err)
	_, _, err = d.answered(0, ours)
	assert.ErrorIs(t, err, ErrMedia)
}

// The answer to our hold: a peer that forgets to mirror it is held all the same.
func TestRFC3264_8_4_AnswerToHold(t *testing.T) {
	for _, c := range []struct {
		ours          Direction
		said          string
		local, remote Direction
	}{
		{SendOnly, "recvonly", SendOnly, RecvOnly},
		{SendOnly, "sendrecv", SendOnly, RecvOnly},
		{SendOnly, "inactive", Inactive, Inactive},
		{Inactive, "sendrecv", Inactive, Inactive},
		{SendRecv, "sendonly", RecvOnly, SendOnly}, // the peer still holds us
		{SendRecv, "sendrecv", SendRecv, SendRecv},
	} {
		t.Run(fmt.Sprintf("%s,%s", c.ours, c.said), func(t *testing.T) {
			offer, err := reofferOf(media(func(m *Media) { m.Direction = c.ours }))
			require.NoError(t, err)
			d, err := parseSDP([]byte(peerSDP + "a=" + c.said + "\n"))
			require.NoError(t, err)
			local, remote, err := d.reanswered(0, offer, nil, nil)
			require.NoError(t, err)
			assert.Equal(t, c.local, local.Direction)
			assert.Equal(t, c.remote, remote.Direction)
		})
	}
}

func TestSameSession(t *testing.T) {
	prints := func(f ...string) *Media { return media(func(m *Media) { secure(m); m.Fingerprints = f }) }
	for _, c := range []struct {
		name string
		a, b *Media
		same bool
	}{
		{"all else", testMedia("x"), media(func(m *Media) {
			m.AcceptTypes, m.MaxSize, m.Setup, m.Direction, m.Address, m.Chatroom = []string{"*"}, 7, SetupPassive, Inactive, "[::1]:1", []string{"nickname"}
		}), true},
		{"path", testMedia("x"), testMedia("y"), false},
		{"relay", testMedia("x"), media(func(m *Media) { m.Path = append([]string{"msrp://192.0.2.1:1/r;tcp"}, m.Path...) }), false},
		{"order of fingerprints", prints(printOne, printTwo), prints(printTwo, printOne), true},
		{"fingerprint", prints(printOne), prints(printTwo), false},
		{"no fingerprint", prints(printOne), prints(), false},
	} {
		assert.Equal(t, c.same, sameSession(c.a, c.b), c.name)
		assert.Equal(t, c.same, sameSession(c.b, c.a), c.name)
	}
}

// The largest message that each side takes is told to the other, in offer and answer.
func TestRFC4975_8_6_MaxSizeBothWays(t *testing.T) {
	offer, ours := media(func(m *Media) { m.MaxSize = 9 }), media(func(m *Media) { m.MaxSize = 1 << 40 })
	assert.Equal(t, int64(9), readOffered(t, string(appendOffer(nil, origin{1, 1}, offer))).MaxSize)
	sdp, _, _, err := answers(t, offer, ours)
	require.NoError(t, err)
	assert.Contains(t, sdp, "\r\na=max-size:1099511627776\r\n")
	sdp, _, _, err = answers(t, offer, testMedia("x"))
	require.NoError(t, err)
	assert.NotContains(t, sdp, "max-size", "ours has no limit, whatever theirs is")
}

// The line of a file transfer keeps its place with port 0, and the chat beside it is taken; alone it makes no session.
func TestRFC5547_6_FileTransferIsDeclined(t *testing.T) {
	for _, attribute := range []string{"file-selector:name:\"x\" size:1", "file-transfer-id:aCQYuBRVoUPGVsFZkCK98vzcX2FXDIk2"} {
		file := "m=message 2855 TCP/MSRP *\na=path:msrp://127.0.0.1:2855/f;tcp\na=accept-types:*\na=" + attribute + "\n"
		d, err := parseSDP([]byte("v=0\n" + file + after(peerOffer)))
		require.NoError(t, err)
		chat, offered, err := d.offered(false)
		require.NoError(t, err)
		assert.Equal(t, 1, chat)
		ours, err := answerTo(offered, testMedia("ours"))
		require.NoError(t, err)
		answer, err := parseSDP(appendAnswer(nil, origin{1, 1}, d, chat, ours))
		require.NoError(t, err)
		require.Len(t, answer.media, 2)
		assert.Equal(t, "0", answer.media[0].port)
		assert.NotEqual(t, "0", answer.media[1].port)

		d, err = parseSDP([]byte("v=0\n" + file))
		require.NoError(t, err)
		_, _, err = d.offered(false)
		assert.ErrorIs(t, err, ErrMedia)
	}
}

// Which line of a further offer is the chat.
func TestRFC3264_8_ReofferedLine(t *testing.T) {
	const file = "m=message 2855 TCP/MSRP *\na=path:msrp://127.0.0.1:2855/f;tcp\na=accept-types:*\na=file-selector:name:\"x\"\na=sendonly\n"
	other := strings.ReplaceAll(after(peerOffer), "/peer;", "/other;")
	remote := readOffered(t, peerOffer)
	for _, c := range []struct {
		name  string
		sdp   string
		was   int
		index int
		path  string // the session, empty for none
	}{
		{"as it was", peerOffer, 0, 0, "peer"},
		{"a stream is added", peerOffer + "m=audio 4000 RTP/AVP 0\n", 0, 0, "peer"},
		{"another chat on a line that was free", "v=0\n" + other + after(peerOffer), 1, 1, "peer"},
		{"a file on a line that was free", "v=0\n" + file + after(peerOffer), 1, 1, "peer"},
		{"ours on a line that was free", "v=0\nm=message 0 TCP/MSRP *\nm=audio 0 RTP/AVP 0\n" + after(peerOffer), 0, 2, "peer"},
		{"moved", "v=0\n" + other, 0, 0, "other"},
		{"moved, and another chat before it", "v=0\n" + strings.ReplaceAll(other, "/other;", "/third;") + other, 1, 1, "other"},
		{"moved to another line", "v=0\nm=message 0 TCP/MSRP *\n" + other, 0, 1, "other"},
		{"removed", "v=0\nm=message 0 TCP/MSRP *\n", 0, -1, ""},
		{"removed, and a file", "v=0\nm=message 0 TCP/MSRP *\n" + file, 0, -1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := parseSDP([]byte(c.sdp))
			require.NoError(t, err)
			index, offer, err := d.reoffered(c.was, remote, false)
			assert.Equal(t, c.index, index)
			if c.path == "" {
				assert.ErrorIs(t, err, ErrMedia)
				assert.Nil(t, offer)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []string{"msrp://127.0.0.1:2856/" + c.path + ";tcp"}, offer.Path)
		})
	}
}

func TestRFC4975_8_6_TypesInCommon(t *testing.T) {
	list := strings.Fields
	for _, c := range []struct {
		offer, wrapped, ours string
		fit                  bool
	}{
		{"message/cpim", "", "message/cpim", true},
		{"Text/Plain", "", "text/plain", true},
		{"text/plain;charset=utf-8", "", "text/plain", true},
		{"*", "", "text/plain", true},
		{"text/*", "", "text/plain", true},
		{"text/plain", "", "text/*", true},
		{"image/*", "", "text/*", false},
		{"message/cpim", "text/plain", "text/plain", true}, // inside a container
		{"image/png", "", "message/cpim text/plain", false},
		{"text", "", "text/plain", false},
	} {
		offer := media(func(m *Media) { m.AcceptTypes, m.AcceptWrappedTypes = list(c.offer), list(c.wrapped) })
		ours := media(func(m *Media) { m.AcceptTypes, m.AcceptWrappedTypes = list(c.ours), nil })
		sdp, _, _, err := answers(t, offer, ours)
		if !c.fit {
			assert.ErrorIs(t, err, ErrMedia, "%v", c)
			continue
		}
		require.NoError(t, err, "%v", c)
		assert.Contains(t, sdp, "a=accept-types:"+c.ours+"\r\n", "an answer lists what the answerer takes")
	}
}

func TestRFC7701_8_Chatroom(t *testing.T) {
	for wire, words := range map[string][]string{
		"":                                       nil,
		"a=chatroom\n":                           {},
		"a=chatroom:\n":                          {},
		"a=chatroom:nickname\n":                  {"nickname"},
		"a=Chatroom:nickname private-messages\n": {"nickname", "private-messages"},
	} {
		m := readOffered(t, peerOffer+wire)
		assert.Equal(t, words, m.Chatroom, wire)
		assert.Equal(t, words, m.clone().Chatroom, wire)
		assert.Equal(t, words, readOffered(t, string(appendOffer(nil, origin{}, m))).Chatroom, wire)
	}
}
