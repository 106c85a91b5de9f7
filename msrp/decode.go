package msrp

import (
	"bytes"
	"fmt"
	"io"
)

// Decoder reads frames from a byte stream, however the stream is split. Next reads a frame up to its headers, Body the body
// piece by piece, so that a frame of any length passes in bounded memory. After an error other than Body's io.EOF the
// stream has lost its framing and the connection is of no more use. No error holds what the peer sent: it may be a user's text.
//
// A Decoder that waits for a frame to begin holds 1 KiB. While frames pass it borrows 64 KiB that all Decoders share, takes as much as Limits.HeadBytes
// if a head is larger still, and allocates nothing per frame. It is not safe for concurrent use.
type Decoder struct {
	r      io.Reader
	limits Limits
	f      Frame
	state  decodeState
	needle []byte // CRLF, seven dashes, transaction ID: the start of this frame's end-line
	space  [2 + 7 + maxTransactionID]byte

	// Of the head in hand, which begins at start: how many of its lines are parsed, where the next one begins and how far that one
	// is known to have no end. Offsets count from start.
	lines, line, seen int

	readBuffer
}

type decodeState uint8

const (
	atHead decodeState = iota
	atBodyStart
	inBody
)

// NewDecoder returns a Decoder that reads from r. A nil l means the default Limits.
func NewDecoder(r io.Reader, l *Limits) *Decoder {
	return &Decoder{r: r, limits: l.withDefaults()}
}

