package msrp

import (
	"bytes"
	"strconv"
)

// Methods of RFC 4975, RFC 4976 and RFC 7701.
const (
	MethodSend     = "SEND"
	MethodReport   = "REPORT"
	MethodAuth     = "AUTH"
	MethodNickname = "NICKNAME"
)

// Continuation is the flag at the end of a frame (RFC 4975 section 7.1).
type Continuation byte

// The three continuation flags.
const (
	Complete Continuation = '$' // the last chunk of a message, or a frame without a body
	More     Continuation = '+' // further chunks follow
	Aborted  Continuation = '#' // the sender gave the message up
)

func (c Continuation) valid() bool { return c == Complete || c == More || c == Aborted }

// ByteRange is the Byte-Range header (RFC 4975 section 7.1.1): positions count from 1, in bytes. Unknown stands for "*".
// The zero value means that the header is absent. A peer's is a claim, and often a wrong one.
type ByteRange struct {
	Start int64 // of the chunk's first byte in the message, at least 1
	End   int64 // of its last byte, or Unknown
	Total int64 // of the message, or Unknown
}

// Unknown is the "*" of a ByteRange.
const Unknown = -1

// Header is a header without a field of its own in Frame. Name and Value are without the colon and the blanks around it.
type Header struct {
	Name, Value []byte
}

// Frame is the start line and the headers of one request or response (RFC 4975 section 9), without its body.
// A Frame from a Decoder aliases the Decoder's buffer and holds until the next call of Next; Clone keeps it for longer.
type Frame struct {
	TransactionID []byte
	Method        []byte // empty in a response
	Status        int    // of a response, three digits; 0 in a request
	Comment       []byte // of a response
	ToPath        []byte // URIs separated by a blank, as received
	FromPath      []byte
	MessageID     []byte
	SuccessReport []byte // "yes" or "no"; empty if absent
	FailureReport []byte // "yes", "no" or "partial"; empty if absent
	ByteRange     ByteRange
	StatusHeader  []byte       // of a REPORT: namespace, code and comment (section 7.1.2)
	Header        []Header     // every other header, in order; see Add, Value and the methods named after headers
	ContentType   []byte       // not empty exactly if the frame has a body
	Continuation  Continuation // from a Decoder: 0 until Body has returned io.EOF, if there is a body

	// Invalid says what is wrong with a header in a frame whose framing held: the receiver answers 400 and goes on.
	// Always nil in a frame to be encoded.
	Invalid error
}

// IsRequest tells a request from a response.
func (f *Frame) IsRequest() bool { return len(f.Method) > 0 }

// Clone returns a copy of f that shares no bytes with it.
func (f *Frame) Clone() *Frame {
	g := *f
	for _, b := range []*[]byte{
		&g.TransactionID, &g.Method, &g.Comment, &g.ToPath, &g.FromPath, &g.MessageID, &g.SuccessReport, &g.FailureReport, &g.StatusHeader, &g.ContentType,
	} {
		*b = bytes.Clone(*b)
	}
	g.Header = cloneHeader(f.Header)
	return &g
}

// HasBody tells whether a blank line and a body, perhaps an empty one, follow the headers.
func (f *Frame) HasBody() bool { return len(f.ContentType) > 0 }

// ParseStatus splits the Status header of a REPORT: "000 200 OK" gives 200 and "OK". Namespace 000 is the only one
// that RFC 4975 section 7.1.2 defines; others are refused. The error wraps ErrMalformed.
func ParseStatus(b []byte) (code int, comment []byte, err error) {
	namespace, rest, ok := bytes.Cut(b, []byte{' '})
	if !ok || string(namespace) != "000" {
		return 0, nil, malformed("Status header")
	}
	digits, comment, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte{' '})
	code, ok = parseCode(digits)
	if !ok {
		return 0, nil, malformed("code in the Status header")
	}
	return code, comment, nil
}

func parseCode(b []byte) (int, bool) {
	if len(b) != 3 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n >= 100
}

func parseByteRange(b []byte) (r ByteRange, err error) {
	dash := bytes.IndexByte(b, '-')
	slash := bytes.IndexByte(b, '/')
	if dash < 0 || slash < dash {
		return r, malformed("Byte-Range")
	}
	var ok1, ok2, ok3 bool
	r.Start, ok1 = parseCount(b[:dash], false)
	r.End, ok2 = parseCount(b[dash+1:slash], true)
	r.Total, ok3 = parseCount(b[slash+1:], true)
	if !ok1 || !ok2 || !ok3 || r.Start < 1 {
		return ByteRange{}, malformed("Byte-Range")
	}
	return r, nil
}

// A count has 18 digits at most, so that none overflows.
const (
	countDigits = 18
	mostCount   = 999_999_999_999_999_999
)

func parseCount(b []byte, star bool) (int64, bool) {
	if star && len(b) == 1 && b[0] == '*' {
		return Unknown, true
	}
	if len(b) == 0 || len(b) > countDigits {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func (r ByteRange) valid() bool {
	return r.Start >= 1 && r.End >= Unknown && r.Total >= Unknown && max(r.Start, r.End, r.Total) <= mostCount
}

func (r ByteRange) append(dst []byte) []byte {
	dst = strconv.AppendInt(dst, r.Start, 10)
	dst = appendCount(append(dst, '-'), r.End)
	return appendCount(append(dst, '/'), r.Total)
}

func appendCount(dst []byte, n int64) []byte {
	if n == Unknown {
		return append(dst, '*')
	}
	return strconv.AppendInt(dst, n, 10)
}
