package tshark

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// pair connects two TCP sockets over loopback. The port is the listening side's.
func pair(t *testing.T) (dialled, accepted net.Conn, port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	dialled, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	accepted, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = dialled.Close(); _ = accepted.Close() })
	return dialled, accepted, l.Addr().(*net.TCPAddr).Port
}

// send writes each part on its own and waits until the other side has it, so that each travels in its own segment.
func send(t *testing.T, from, to net.Conn, parts ...string) {
	t.Helper()
	for _, p := range parts {
		_, err := io.WriteString(from, p)
		require.NoError(t, err)
		_, err = io.ReadFull(to, make([]byte, len(p)))
		require.NoError(t, err)
	}
}

const paths = "To-Path: msrp://127.0.0.1:2855/b;tcp\r\nFrom-Path: msrp://127.0.0.1:2855/a;tcp\r\n"

func msrpSend(id, body string) string {
	return fmt.Sprintf("MSRP %s SEND\r\n%sMessage-ID: m%s\r\nByte-Range: 1-%d/%d\r\nContent-Type: text/plain\r\n\r\n%s\r\n-------%s$\r\n",
		id, paths, id, len(body), len(body), body, id)
}

func msrpOK(id string) string { return "MSRP " + id + " 200 OK\r\n" + paths + "-------" + id + "$\r\n" }

func invite(seq int, body string) string {
	return fmt.Sprintf("INVITE sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK%[1]d\r\nMax-Forwards: 70\r\n"+
		"From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: c%[1]d\r\nCSeq: %[1]d INVITE\r\n"+
		"Contact: <sip:a@127.0.0.1;transport=tcp>\r\nContent-Type: application/sdp\r\nContent-Length: %[2]d\r\n\r\n%[3]s", seq, len(body), body)
}

const sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 2855 TCP/MSRP *\r\n" +
	"a=accept-types:text/plain\r\na=path:msrp://127.0.0.1:2855/a;tcp\r\n"

func TestMSRP(t *testing.T) {
	a, b, port := pair(t)
	rec := Capture(t, port)
	// The capture began after the handshake, so tshark must find the beginning of the stream by itself.
	whole := msrpSend("whole1", "hello, wörld")
	split := msrpSend("split1", "cut in three")
	tricky := msrpSend("tric1", "a body with\r\n-------tric1 in it\r\n-------tric12$\r\nand more")
	long := msrpSend("long1", strings.Repeat("0123456789", 20_000))
	next := msrpSend("next1", "begins in the segment before")
	send(t, a, b, whole)
	send(t, b, a, msrpOK("whole1"))
	send(t, a, b, split[:3], split[3:len(split)-2], split[len(split)-2:])
	send(t, a, b, msrpSend("two1", "one segment")+msrpSend("two2", "two frames")+next[:50], next[50:])
	send(t, b, a, msrpOK("two1")+msrpOK("two2"))
	send(t, a, b, tricky, long)
	frames, err := dissect(t, rec.Stop(), Ports{MSRP: []int{port}})
	require.NoError(t, err)

	var seen []string
	for _, f := range frames {
		seen = append(seen, f.Fields["msrp.transaction.id"][0]+" "+f.Method+strconv.Itoa(f.Status))
	}
	assert.Equal(t, []string{"whole1 SEND0", "whole1 200", "split1 SEND0", "two1 SEND0", "two2 SEND0", "next1 SEND0",
		"two1 200", "two2 200", "tric1 SEND0", "long1 SEND0"}, seen)
	assert.Equal(t, []string{"1-200000/200000"}, frames[len(frames)-1].Fields["msrp.byte.range"])
	assert.Equal(t, a.LocalAddr().String(), frames[0].Source)
	assert.Equal(t, b.LocalAddr().String(), frames[0].Destination)
}

