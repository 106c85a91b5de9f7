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
// A Decoder allocates nothing per frame once its buffer has grown to what the peer sends, at most 64 KiB more than Limits.HeadBytes.
// It is not safe for concurrent use.
type Decoder struct {
	r      io.Reader
	limits Limits
	f      Frame
	needle []byte // CRLF, seven dashes, transaction ID: the start of this frame's end-line

	// buf[start:head] is the head of the frame in hand, buf[body:end] what was read after it.
	buf                    []byte
	start, head, body, end int

	state        decodeState
	continuation Continuation // of a frame without a body, from findHead to parseHead
	full         bool         // the last Read filled the buffer: more is waiting
}

type decodeState uint8

const (
	atHead decodeState = iota
	atBodyStart
	inBody
)

const (
	firstBuffer = 2 << 10
	mostBuffer  = 64 << 10 // for body bytes, beyond the head
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
	if d.start == d.end {
		d.start, d.body, d.end = 0, 0, 0
	}
	if err := d.findHead(); err != nil {
		return nil, err
	}
	if err := d.parseHead(d.buf[d.start:d.head]); err != nil {
		return nil, err
	}
	return &d.f, nil
}

// findHead reads until the head of a frame is whole: its lines up to a blank one or the end-line. Offsets count from d.start, since the
// buffer may move meanwhile.
func (d *Decoder) findHead() error {
	from, to := 0, 0 // of the transaction ID
	for line, lines := 0, 0; ; lines++ {
		next, err := d.findLine(line)
		if err != nil {
			return err
		}
		text := d.buf[d.start+line : d.start+next-2]
		if lines == 0 {
			if from, to, err = transactionID(text); err != nil {
				return err
			}
		}
		id := d.buf[d.start+from : d.start+to]
		switch {
		case len(text) == 0 || isEndLine(text, id):
			d.setHead(line, next, id, len(text) == 0)
			return nil
		case lines > 0 && bytes.IndexByte(text, ':') < 0:
			return malformed("header line without a colon")
		case lines == d.limits.Headers:
			return fmt.Errorf("%w: more than %d headers", ErrTooLarge, d.limits.Headers)
		}
		line = next
	}
}

// findLine reads until the line at offset from is whole and returns the offset behind its CRLF.
func (d *Decoder) findLine(from int) (next int, err error) {
	for seen := from; ; {
		i := bytes.IndexByte(d.buf[d.start+seen:d.end], '\n')
		next = seen + i + 1
		if i < 0 {
			next = d.end - d.start
		}
		if next > d.limits.HeadBytes {
			return 0, fmt.Errorf("%w: head of more than %d bytes", ErrTooLarge, d.limits.HeadBytes)
		}
		if i >= 0 {
			if next-from < 2 || d.buf[d.start+next-2] != '\r' {
				return 0, malformed("line without CRLF")
			}
			return next, nil
		}
		seen = next
		if err := d.fill(); err != nil {
			return 0, d.headError(err)
		}
	}
}

// setHead notes where the head of the frame ends and what comes after it. From here on the Frame aliases the buffer, and the body is
// read in behind the head: a head far back in the buffer is moved to the front first, so that there is always room.
func (d *Decoder) setHead(line, next int, id []byte, blank bool) {
	d.needle = append(append(append(d.needle[:0], '\r', '\n'), dashes...), id...)
	if d.start+line > len(d.buf)/2 {
		d.compact()
	}
	d.head, d.body = d.start+line, d.start+next
	d.continuation, d.state = 0, atBodyStart
	if !blank {
		d.continuation = Continuation(d.buf[d.head+len(dashes)+len(id)])
		d.state = atHead
	}
}

// compact moves what is buffered to the front.
func (d *Decoder) compact() {
	d.end = copy(d.buf, d.buf[d.start:d.end])
	d.start, d.body = 0, 0
}

func transactionID(startLine []byte) (from, to int, err error) {
	if !bytes.HasPrefix(startLine, []byte("MSRP ")) {
		return 0, 0, malformed("start line does not begin with MSRP")
	}
	i := bytes.IndexByte(startLine[5:], ' ')
	if i < 0 || !validTransactionID(startLine[5:5+i]) {
		return 0, 0, malformed("transaction ID in the start line")
	}
	return 5, 5 + i, nil
}

func isEndLine(line, id []byte) bool {
	return len(line) == len(dashes)+len(id)+1 && bytes.HasPrefix(line, dashes) &&
		bytes.Equal(line[len(dashes):len(line)-1], id) && Continuation(line[len(line)-1]).valid()
}

