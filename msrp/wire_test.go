package msrp

import (
	"bytes"
	"slices"
	"strings"
)

// wireCase is one frame on the wire. The tables below, one for each section of an RFC, feed the decoder's tests, the encoder's and the fuzz seeds.
type wireCase struct {
	name string
	wire string
	want *Frame // nil: refused
	body string
	// reencoded is what AppendFrame makes of it, if not the same.
	reencoded string
}

var (
	goodCases = slices.Concat(rfc4975Section4, rfc4975Section5_1, rfc4975Section7_1, rfc4975Section7_1_1, rfc4975Section7_1_2, rfc4975Section7_2,
		rfc4975Section9, rfc4975Section11, rfc4976Auth, rfc7701Nickname)
	badCases  = slices.Concat(badStartLines, badHeaders, badEndLines, badSizes)
	wireCases = slices.Concat(goodCases, badCases)
)

const (
	bobPath   = "msrp://bob.example.com:8888/9di4eae923wzd;tcp"
	alicePath = "msrp://alicepc.example.com:7777/iau39soe2843z;tcp"
	paths     = "To-Path: " + bobPath + "\r\nFrom-Path: " + alicePath + "\r\n"
)

func b(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// framed is the Frame with transaction ID d93kswow of headers as they stand on the wire; method is what follows the ID in the start line.
func framed(method, headers, body string, flag Continuation) *Frame {
	return asFrame("MSRP d93kswow "+method+"\r\n"+paths+headers, flag)
}

// asFrame is a parser for correct heads that is written apart from the Decoder on purpose: the two must agree.
func asFrame(head string, flag Continuation) *Frame {
	f := &Frame{Continuation: flag}
	lines := strings.Split(strings.TrimSuffix(head, "\r\n"), "\r\n")
	start := strings.SplitN(lines[0], " ", 4)
	f.TransactionID = b(start[1])
	if code, ok := parseCode([]byte(start[2])); ok {
		f.Status = code
		if len(start) == 4 {
			f.Comment = b(start[3])
		}
	} else {
		f.Method = b(start[2])
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "Byte-Range":
			f.ByteRange, _ = parseByteRange(b(value))
		case "To-Path", "From-Path", "Message-ID", "Content-Type", "Success-Report", "Failure-Report", "Status":
			*f.field(bytes.ToLower(b(name))) = b(value)
		default:
			f.Header = append(f.Header, Header{b(name), b(value)})
		}
	}
	return f
}

func good(name, method, headers, body string, flag Continuation) wireCase {
	return example(name, "MSRP d93kswow "+method+"\r\n"+paths+headers, body, flag)
}

// example is a frame as an RFC has it: a head, and a body if there is a Content-Type.
func example(name, head, body string, flag Continuation) wireCase {
	f := asFrame(head, flag)
	wire := head
	if f.HasBody() {
		wire += "\r\n" + body + "\r\n"
	}
	wire += "-------" + string(f.TransactionID) + string(rune(flag)) + "\r\n"
	return wireCase{name: name, wire: wire, want: f, body: body}
}

// sloppy is a frame that is not quite what the RFC asks for, and the one that it is read as.
func sloppy(name, wire string, as wireCase) wireCase {
	return wireCase{name: name, wire: wire, want: as.want, body: as.body, reencoded: as.wire}
}

func bad(name, wire string) wireCase { return wireCase{name: name, wire: wire} }

// badHeader is a SEND with lines behind its paths that a Decoder refuses.
func badHeader(name, lines string) wireCase {
	return bad(name, "MSRP d93kswow SEND\r\n"+paths+lines+"-------d93kswow$\r\n")
}

func badStart(name, line string) wireCase { return bad(name, line+paths+"-------d93kswow$\r\n") }