func TestSIP(t *testing.T) {
	a, b, port := pair(t)
	c, d, other := pair(t)
	rec := Capture(t, port, other) // what the filter lets through besides must not disturb
	send(t, c, d, "something else")
	send(t, a, b, invite(1, sdp), invite(2, sdp)+invite(3, sdp), invite(4, sdp)[:200], invite(4, sdp)[200:], "\r\n\r\n")
	send(t, b, a, "\r\n", "SIP/2.0 100 Trying\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK1\r\nFrom: <sip:a@127.0.0.1>;tag=1\r\n"+
		"To: <sip:b@127.0.0.1>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
	frames, err := dissect(t, rec.Stop(), Ports{SIP: []int{port}})
	require.NoError(t, err)
	require.Len(t, frames, 5)
	for i, f := range frames[:4] {
		assert.Equal(t, "INVITE", f.Method)
		assert.Equal(t, []string{"c" + strconv.Itoa(i+1)}, f.Fields["sip.Call-ID"])
		assert.Equal(t, []string{"message 2855 TCP/MSRP *"}, f.Fields["sdp.media"])
	}
	assert.Equal(t, 100, frames[4].Status)
	assert.Equal(t, b.LocalAddr().String(), frames[4].Source)
}

func TestSIPOverUDP(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, err := net.Dial("udp", l.LocalAddr().String())
	require.NoError(t, err)
	defer c.Close()
	port := l.LocalAddr().(*net.UDPAddr).Port
	rec := Capture(t, port)
	_, err = io.WriteString(c, invite(1, sdp))
	require.NoError(t, err)
	good, err := dissect(t, rec.Stop(), Ports{SIP: []int{port}})
	require.NoError(t, err)
	require.Len(t, good, 1)
	assert.Equal(t, "INVITE", good[0].Method)
}

func TestWhatIsWrongIsFound(t *testing.T) {
	tests := []struct {
		name, protocol, sent, want string
	}{
		{"SDP line without =", "sip", invite(1, strings.Replace(sdp, "t=0", "tx0", 1)), "Malformed"},
		{"no SIP at all", "sip", "hello there\r\n\r\n", "start line"},
		{"MSRP on the SIP port", "sip", msrpSend("aaaa", "x"), "start line"},
		{"MSRP frame without end", "msrp", msrpSend("aaaa", "x")[:150], "ends inside a frame"},
		{"end-line of another transaction", "msrp", strings.Replace(msrpSend("aaaa", "x"), "-------aaaa", "-------bbbb", 1), "ends inside a frame"},
		{"bytes between frames", "msrp", msrpSend("aaaa", "x") + "\r\n" + msrpSend("bbbb", "x"), "not the beginning"},
		{"request line without method", "msrp", strings.Replace(msrpSend("aaaa", "x"), " SEND", "", 1), "understood"},
		{"nothing on the SIP port", "sip", "", "nothing was sent"},
		{"nothing on the MSRP port", "msrp", "", "nothing was sent"},
		{"SIP on the MSRP port", "msrp", invite(1, sdp), "not the beginning"},
	}
	from, to, ports := make([]net.Conn, len(tests)), make([]net.Conn, len(tests)), make([]int, len(tests))
	for i := range tests {
		from[i], to[i], ports[i] = pair(t)
	}
	rec := Capture(t, ports...)
	for i, tt := range tests {
		send(t, from[i], to[i], tt.sent)
	}
	capture := rec.Stop()
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			of := Ports{SIP: ports[i : i+1]}
			if tt.protocol == "msrp" {
				of = Ports{MSRP: ports[i : i+1]}
			}
			_, err := dissect(t, capture, of)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestCutStream(t *testing.T) {
	one, two := msrpSend("aaaa", "x"), msrpOK("aaaa")
	at := func(number int, seq int, payload string) segment {
		return segment{number: number, stream: "s", seq: uint32(seq), payload: []byte(payload)}
	}
	tests := []struct {
		name     string
		segments []segment
		want     []string
		err      string
	}{
		{"retransmitted whole", []segment{at(1, 1, one), at(2, 1, one), at(3, 1+len(one), two)}, []string{one, two}, ""},
		{"retransmitted with more behind", []segment{at(1, 1, one[:40]), at(2, 1, one+two)}, []string{one, two}, ""},
		{"out of order", []segment{at(1, 1+len(one), two), at(2, 1, one)}, []string{one, two}, ""},
		{"lost", []segment{at(1, 1, one[:40]), at(2, 60, one[59:])}, nil, "missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frames, err := cutStream(tt.segments)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			var got []string
			for _, f := range frames {
				got = append(got, string(f.payload))
			}
			assert.Equal(t, tt.want, got)
		})
	}
}
