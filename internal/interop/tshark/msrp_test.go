package tshark_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/tshark"
	"github.com/otrchat/otrchat/msrp"
)

const (
	bob   = "msrp://bob.example.com:8888/9di4eae923wzd;tcp"
	alice = "msrps://alice@intra.example.com:2855/a+b/c=;tcp;x=1 msrp://[2001:db8::1]:7777/iau39soe2843z;tcp"
)

type frame struct {
	msrp.Frame
	body string
}

// everyFrame has every method, every status code, every header and every continuation flag that package msrp can write.
func everyFrame() []*frame {
	frames := []*frame{
		send(msrp.Complete, "Hey Bob, are you there?"), send(msrp.More, "abcd"), send(msrp.Aborted, "ef"), send(msrp.Complete, ""),
		send(msrp.Complete, "größe 😀"), send(msrp.Complete, "\r\n\r\nMSRP x SEND\r\n x-------other$\r\n"), send(msrp.Complete, strings.Repeat("0123456789", 6000)),
		{Frame: msrp.Frame{Method: b(msrp.MethodSend), MessageID: b("bind1234"), ByteRange: msrp.ByteRange{Start: 1, End: 0, Total: 0}}},
		{Frame: msrp.Frame{Method: b(msrp.MethodSend), MessageID: b("gone1234"), ByteRange: msrp.ByteRange{Start: 7, End: msrp.Unknown, Total: msrp.Unknown}, Continuation: msrp.Aborted}},
		{Frame: msrp.Frame{Method: b(msrp.MethodReport), MessageID: b("12339sdqwer"), ByteRange: msrp.ByteRange{Start: 1, End: 39, Total: 39}, StatusHeader: b("000 200 OK")}},
		{Frame: msrp.Frame{Method: b(msrp.MethodReport), MessageID: b("12339sdqwer"), ByteRange: msrp.ByteRange{Start: 1, End: 39, Total: 39}, StatusHeader: b("000 413 Stop Sending")}},
	}
	nickname := &frame{Frame: msrp.Frame{Method: b(msrp.MethodNickname)}}
	nickname.Add("Use-Nickname", msrp.Quote(`Alice "the great"`))
	auth := &frame{Frame: msrp.Frame{Method: b(msrp.MethodAuth)}}
	auth.Add("Authorization", `Digest username="Alice", realm="intra.example.com", nonce="dcd98b71", qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae4"`)
	auth.Add("Expires", "900")
	challenge := response(401)
	challenge.Add("WWW-Authenticate", `Digest realm="intra.example.com", qop="auth", nonce="dcd98b71"`)
	granted := response(200)
	granted.Add("Use-Path", "msrps://extra.example.com;tcp msrps://intra.example.com:9000/jui787s2f;tcp")
	granted.Add("Authentication-Info", `nextnonce="40f2e879", rspauth="7327570c", cnonce="0a4f113b", nc=00000001, qop=auth`)
	granted.Add("Expires", "900")
	bounds := response(423)
	bounds.Add("Min-Expires", "60")
	bounds.Add("Max-Expires", "3600")
	frames = append(frames, nickname, &frame{Frame: msrp.Frame{Method: b(msrp.MethodAuth)}}, auth, challenge, granted, bounds)
	for _, code := range []int{200, 400, 403, 404, 408, 413, 415, 423, 424, 425, 428, 481, 501, 506} {
		frames = append(frames, response(code))
	}
	for i, f := range frames {
		f.TransactionID, f.ToPath, f.FromPath = b("tx.-+%="+strconv.Itoa(1000+i)), b(bob), b(alice)
		if f.Continuation == 0 {
			f.Continuation = msrp.Complete
		}
	}
	return frames
}

func b(s string) []byte { return []byte(s) }

func send(flag msrp.Continuation, body string) *frame {
	f := &frame{body: body, Frame: msrp.Frame{Method: b(msrp.MethodSend), MessageID: b("12339sdqwer"), SuccessReport: b("yes"), FailureReport: b("partial"),
		ByteRange: msrp.ByteRange{Start: 1, End: int64(len(body)), Total: msrp.Unknown}, ContentType: b("text/plain;charset=utf-8"), Continuation: flag}}
	f.Add("X-Unknown", "größe")
	f.Add("Content-ID", "<a@example.com>")
	f.Add("Content-Description", "a text")
	f.Add("Content-Disposition", "notification")
	return f
}

