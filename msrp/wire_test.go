package msrp

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// wireCase is one frame on the wire. The table feeds the decoder's tests, the encoder's and the fuzz seeds.
type wireCase struct {
	name string
	wire string
	want *Frame // nil: refused
	body string
	// reencoded is what AppendFrame makes of it, if not the same.
	reencoded string
}

func b(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

const paths = "To-Path: msrp://bob.example.com:8888/9di4eae923wzd;tcp\r\nFrom-Path: msrp://alicepc.example.com:7777/iau39soe2843z;tcp\r\n"

func framed(method, headers, body string, flag Continuation) *Frame {
	f := &Frame{
		TransactionID: b("d93kswow"), Method: b(method), Continuation: flag,
		ToPath: b("msrp://bob.example.com:8888/9di4eae923wzd;tcp"), FromPath: b("msrp://alicepc.example.com:7777/iau39soe2843z;tcp"),
	}
	for _, line := range strings.Split(headers, "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			switch name {
			case "Byte-Range":
				f.ByteRange, _ = parseByteRange(b(value))
			case "Message-ID", "Content-Type", "Success-Report", "Failure-Report", "Status":
				*f.field(bytes.ToLower(b(name))) = b(value)
			default:
				f.Header = append(f.Header, Header{b(name), b(value)})
			}
		}
	}
	return f
}

func good(name, method, headers, body string, flag Continuation) wireCase {
	wire := "MSRP d93kswow " + method + "\r\n" + paths + headers
	if strings.Contains(headers, "Content-Type") {
		wire += "\r\n" + body + "\r\n"
	}
	wire += "-------d93kswow" + string(rune(flag)) + "\r\n"
	return wireCase{name: name, wire: wire, want: framed(method, headers, body, flag), body: body}
}

func bad(name, wire string) wireCase { return wireCase{name: name, wire: wire} }