func (d *Decoder) headError(err error) error {
	if err == io.EOF && d.end > d.start {
		return io.ErrUnexpectedEOF
	}
	return err
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
	case i < 0:
		i = max(0, len(data)-tail+1)
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

// within tells whether a frame has begun and not ended.
func (d *Decoder) within() bool { return d.state != atHead || d.end > d.start }

// fill reads more bytes behind what is buffered. The head of a frame stays where it is once it is whole; if the buffer has to
// grow, the Frame goes on aliasing the old one.
func (d *Decoder) fill() error {
	if d.state == atHead {
		d.compact()
	} else { // slide the rest of the body down to the head
		d.end = d.head + copy(d.buf[d.head:], d.buf[d.body:d.end])
		d.body = d.head
	}
	if d.full || d.end == len(d.buf) {
		d.grow()
	}
	n, err := d.r.Read(d.buf[d.end:])
	d.end += n
	d.full = d.end == len(d.buf)
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// grow doubles the buffer up to its bound.
func (d *Decoder) grow() {
	n := min(max(firstBuffer, 2*len(d.buf)), d.limits.HeadBytes+mostBuffer)
	if n == len(d.buf) {
		return
	}
	b := make([]byte, n)
	copy(b, d.buf[:d.end])
	d.buf = b
}

func (d *Decoder) parseHead(head []byte) error {
	f := &d.f
	*f = Frame{Header: f.Header[:0], Continuation: d.continuation}
	line, rest := cutLine(head)
	if err := f.parseStart(line); err != nil {
		return err
	}
	for len(rest) > 0 {
		line, rest = cutLine(rest)
		if err := f.parseHeader(line); err != nil {
			return err
		}
	}
	if len(f.ToPath) == 0 || len(f.FromPath) == 0 {
		return malformed("frame without To-Path or From-Path")
	}
	if d.state != atHead && !f.HasBody() {
		return malformed("body without Content-Type")
	}
	if d.state == atHead && f.HasBody() {
		return malformed("Content-Type without a body")
	}
	return nil
}

// cutLine splits behind the first CRLF, which findHead has made sure of.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	return b[:i-1], b[i+1:]
}

// parseStart reads "MSRP id SEND" or "MSRP id 200 OK".
func (f *Frame) parseStart(line []byte) error {
	id, rest, _ := bytes.Cut(line[len("MSRP "):], []byte{' '})
	word, comment, _ := bytes.Cut(rest, []byte{' '})
	f.TransactionID = id
	if !validText(line) {
		return malformed("control character in the start line")
	}
	if code, ok := parseCode(word); ok {
		f.Status, f.Comment = code, comment
		return nil
	}
	if len(word) == 0 || len(rest) != len(word) || bytes.IndexFunc(word, notUpper) >= 0 {
		return malformed("method in the start line")
	}
	f.Method = word
	return nil
}

func (f *Frame) parseHeader(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || !validName(line[:colon]) || !validText(line) {
		return malformed("header name, or control character in a header")
	}
	name, value := line[:colon], trim(line[colon+1:])
	if equalName(name, "Byte-Range") {
		r, err := parseByteRange(value)
		if err == nil && f.ByteRange != (ByteRange{}) {
			err = malformed("two Byte-Range headers")
		}
		f.ByteRange = r
		f.invalid(err)
		return nil
	}
	field := f.field(name)
	switch {
	case field == nil:
		f.Header = append(f.Header, Header{name, value})
	case *field != nil:
		return malformed("two %s headers", printable(name))
	default:
		*field = value
	}
	return nil
}

// trim takes blanks off both ends. Unlike bytes.Trim it never returns nil, which would pass for an absent header.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// invalid keeps the first thing that is wrong.
func (f *Frame) invalid(err error) {
	if f.Invalid == nil {
		f.Invalid = err
	}
}

// field returns where the value of a named header stands, nil for a header without a field of its own.
func (f *Frame) field(name []byte) *[]byte {
	switch len(name) {
	case len("Status"):
		if equalName(name, "Status") {
			return &f.StatusHeader
		}
	case len("To-Path"):
		if equalName(name, "To-Path") {
			return &f.ToPath
		}
	case len("From-Path"):
		if equalName(name, "From-Path") {
			return &f.FromPath
		}
	case len("Message-ID"):
		if equalName(name, "Message-ID") {
			return &f.MessageID
		}
	case len("Content-Type"):
		if equalName(name, "Content-Type") {
			return &f.ContentType
		}
	case len("Success-Report"): // and Failure-Report
		if equalName(name, "Success-Report") {
			return &f.SuccessReport
		}
		if equalName(name, "Failure-Report") {
			return &f.FailureReport
		}
	}
	return nil
}

func equalName(b []byte, name string) bool {
	return string(b) == name || bytes.EqualFold(b, []byte(name))
}
