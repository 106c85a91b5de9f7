package msrp

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRFC4975_9_Encode(t *testing.T) {
	for _, c := range goodCases {
		t.Run(c.name, func(t *testing.T) {
			want := c.reencoded
			if want == "" {
				want = c.wire
			}
			got, err := AppendFrame([]byte("before"), c.want, b(c.body))
			require.NoError(t, err)
			require.Equal(t, "before"+want, string(got))
		})
	}
}

func TestEncodeRefusesInjection(t *testing.T) {
	whole := func() *Frame {
		return framed("SEND", "Message-ID: 456so39s\r\nX-Y: z\r\nContent-Type: text/plain\r\n", "", Complete)
	}
	text := map[string]func(f *Frame, v string){
		"To-Path":        func(f *Frame, v string) { f.ToPath = b(v) },
		"From-Path":      func(f *Frame, v string) { f.FromPath = b(v) },
		"Message-ID":     func(f *Frame, v string) { f.MessageID = b(v) },
		"Success-Report": func(f *Frame, v string) { f.SuccessReport = b(v) },
		"Failure-Report": func(f *Frame, v string) { f.FailureReport = b(v) },
		"Status":         func(f *Frame, v string) { f.StatusHeader = b(v) },
		"Content-Type":   func(f *Frame, v string) { f.ContentType = b(v) },
		"header value":   func(f *Frame, v string) { f.Header[0].Value = b(v) },
		"header name":    func(f *Frame, v string) { f.Header[0].Name = b(v) },
		"added header":   func(f *Frame, v string) { f.Add("Use-Nickname", Quote(v)[1:]) },
		"method":         func(f *Frame, v string) { f.Method = b(v) },
		"transaction ID": func(f *Frame, v string) { f.TransactionID = b(v) },
		"comment": func(f *Frame, v string) {
			f.Method, f.Status, f.ContentType, f.Comment = nil, 200, nil, b(v)
		},
	}
	for name, set := range text {
		for _, v := range []string{"a\r\nX: y", "a\nb", "a\rb", "a\x00b", "a\x1bb", "a\x7fb", "\r\n", "abcd\r"} {
			f := whole()
			set(f, v)
			refusesFrame(t, f, "", name)
		}
	}
	for name, spoil := range map[string]func(f *Frame){
		"empty ID":             func(f *Frame) { f.TransactionID = nil },
		"short ID":             func(f *Frame) { f.TransactionID = b("abc") },
		"long ID":              func(f *Frame) { f.TransactionID = b(strings.Repeat("a", 33)) },
		"blank in the ID":      func(f *Frame) { f.TransactionID = b("ab cd") },
		"blank in the method":  func(f *Frame) { f.Method = b("SEND SEND") },
		"lower-case method":    func(f *Frame) { f.Method = b("send") },
		"method and status":    func(f *Frame) { f.Status = 200 },
		"no method, no code":   func(f *Frame) { f.Method = nil },
		"code below 100":       func(f *Frame) { f.Method, f.ContentType, f.Status = nil, nil, 99 },
		"code above 999":       func(f *Frame) { f.Method, f.ContentType, f.Status = nil, nil, 1000 },
		"response with a body": func(f *Frame) { f.Method, f.Status = nil, 200 },
		"no To-Path":           func(f *Frame) { f.ToPath = nil },
		"no From-Path":         func(f *Frame) { f.FromPath = nil },
		"blank To-Path":        func(f *Frame) { f.ToPath = b(" ") },
		"blank Content-Type":   func(f *Frame) { f.ContentType = b("\t") },
		"blank before a value": func(f *Frame) { f.Header[0].Value = b(" x") },
		"blank behind a value": func(f *Frame) { f.MessageID = b("x ") },
		"body without a type":  func(f *Frame) { f.ContentType = nil },
		"colon in a name":      func(f *Frame) { f.Header[0].Name = b("a:b") },
		"empty header name":    func(f *Frame) { f.Header[0].Name = nil },
		"name like an endline": func(f *Frame) { f.Header[0].Name = b("-------d93kswow$") },
		"second To-Path":       func(f *Frame) { f.Header[0].Name = b("to-path") },
		"second From-Path":     func(f *Frame) { f.Add("FROM-PATH", "x") },
		"second Message-ID":    func(f *Frame) { f.Add("message-id", "x") },
		"Success-Report":       func(f *Frame) { f.Add("Success-report", "yes") },
		"Failure-Report":       func(f *Frame) { f.Add("Failure-report", "yes") },
		"Status":               func(f *Frame) { f.Add("Status", "000 200") },
		"second Content-Type":  func(f *Frame) { f.Add("Content-type", "a/b") },
		"second Byte-Range":    func(f *Frame) { f.Header[0].Name = b("byte-range") },
		"range from 0":         func(f *Frame) { f.ByteRange = ByteRange{0, 1, 1} },
		"range to -2":          func(f *Frame) { f.ByteRange = ByteRange{1, -2, 1} },
		"total of -2":          func(f *Frame) { f.ByteRange = ByteRange{1, 1, -2} },
		"range of 19 digits":   func(f *Frame) { f.ByteRange = ByteRange{1, 1e18, Unknown} },
		"no flag":              func(f *Frame) { f.Continuation = 0 },
		"flag":                 func(f *Frame) { f.Continuation = '\r' },
	} {
		f := whole()
		spoil(f)
		refusesFrame(t, f, "body", name)
	}
}

func refusesFrame(t *testing.T, f *Frame, body, name string) {
	t.Helper()
	got, err := AppendFrame([]byte("x"), f, b(body))
	require.ErrorIs(t, err, ErrMalformed, name)
	require.Equal(t, "x", string(got), name)
}