var wireCases = []wireCase{
	// RFC 4975 section 4, section 11 and RFC 4976.
	good("SEND", "SEND", "Message-ID: 12339sdqwer\r\nByte-Range: 1-25/25\r\nContent-Type: text/plain\r\n", "Hey Bob, are you there? ;", Complete),
	good("first chunk", "SEND", "Message-ID: 12339sdqwer\r\nByte-Range: 1-4/8\r\nContent-Type: text/plain\r\n", "abcd", More),
	good("last chunk", "SEND", "Message-ID: 12339sdqwer\r\nByte-Range: 5-8/8\r\nContent-Type: text/plain\r\n", "EFGH", Complete),
	good("aborted", "SEND", "Message-ID: 12339sdqwer\r\nByte-Range: 1-*/8\r\nContent-Type: text/plain\r\n", "abc", Aborted),
	good("binds the session", "SEND", "Message-ID: 456so39s\r\nByte-Range: 1-0/0\r\n", "", Complete),
	good("no Byte-Range", "SEND", "Message-ID: 456so39s\r\n", "", Complete),
	good("unknown total", "SEND", "Message-ID: 456so39s\r\nByte-Range: 1-*/*\r\nContent-Type: text/plain\r\n", "x", More),
	good("reports wanted", "SEND", "Message-ID: 456so39s\r\nSuccess-Report: yes\r\nFailure-Report: partial\r\nByte-Range: 1-1/1\r\nContent-Type: text/plain\r\n", "x", Complete),
	good("REPORT", "REPORT", "Message-ID: 12339sdqwer\r\nByte-Range: 1-39/39\r\nStatus: 000 200 OK\r\n", "", Complete),
	good("AUTH", "AUTH", "Authorization: Digest username=\"Alice\", realm=\"intra.example.com\"\r\n", "", Complete),
	good("NICKNAME", "NICKNAME", "Use-Nickname: \"Alice the great\"\r\n", "", Complete),
	good("other MIME headers", "SEND", "Message-ID: 456so39s\r\nContent-Disposition: notification\r\nContent-Type: text/plain\r\n", "x", Complete),
	good("empty body", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", "", Complete),
	good("body of end-lines", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n",
		"-------\r\n-------d93ksw\r\n-------d93kswoX$\r\n\r\n-------\r\n-------d93kswo", Complete),
	good("body of CR and LF", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", "\r\n\r\n\r\r\n\n", Complete),
	good("any bytes in the body", "SEND", "Message-ID: 456so39s\r\nContent-Type: application/octet-stream\r\n", "\x00\xff\xfe\r\x00\n", Complete),
	good("large body", "SEND", "Message-ID: 456so39s\r\nByte-Range: 1-*/200000\r\nContent-Type: text/plain\r\n", strings.Repeat("0123456789\r\n-------", 10526)+"\r\n", Complete),
	{name: "200", wire: "MSRP d93kswow 200 OK\r\n" + paths + "-------d93kswow$\r\n",
		want: func() *Frame { f := framed("", "", "", Complete); f.Status, f.Comment = 200, b("OK"); return f }()},
	{name: "481 with blanks in the comment", wire: "MSRP d93kswow 481 No such session\r\n" + paths + "-------d93kswow$\r\n",
		want: func() *Frame {
			f := framed("", "", "", Complete)
			f.Status, f.Comment = 481, b("No such session")
			return f
		}()},
	{name: "status without a comment (msrp-java)", wire: "MSRP d93kswow 200\r\n" + paths + "-------d93kswow$\r\n",
		want: func() *Frame { f := framed("", "", "", Complete); f.Status = 200; return f }()},
	{name: "header names in any case, blanks around values",
		wire: "MSRP d93kswow SEND\r\nto-path:msrp://bob.example.com:8888/9di4eae923wzd;tcp\r\nFROM-PATH:   msrp://alicepc.example.com:7777/iau39soe2843z;tcp \r\n" +
			"message-id:456so39s\r\nByte-range:1-1/1\r\nx-new:\t1\r\nCONTENT-TYPE:text/plain\r\n\r\nx\r\n-------d93kswow$\r\n",
		want: framed("SEND", "Message-ID: 456so39s\r\nByte-Range: 1-1/1\r\nx-new: 1\r\nContent-Type: text/plain\r\n", "x", Complete), body: "x",
		reencoded: "MSRP d93kswow SEND\r\n" + paths + "Message-ID: 456so39s\r\nByte-Range: 1-1/1\r\nx-new: 1\r\nContent-Type: text/plain\r\n\r\nx\r\n-------d93kswow$\r\n"},
	{name: "empty body without its CRLF", wire: "MSRP d93kswow SEND\r\n" + paths + "Content-Type: text/plain\r\n\r\n-------d93kswow$\r\n",
		want:      framed("SEND", "Content-Type: text/plain\r\n", "", Complete),
		reencoded: "MSRP d93kswow SEND\r\n" + paths + "Content-Type: text/plain\r\n\r\n\r\n-------d93kswow$\r\n"},

	bad("empty line", "\r\n\r\n"),
	bad("not MSRP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	bad("lower case", "msrp d93kswow SEND\r\n"+paths+"-------d93kswow$\r\n"),
	bad("no transaction ID", "MSRP  SEND\r\n"+paths+"-------d93kswow$\r\n"),
	bad("short transaction ID", "MSRP d93 SEND\r\n"+paths+"-------d93$\r\n"),
	bad("long transaction ID", "MSRP "+strings.Repeat("a", 33)+" SEND\r\n"+paths+"-------"+strings.Repeat("a", 33)+"$\r\n"),
	bad("bad transaction ID", "MSRP d93k/wow SEND\r\n"+paths+"-------d93k/wow$\r\n"),
	bad("lower-case method", "MSRP d93kswow send\r\n"+paths+"-------d93kswow$\r\n"),
	bad("no method", "MSRP d93kswow \r\n"+paths+"-------d93kswow$\r\n"),
	bad("two methods", "MSRP d93kswow SEND SEND\r\n"+paths+"-------d93kswow$\r\n"),
	bad("status of two digits", "MSRP d93kswow 20 OK\r\n"+paths+"-------d93kswow$\r\n"),
	bad("status below 100", "MSRP d93kswow 099 OK\r\n"+paths+"-------d93kswow$\r\n"),
	bad("no To-Path", "MSRP d93kswow SEND\r\nFrom-Path: msrp://a:1/x;tcp\r\n-------d93kswow$\r\n"),
	bad("no From-Path", "MSRP d93kswow SEND\r\nTo-Path: msrp://a:1/x;tcp\r\n-------d93kswow$\r\n"),
	bad("two To-Paths", "MSRP d93kswow SEND\r\n"+paths+"To-Path: msrp://a:1/x;tcp\r\n-------d93kswow$\r\n"),
	bad("line without colon", "MSRP d93kswow SEND\r\n"+paths+"nonsense\r\n-------d93kswow$\r\n"),
	bad("blank in a header name", "MSRP d93kswow SEND\r\n"+paths+"Message ID: x\r\n-------d93kswow$\r\n"),
	bad("NUL in a header", "MSRP d93kswow SEND\r\n"+paths+"X: a\x00b\r\n-------d93kswow$\r\n"),
	bad("bare LF in a header", "MSRP d93kswow SEND\r\n"+paths+"X: a\nY: b\r\n-------d93kswow$\r\n"),
	bad("bare CR in a header", "MSRP d93kswow SEND\r\n"+paths+"X: a\rY: b\r\n-------d93kswow$\r\n"),
	bad("body without Content-Type", "MSRP d93kswow SEND\r\n"+paths+"\r\nx\r\n-------d93kswow$\r\n"),
	bad("Content-Type without body", "MSRP d93kswow SEND\r\n"+paths+"Content-Type: text/plain\r\n-------d93kswow$\r\n"),
	bad("bad continuation flag", "MSRP d93kswow SEND\r\n"+paths+"-------d93kswow!\r\n"),
	bad("other end-line", "MSRP d93kswow SEND\r\n"+paths+"-------d93kswoX$\r\n"),
	bad("endless line", "MSRP d93kswow SEND\r\n"+paths+"X: "+strings.Repeat("x", defaultHeadBytes)+"\r\n-------d93kswow$\r\n"),
	bad("endless head", "MSRP d93kswow SEND\r\n"+paths+strings.Repeat("X: x\r\n", defaultHeaders-2+1)+"-------d93kswow$\r\n"),
}

// readFrame decodes one frame and copies it, so that it can be kept.
func readFrame(d *Decoder) (*Frame, []byte, error) {
	f, err := d.Next()
	if err != nil {
		return nil, nil, err
	}
	var body []byte
	for {
		piece, err := d.Body()
		body = append(body, piece...)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, err
		}
	}
	clone := *f
	for _, v := range []*[]byte{&clone.TransactionID, &clone.Method, &clone.Comment, &clone.ToPath, &clone.FromPath, &clone.MessageID,
		&clone.SuccessReport, &clone.FailureReport, &clone.StatusHeader, &clone.ContentType} {
		*v = b(string(*v))
	}
	clone.Header = nil
	for _, h := range f.Header {
		clone.Header = append(clone.Header, Header{b(string(h.Name)), b(string(h.Value))})
	}
	return &clone, body, nil
}

// splitReader gives at most as many bytes at a time as its function says.
type splitReader struct {
	r    io.Reader
	next func() int
}

func (s *splitReader) Read(p []byte) (int, error) {
	return s.r.Read(p[:min(len(p), max(1, s.next()))])
}

func splits(wire string) map[string]io.Reader {
	rng := rand.New(rand.NewPCG(1, uint64(len(wire))))
	return map[string]io.Reader{
		"whole":       strings.NewReader(wire),
		"one byte":    iotest.OneByteReader(strings.NewReader(wire)),
		"random":      &splitReader{strings.NewReader(wire), func() int { return rng.IntN(40) }},
		"EOF at once": iotest.DataErrReader(strings.NewReader(wire)),
	}
}

func TestDecode(t *testing.T) {
	for _, c := range wireCases {
		for how, r := range splits(c.wire + c.wire + c.wire) {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				d := NewDecoder(r, nil)
				if c.want == nil {
					_, _, err := readFrame(d)
					require.Error(t, err)
					require.True(t, isParseError(err), "%v", err)
					return
				}
				for range 3 {
					f, body, err := readFrame(d)
					require.NoError(t, err)
					require.Equal(t, c.want, f)
					require.Equal(t, c.body, string(body))
				}
				_, err := d.Next()
				require.Equal(t, io.EOF, err)
			})
		}
	}
}