func response(code int) *frame { return &frame{Frame: msrp.Frame{Status: code, Comment: b("Said so")}} }

// tshark reads in every kind of frame what we wrote into it, and calls none malformed.
func TestEveryKindOfFrame(t *testing.T) {
	from, to := connected(t)
	port := to.LocalAddr().(*net.TCPAddr).Port
	rec := tshark.Capture(t, port)
	sent := everyFrame()
	go func() {
		for _, f := range sent {
			wire, err := msrp.AppendFrame(nil, &f.Frame, []byte(f.body))
			assert.NoError(t, err)
			_, err = from.Write(wire)
			assert.NoError(t, err)
		}
	}()
	d := msrp.NewDecoder(to, nil)
	for range sent {
		readFrame(t, d)
	}
	got := tshark.Dissect(t, rec.Stop(), tshark.Ports{MSRP: []int{port}})
	require.Len(t, got, len(sent))
	for i, f := range sent {
		understood(t, &f.Frame, got[i])
	}
}

// understood compares what was sent with what tshark read.
func understood(t *testing.T, f *msrp.Frame, got tshark.Frame) {
	field := func(name string) string { return strings.Join(got.Fields["msrp."+name], "|") }
	value := func(name string) string { return string(f.Value(name)) }
	id := string(f.TransactionID)
	assert.Equal(t, id+"|"+id, field("transaction.id"), "in the start line and in the end-line")
	assert.Equal(t, string(f.Method), got.Method)
	assert.Equal(t, f.Status, got.Status)
	assert.Equal(t, string(f.ToPath), field("to.path"))
	assert.Equal(t, string(f.FromPath), field("from.path"))
	assert.Equal(t, string(f.MessageID), field("messageid"))
	assert.Equal(t, string(f.SuccessReport), field("success.report"))
	assert.Equal(t, string(f.FailureReport), field("failure.report"))
	assert.Equal(t, string(f.StatusHeader), field("status"))
	assert.Equal(t, string(f.ContentType), field("content.type"))
	assert.Equal(t, string(rune(f.Continuation)), field("cnt.flg"))
	for tsharks, ours := range map[string]string{"content.id": "Content-ID", "content.description": "Content-Description", "content.disposition": "Content-Disposition",
		"authorization": "Authorization", "www.authenticate": "WWW-Authenticate", "authentication.info": "Authentication-Info", "use.path": "Use-Path"} {
		assert.Equal(t, value(ours), field(tsharks), ours)
	}
	for _, h := range f.Header { // tshark knows no names for the others
		if n := string(h.Name); slices.Contains([]string{"X-Unknown", "Use-Nickname", "Expires", "Min-Expires", "Max-Expires"}, n) {
			assert.Contains(t, field("hdr"), n+": ", n)
		}
	}
}

func connected(t *testing.T) (from, to net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	from, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	to, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = from.Close(); _ = to.Close() })
	return from, to
}

func readFrame(t *testing.T, d *msrp.Decoder) (f *msrp.Frame, body []byte) {
	f, err := d.Next()
	require.NoError(t, err)
	for {
		piece, err := d.Body()
		body = append(body, piece...)
		if err == io.EOF {
			return f, body
		}
		require.NoError(t, err)
	}
}