// The body of a request must not hold its own end-line; whoever sends takes another transaction ID then.
func TestRFC4975_7_1_EndLineInBody(t *testing.T) {
	for _, c := range []struct {
		id, body string
		held     bool
	}{
		{"d93kswow", "-------d93kswow$", true}, {"d93kswow", "\r\n-------d93kswow#\r\n", true}, {"d93kswow", "x-------d93kswow", true},
		{"d93kswow", "d93kswow-------d93kswow", true}, {"----", "-----------$", true}, {"----", "\r\n-----------", true}, {"a---", "-------a--------a---", true},
		{"d93kswow", "------d93kswow$", false}, {"d93kswow", "d93kswow", false}, {"d93kswow", "-------d93kswoX$", false}, {"d93kswow", "-------D93KSWOW$", false},
		{"----", "----------", false}, {"d93kswow", "", false},
	} {
		require.Equal(t, c.held, endLineIn([]byte(c.body), []byte(c.id)), "%+v", c)
		f := framed("SEND", "Content-Type: text/plain\r\n", "", Complete)
		f.TransactionID = b(c.id)
		wire, err := AppendFrame(nil, f, b(c.body))
		if c.held {
			require.ErrorIs(t, err, ErrMalformed)
			continue
		}
		require.NoError(t, err)
		_, body, err := readFrame(NewDecoder(bytes.NewReader(wire), nil))
		require.NoError(t, err)
		require.Equal(t, c.body, string(body))
	}
}

func TestEncodeAllocatesNothing(t *testing.T) {
	c := good("", "SEND", "Message-ID: 12339sdqwer\r\nByte-Range: 1-5/5\r\nX-Y: z\r\nContent-Type: text/plain\r\n", "hello", Complete)
	buf, body := make([]byte, 0, 4096), b(c.body)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var err error
		buf, err = AppendFrame(buf[:0], c.want, body)
		require.NoError(t, err)
	}))
}

// FuzzDecode: whatever decodes also encodes, decodes again to the same, and does not depend on how the stream was split.
func FuzzDecode(f *testing.F) {
	for _, c := range wireCases {
		if len(c.wire) < 10_000 {
			f.Add([]byte(c.wire), uint64(1))
			f.Add([]byte(c.wire+c.wire), uint64(7))
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 2))
		one := NewDecoder(bytes.NewReader(wire), nil)
		two := NewDecoder(&splitReader{bytes.NewReader(wire), func() int { return rng.IntN(1 + int(seed%50)) }}, nil)
		for {
			f1, body1, err1 := readFrame(one)
			f2, body2, err2 := readFrame(two)
			require.Equal(t, fmt.Sprint(err1), fmt.Sprint(err2))
			if err1 != nil {
				one.Next() // whoever goes on after an error gets nonsense, but no panic
				one.Body()
				return
			}
			require.Equal(t, f1, f2)
			require.Equal(t, body1, body2)
			f1.Expires()
			f1.UsePath()
			f1.UseNickname()
			if f1.Invalid != nil || endLineIn(body1, f1.TransactionID) || !f1.IsRequest() && f1.HasBody() || // AppendFrame is stricter
				len(body1) > maxOtherBody && string(f1.Method) != MethodSend {
				continue
			}
			again, err := AppendFrame(nil, f1, body1)
			require.NoError(t, err)
			f3, body3, err := readFrame(NewDecoder(bytes.NewReader(again), nil))
			require.NoError(t, err)
			require.Equal(t, f1, f3)
			require.Equal(t, body1, body3)
		}
	})
}

// FuzzEncode: whatever AppendFrame accepts decodes to the same and to nothing else, so that nothing can be injected through a field.
func FuzzEncode(f *testing.F) {
	f.Add("d93kswow", "SEND", 0, "", bobPath, "12339sdqwer", "text/plain", "X-New", "value", int64(1), int64(-1), byte('$'), []byte("hello"))
	f.Add("----", "", 481, "No such session", bobPath, "", "", "Expires", "900", int64(0), int64(0), byte('$'), []byte(nil))
	f.Add("a---", "FUTURE", 0, "", "a\r\nb", "\x00", " ", "-------a---$", "\r\n", int64(7), int64(9), byte('+'), []byte("\r\n-------a---$\r\n"))
	f.Fuzz(func(t *testing.T, id, method string, status int, comment, path, messageID, contentType, name, value string, start, end int64, flag byte, body []byte) {
		in := &Frame{TransactionID: b(id), Method: b(method), Status: status, ToPath: b(path), FromPath: b(path), MessageID: b(messageID), ContentType: b(contentType),
			Continuation: Continuation(flag), Header: []Header{{b(name), b(value)}}}
		if method == "" {
			in.Comment = b(comment)
		}
		if start != 0 {
			in.ByteRange = ByteRange{start, end, end}
		}
		wire, err := AppendFrame(nil, in, body)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		d := NewDecoder(bytes.NewReader(wire), &Limits{HeadBytes: 1 << 30})
		out, got, err := readFrame(d)
		require.NoError(t, err)
		require.Equal(t, in, out)
		require.Equal(t, string(body), string(got))
		_, err = d.Next()
		require.Equal(t, io.EOF, err)
	})
}

// A Content-Type of blanks would be none on the wire, and the peer's parser would lose the frame.
func TestMessageWithBlankContentType(t *testing.T) {
	for _, contentType := range []string{" ", "\t", "text/plain ", " text/plain"} {
		require.ErrorIs(t, (&Message{ContentType: contentType, Body: []byte("x")}).check(), ErrMalformed, "%q", contentType)
	}
	require.NoError(t, (&Message{ContentType: "text/plain; charset=utf-8", Body: []byte("x")}).check())
}