func TestEncode(t *testing.T) {
	for _, c := range wireCases {
		if c.want == nil {
			continue
		}
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
	for name, spoil := range map[string]func(f *Frame){
		"transaction ID":      func(f *Frame) { f.TransactionID = b("abcd\r\nX") },
		"empty ID":            func(f *Frame) { f.TransactionID = nil },
		"method":              func(f *Frame) { f.Method = b("SEND\r\n") },
		"method and status":   func(f *Frame) { f.Status = 200 },
		"no method, no code":  func(f *Frame) { f.Method = nil },
		"To-Path":             func(f *Frame) { f.ToPath = b("msrp://a;tcp\r\nX: y") },
		"no To-Path":          func(f *Frame) { f.ToPath = nil },
		"From-Path":           func(f *Frame) { f.FromPath = b("a\nb") },
		"Message-ID":          func(f *Frame) { f.MessageID = b("a\x00b") },
		"Content-Type":        func(f *Frame) { f.ContentType = b("text/plain\r\n\r\nbody") },
		"body without a type": func(f *Frame) { f.ContentType = nil },
		"header value":        func(f *Frame) { f.Header[0].Value = b("a\rb") },
		"header name":         func(f *Frame) { f.Header[0].Name = b("a:b") },
		"empty header name":   func(f *Frame) { f.Header[0].Name = nil },
		"second To-Path":      func(f *Frame) { f.Header[0].Name = b("to-path") },
		"second Byte-Range":   func(f *Frame) { f.Header[0].Name = b("byte-range") },
		"Byte-Range":          func(f *Frame) { f.ByteRange = ByteRange{0, 1, 1} },
		"flag":                func(f *Frame) { f.Continuation = '\r' },
		"end-line in body":    func(f *Frame) { f.TransactionID = b("body") },
	} {
		t.Run(name, func(t *testing.T) {
			f := whole()
			spoil(f)
			got, err := AppendFrame([]byte("x"), f, []byte("a-------body$"))
			require.ErrorIs(t, err, ErrMalformed)
			require.Equal(t, "x", string(got))
		})
	}
}

func TestDecodeEnds(t *testing.T) {
	whole := wireCases[0].wire
	for n := 1; n < len(whole); n++ {
		_, _, err := readFrame(NewDecoder(strings.NewReader(whole[:n]), nil))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "after %d bytes", n)
	}
	_, err := NewDecoder(strings.NewReader(""), nil).Next()
	require.Equal(t, io.EOF, err)
}