// What two sessions say to each other, through a path with a relay in it, so that there are chunks: messages with reports, an empty one, refusals, and
// one that is given up.
func TestSessionsConversation(t *testing.T) {
	ctx := t.Context()
	e, err := msrp.New(&msrp.Options{MaxMessage: 100_000})
	require.NoError(t, err)
	defer e.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, e.Serve(l))
	port := l.Addr().(*net.TCPAddr).Port
	rec := tshark.Capture(t, port)
	a, err := e.NewSession(nil)
	require.NoError(t, err)
	p, err := e.NewSession(nil)
	require.NoError(t, err)
	bound := make(chan error, 1)
	go func() { bound <- p.Connect(ctx, a.LocalPath(), msrp.Passive, nil) }()
	require.NoError(t, a.Connect(ctx, p.LocalPath(), msrp.Active, nil))
	require.NoError(t, <-bound)

	for _, m := range []*msrp.Message{
		{ContentType: "text/plain;charset=utf-8", Body: b("größe"), SuccessReport: true},
		{},
		{ContentType: "text/plain", Body: bytes.Repeat(b("x"), 50_000), FailureReport: msrp.Partial, SuccessReport: true},
	} {
		d, err := a.Send(ctx, m)
		require.NoError(t, err)
		require.NoError(t, d.Wait(ctx))
	}
	var refused *msrp.StatusError
	d, err := p.Send(ctx, &msrp.Message{ContentType: "text/plain", Body: bytes.Repeat(b("0123456789"), 10_001)})
	if err == nil {
		err = d.Wait(ctx)
	}
	require.ErrorAs(t, err, &refused)
	require.Equal(t, msrp.StatusStopSending, refused.Code)
	require.ErrorAs(t, a.Nickname(ctx, `Alice "the great"`), &refused) // an endpoint is no conference
	require.NoError(t, a.Close())
	require.NoError(t, p.Close())
	kinds := kindsOf(tshark.Dissect(t, rec.Stop(), tshark.Ports{MSRP: []int{port}}))
	assert.Subset(t, kinds, []string{"SEND $", "200 $", "REPORT $", "413 $", "NICKNAME $", "501 $"})
}

// A relay, played by the test, takes chunks until the sender gives its message up.
func TestSessionsChunks(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	rec := tshark.Capture(t, port)
	e, err := msrp.New(&msrp.Options{Host: "127.0.0.1:2855"})
	require.NoError(t, err)
	defer e.Close()
	s, err := e.NewSession(nil)
	require.NoError(t, err)
	relayed := make(chan struct{})
	go func() {
		defer close(relayed)
		takeChunks(t, l, 5, cancel)
	}()
	path, err := msrp.ParsePath("msrp://" + l.Addr().String() + "/relay;tcp " + bob)
	require.NoError(t, err)
	require.NoError(t, s.Connect(t.Context(), path, msrp.Active, nil))
	_, err = s.Send(ctx, &msrp.Message{ContentType: "text/plain", Body: bytes.Repeat(b("x"), 1<<20)})
	require.ErrorIs(t, err, context.Canceled)
	<-relayed
	kinds := kindsOf(tshark.Dissect(t, rec.Stop(), tshark.Ports{MSRP: []int{port}}))
	assert.Subset(t, kinds, []string{"SEND $", "SEND +", "SEND #", "200 $"})
}

// takeChunks answers the first requests, then calls stop and reads on until a message is aborted.
func takeChunks(t *testing.T, l net.Listener, answers int, stop func()) {
	nc, err := l.Accept()
	if !assert.NoError(t, err) {
		return
	}
	defer nc.Close()
	d := msrp.NewDecoder(nc, nil)
	for n := 0; ; n++ {
		f, err := d.Next()
		if !assert.NoError(t, err) {
			return
		}
		ok := msrp.Frame{TransactionID: bytes.Clone(f.TransactionID), Status: msrp.StatusOK, Comment: b("OK"), ToPath: bytes.Clone(f.FromPath),
			FromPath: bytes.Clone(bytes.Fields(f.ToPath)[0]), Continuation: msrp.Complete}
		for err == nil {
			_, err = d.Body()
		}
		switch {
		case f.Continuation == msrp.Aborted:
			return
		case n < answers:
			wire, err := msrp.AppendFrame(nil, &ok, nil)
			assert.NoError(t, err)
			_, err = nc.Write(wire)
			assert.NoError(t, err)
		case n == answers:
			stop()
		}
	}
}

func kindsOf(frames []tshark.Frame) (kinds []string) {
	for _, f := range frames {
		kind := f.Method
		if f.Status != 0 {
			kind = strconv.Itoa(f.Status)
		}
		kinds = append(kinds, kind+" "+strings.Join(f.Fields["msrp.cnt.flg"], ""))
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