// Next reads to the end of the next frame's headers; what was left of the body before it is skipped. The Frame aliases the
// Decoder's buffer and holds until the next call of Next. Errors: io.EOF between two frames, io.ErrUnexpectedEOF within one,
// whatever the reader returns, or one that wraps ErrMalformed or ErrTooLarge.
func (d *Decoder) Next() (*Frame, error) {
	for d.state != atHead {
		if _, err := d.Body(); err != nil && err != io.EOF {
			return nil, err
		}
	}
	d.start = d.body
	d.restart()
	if d.start == d.end {
		d.release()
		if cap(d.f.Header) > keptHeaders {
			d.f.Header = nil
		}
	}
	for {
		whole, err := d.parse()
		if err != nil {
			return nil, err
		}
		if whole {
			return &d.f, nil
		}
		if err := d.fill(); err != nil {
			if err == io.EOF && d.end > d.start {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// restart forgets what is parsed of the head in hand.
func (d *Decoder) restart() {
	d.f = Frame{Header: d.f.Header[:0]}
	d.lines, d.line, d.seen = 0, 0, 0
}

// parse takes in the lines that are there, and tells whether the head is whole: up to a blank line or the end-line. Each line is looked
// at once, and what is wrong with the first wrong one is the error, wherever the stream was split.
func (d *Decoder) parse() (whole bool, err error) {
	head := d.buf[d.start:d.end]
	head = head[:min(len(head), d.limits.HeadBytes)]
	for {
		end := control(head, d.seen)
		switch d.seen = end; {
		case end < len(head) && (head[end] != '\r' || end+1 < len(head) && head[end+1] != '\n'):
			return false, malformed("control character in the head of a frame, or a line that does not end with CRLF")
		case end+1 < len(head):
		case len(head) == d.limits.HeadBytes:
			return false, fmt.Errorf("%w: head of more than %d bytes", ErrTooLarge, len(head))
		default:
			return false, nil
		}
		line := head[d.line:end]
		if d.lines > 0 && (len(line) == 0 || line[0] == '-' && d.endLine(line)) {
			return true, d.endHead(end+2, len(line) == 0)
		}
		if err := d.parseLine(line); err != nil {
			return false, err
		}
		d.line, d.seen = end+2, end+2
	}
}

func (d *Decoder) parseLine(line []byte) error {
	if d.lines > d.limits.Headers {
		return fmt.Errorf("%w: more than %d headers", ErrTooLarge, d.limits.Headers)
	}
	d.lines++
	if d.lines == 1 {
		return d.f.parseStart(line)
	}
	return d.f.parseHeader(line)
}

// endLine tells whether line is the end-line of this frame (RFC 4975 section 7.1), and takes its flag.
func (d *Decoder) endLine(line []byte) bool {
	id, flag := len(line)-1-len(d.f.TransactionID), len(line)-1
	if id != len(dashes) || string(line[:id]) != dashes || !bytes.Equal(line[id:flag], d.f.TransactionID) || !Continuation(line[flag]).valid() {
		return false
	}
	d.f.Continuation = Continuation(line[flag])
	return true
}

// endHead looks at the head as a whole, which is n bytes long, and notes whether a body follows.
func (d *Decoder) endHead(n int, body bool) error {
	switch {
	case len(d.f.ToPath) == 0 || len(d.f.FromPath) == 0:
		return malformed("frame without To-Path or From-Path")
	case body && !d.f.HasBody():
		return malformed("body without Content-Type")
	case !body && d.f.HasBody():
		return malformed("Content-Type without a body")
	}
	d.head, d.body = d.start+d.line, d.start+n
	if body {
		d.state = atBodyStart
		d.needle = append(append(d.space[:0], "\r\n"+dashes...), d.f.TransactionID...)
	}
	return nil
}

// Body returns the next piece of the body, aliasing the Decoder's buffer until the next call, and io.EOF at its end: from then
// on the Frame's Continuation is set. A frame without a body gives io.EOF at once. A connection that ends within a body is io.ErrUnexpectedEOF.
func (d *Decoder) Body() ([]byte, error) {
	if d.state == atHead {
		return nil, io.EOF
	}
	for {
		piece, done := d.scan()
		if len(piece) > 0 {
			return piece, nil
		}
		if done {
			return nil, io.EOF
		}
		if err := d.fill(); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// scan looks at what is buffered: a piece of the body, or the end-line, or too little to tell.
func (d *Decoder) scan() (piece []byte, done bool) {
	data := d.buf[d.body:d.end]
	tail := len(d.needle) + 3 // flag, CR, LF
	if d.state == atBodyStart {
		// An empty body may come without the CRLF before the end-line.
		bare := d.needle[2:]
		if len(data) < len(bare)+3 && bytes.HasPrefix(bare, data[:min(len(data), len(bare))]) {
			return nil, false
		}
		if bytes.HasPrefix(data, bare) && endsLine(data[len(bare):]) {
			return nil, d.finish(len(bare))
		}
		d.state = inBody
	}
	i := bytes.Index(data, d.needle)
	switch {
	case i < 0: // the end-line may have begun
		i = d.beginning(data)
	case i > 0:
	case len(data) < tail:
	case endsLine(data[len(d.needle):]):
		return nil, d.finish(len(d.needle))
	default:
		i = 1 // looks like an end-line and is none: body
	}
	d.body += i
	return data[:i], false
}

// beginning finds where the end-line may have begun in data, at its end if nowhere.
func (d *Decoder) beginning(data []byte) int {
	for i := max(0, len(data)-len(d.needle)+1); ; i++ {
		cr := bytes.IndexByte(data[i:], '\r')
		if cr < 0 {
			return len(data)
		}
		if i += cr; bytes.HasPrefix(d.needle, data[i:]) {
			return i
		}
	}
}

// endsLine tells whether what follows the transaction ID makes an end-line.
func endsLine(b []byte) bool {
	return len(b) >= 3 && Continuation(b[0]).valid() && b[1] == '\r' && b[2] == '\n'
}

// finish ends the frame behind n more bytes and the rest of the end-line.
func (d *Decoder) finish(n int) bool {
	d.f.Continuation = Continuation(d.buf[d.body+n])
	d.body += n + 3
	d.state = atHead
	return true
}

// Within tells whether a frame has begun and not ended. A peer may be silent for long between two frames, but not within one.
func (d *Decoder) Within() bool { return d.state != atHead || d.end > d.body }

// parseStart reads "MSRP id SEND" or "MSRP id 200 OK".
func (f *Frame) parseStart(line []byte) error {
	const msrp = "MSRP "
	if len(line) < len(msrp) || string(line[:len(msrp)]) != msrp {
		return malformed("start line does not begin with MSRP")
	}
	line = line[len(msrp):]
	n := identLen(line)
	if n < minTransactionID || n > maxTransactionID || n == len(line) || line[n] != ' ' {
		return malformed("transaction ID in the start line")
	}
	f.TransactionID, line = line[:n], line[n+1:]
	if validMethod(line) {
		f.Method = line
		return nil
	}
	code, comment, _ := bytes.Cut(line, []byte{' '})
	var ok bool
	if f.Status, ok = parseCode(code); !ok {
		return malformed("method or status code in the start line")
	}
	f.Comment = comment
	return nil
}

func (f *Frame) parseHeader(line []byte) error {
	var name [longestName]byte // in lower case
	n := 0
	for n < len(line) && tokenChars[line[n]] != 0 {
		name[n%longestName] = tokenChars[line[n]]
		n++
	}
	if n == 0 || n == len(line) || line[n] != ':' || !letter(line[0]) {
		return malformed("header name")
	}
	value := trim(line[n+1:])
	if n > longestName {
		f.Header = append(f.Header, Header{line[:n], value})
		return nil
	}
	field := f.field(name[:n])
	switch {
	case field == nil && string(name[:n]) == "byte-range":
		f.parseByteRange(value)
	case field == nil:
		f.Header = append(f.Header, Header{line[:n], value})
	case *field != nil:
		return malformed("two %s headers", printable(line[:n]))
	default:
		*field = value
	}
	return nil
}

// parseByteRange notes what is wrong with the header for a 400: the framing holds without it.
func (f *Frame) parseByteRange(value []byte) {
	r, err := parseByteRange(value)
	if err == nil && f.ByteRange != (ByteRange{}) {
		err = malformed("two Byte-Range headers")
	}
	f.ByteRange = r
	if f.Invalid == nil {
		f.Invalid = err
	}
}

const keptHeaders = 16 // of a Decoder that waits

const longestName = 16 // a power of two, no less than the length of any name in field

// field returns where the value of a header stands whose name is given in lower case, nil for a header without a field of its own.
func (f *Frame) field(name []byte) *[]byte {
	switch string(name) {
	case "to-path":
		return &f.ToPath
	case "from-path":
		return &f.FromPath
	case "message-id":
		return &f.MessageID
	case "success-report":
		return &f.SuccessReport
	case "failure-report":
		return &f.FailureReport
	case "status":
		return &f.StatusHeader
	case "content-type":
		return &f.ContentType
	}
	return nil
}