func TestDecodeKeepsGoingAfterABadByteRange(t *testing.T) {
	for _, r := range []string{"", "1", "0-1/1", "1-x/1", "1-1/", "-1-2/3", "1-99999999999999999999/1", "*-1/1", "1-1/1x"} {
		wire := strings.Replace(wireCases[0].wire, "1-25/25", r, 1)
		d := NewDecoder(strings.NewReader(wire+whole(wireCases[1])), nil)
		f, err := d.Next()
		require.NoError(t, err)
		require.ErrorIs(t, f.Invalid, ErrMalformed, "%q", r)
		f, err = d.Next() // without having read the body
		require.NoError(t, err)
		require.NoError(t, f.Invalid)
	}
}

func whole(c wireCase) string { return c.wire }

// The head stays readable while a long body passes through the buffer.
func TestDecodeHeadOutlivesBody(t *testing.T) {
	body := strings.Repeat("x", 1<<20)
	c := good("", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", body, Complete)
	for _, before := range []int{0, 1, 100, 200, 300} { // so that the head stands in different places of the buffer
		small := good("", "SEND", "Message-ID: small\r\nContent-Type: text/plain\r\n", "y", Complete)
		d := NewDecoder(strings.NewReader(strings.Repeat(small.wire, before)+c.wire), nil)
		for range before {
			_, _, err := readFrame(d)
			require.NoError(t, err)
		}
		f, got, err := readFrame(d)
		require.NoError(t, err)
		require.Equal(t, c.want, f)
		require.Len(t, got, len(body))
		require.LessOrEqual(t, cap(d.buf), readBytes)
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	for _, size := range []int{0, 100, 10_000, 200_000} {
		c := good("", "SEND", "Message-ID: 456so39s\r\nX-Y: z\r\nByte-Range: 1-*/100\r\nContent-Type: text/plain\r\n", strings.Repeat("x", size), Complete)
		d := NewDecoder(&loop{data: []byte(c.wire)}, nil)
		next := func() {
			_, err := d.Next()
			for err == nil {
				_, err = d.Body()
			}
			require.Equal(t, io.EOF, err)
		}
		for range 100 {
			next()
		}
		require.Zero(t, testing.AllocsPerRun(200, next), "body of %d bytes", size)
	}
}

// loop gives the same bytes for ever.
type loop struct {
	data []byte
	at   int
}

func (l *loop) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], l.data[l.at:])
		n += k
		l.at = (l.at + k) % len(l.data)
	}
	return n, nil
}

func TestEncodeAllocatesNothing(t *testing.T) {
	c := wireCases[0]
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
			if f1.Invalid != nil || endLineIn(body1, f1.TransactionID) { // AppendFrame is stricter
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
