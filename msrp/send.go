package msrp

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// Send hands a message to the connection and returns its Delivery. A body goes in one chunk whenever the peers out there can take it,
// else in several (RFC 4975 section 5.1); chunks of messages sent at the same time take turns, and a short message overtakes a long one. Send waits for
// room in the session's window, and for m.Reader, so it returns when the last chunk is queued; it keeps no reference to m. Messages of one goroutine
// reach the wire in the order of its calls. A message without ContentType has no body: it keeps the session alive and is not shown to the peer's user.
//
// Errors: ErrNotConnected, ErrClosed or what ended the session, an error wrapping ErrMalformed for a field that cannot go on the wire, one wrapping ErrTooLarge for
// more headers than a receiver with the default Limits takes,
// *StatusError or ErrTimeout if the peer refuses a chunk before the last is sent, what m.Reader returns, io.ErrUnexpectedEOF if it ends before m.Size, or
// ctx's error, which is looked at between two reads of m.Reader; then the message is aborted on the wire.
func (s *Session) Send(ctx context.Context, m *Message) (*Delivery, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	c, err := s.connection(true)
	if err != nil {
		return nil, err
	}
	if s.headSize(m) > defaultHeadBytes || len(m.Header) > maxHeaders {
		return nil, fmt.Errorf("%w: the head of a message", ErrTooLarge)
	}
	d := &Delivery{id: m.ID, s: s, report: m.SuccessReport, size: int64(len(m.Body))}
	if d.id == "" {
		d.id = newMessageID()
	}
	whole := m.Reader == nil && len(m.Body) <= s.frameSize()
	if d.report || !whole {
		s.mu.Lock()
		s.expect(d)
		s.mu.Unlock()
	}
	if whole {
		err = s.chunk(ctx, c, m, d, 0, m.Body, true)
	} else {
		err = s.transfer(ctx, c, m, d)
	}
	if err != nil {
		s.mu.Lock()
		d.end(err)
		s.mu.Unlock()
		return nil, err
	}
	return d, nil
}

func (m *Message) check() error {
	switch {
	case (len(m.Body) > 0 || m.Reader != nil) && m.ContentType == "":
		return malformed("body without ContentType")
	case len(m.Body) > 0 && m.Reader != nil:
		return malformed("message with Body and Reader")
	case m.Size < 0 || m.Size > mostCount || m.Size > 0 && m.Reader == nil:
		return malformed("Size %d", m.Size)
	case !validValue([]byte(m.ContentType)):
		return malformed("ContentType %q", m.ContentType)
	case m.ID != "" && (!validTransactionID([]byte(m.ID)) || !alphanum(rune(m.ID[0]))): // "ident"
		return malformed("message ID %q", m.ID)
	case m.FailureReport > No:
		return malformed("FailureReport %d", m.FailureReport)
	}
	return m.checkHeaders()
}

// checkHeaders also refuses a Content-Transfer-Encoding: bodies are binary (RFC 4975 section 7.1.1).
func (m *Message) checkHeaders() error {
	for _, h := range m.Header {
		if equalName(h.Name, "Content-Transfer-Encoding") {
			return malformed("header %q", h.Name)
		}
	}
	return checkHeaders(m.Header)
}

// headSize is about how many bytes the head of a chunk of m has.
func (s *Session) headSize(m *Message) int {
	n := ownHeadBytes + len(s.toPath) + len(s.own) + len(m.ContentType)
	for _, h := range m.Header {
		n += len(h.Name) + len(h.Value) + len(": \r\n")
	}
	return n
}

// connection returns the session's connection, for a new message or for something else.
func (s *Session) connection(message bool) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, s.err
	case s.shutdown && message:
		return nil, ErrClosed
	case s.conn == nil:
		return nil, ErrNotConnected
	}
	return s.conn, nil
}

// frameSize is how much of a body goes into one frame that nothing interrupts: see "What we put on the wire" in docs/ARCHITECTURE.md.
func (s *Session) frameSize() int {
	if s.direct {
		return unbrokenBytes
	}
	return chunkBytes
}

// chunk waits for room and queues one whole frame. If that fails it gives the room in the window back; else the response or sweep does.
func (s *Session) chunk(ctx context.Context, c *conn, m *Message, d *Delivery, from int64, body []byte, last bool) error {
	queue := writeQueue
	if from > 0 || !last {
		queue = transferQueue
	}
	room, err := s.admit(ctx, c, m, d, len(body)+1, queue)
	if err == nil {
		flag := More
		if last {
			flag = Complete
		}
		id, text := newTransactionID(body)
		b := s.appendHead(buffer.New(len(body)+headBytes), text[:], m, d.id, from, int64(len(body)), last)
		b = append(appendEnd(append(b, body...), text[:]), byte(flag), '\r', '\n')
		err = s.enqueue(d, last, from+int64(len(body)), func() error {
			if err := c.w.request(b, d); err != nil {
				return err
			}
			s.inFlight(request{id, room, d}, m.FailureReport)
			return nil
		})
	}
	return s.giveBack(room, err)
}

// admit waits for room in the window, if m's chunks are answered, and until no more than so many bytes are queued on the connection.
func (s *Session) admit(ctx context.Context, c *conn, m *Message, d *Delivery, n, queue int) (room int, err error) {
	if m.FailureReport == Yes {
		if err := s.window.acquire(ctx, s.done, d, n); err != nil {
			return 0, err
		}
		room = n
	}
	return room, c.w.wait(ctx, s.done, queue)
}

func (s *Session) giveBack(room int, err error) error {
	if err != nil && room > 0 {
		s.window.release(room)
	}
	return s.reason(err)
}

// enqueue runs queue, which hands a frame or a piece of one to the writer and notes it for its response, in one step with what that means for d: the
// response may come at once.
func (s *Session) enqueue(d *Delivery, last bool, size int64, queue func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if d.ended { // refused meanwhile
		return d.err
	}
	if err := queue(); err != nil {
		return err
	}
	if last {
		d.handed, d.size = true, size
		if d.report {
			s.awaitReport(d)
		}
	}
	d.progress()
	return nil
}

// inFlight, under s.mu, notes a request for its response.
func (s *Session) inFlight(r request, wanted FailureReport) {
	now := time.Now()
	s.lastSent = now
	switch wanted {
	case Yes:
		r.d.pending++
		s.inflight = append(s.inflight, r)
		s.arm(now.Add(responseTimeout))
	case Partial:
		s.rememberSilent(r.id, r.d)
	}
}

// reason replaces ErrClosed by what ended the session.
func (s *Session) reason(err error) error {
	if errors.Is(err, ErrClosed) {
		if end := s.Err(); end != nil {
			return end
		}
	}
	return err
}

// appendHead writes a SEND frame up to its body, of which n bytes follow, Unknown if the frame may be ended early. Its fields have been checked by
// Message.check and Connect.
func (s *Session) appendHead(b, id []byte, m *Message, messageID string, from, n int64, last bool) []byte {
	b = append(append(b, "MSRP "...), id...)
	b = append(append(b, " SEND\r\nTo-Path: "...), s.toPath...)
	b = append(append(b, "\r\nFrom-Path: "...), s.own...)
	b = append(append(b, "\r\nMessage-ID: "...), messageID...)
	if m.SuccessReport {
		b = append(b, "\r\nSuccess-Report: yes"...)
	}
	if m.FailureReport != Yes || m.SuccessReport { // msrp-node-lib reports only to who says so
		b = append(append(b, "\r\nFailure-Report: "...), m.FailureReport.String()...)
	}
	r := ByteRange{Start: from + 1, End: Unknown, Total: int64(len(m.Body))}
	switch {
	case m.Size > 0:
		r.Total = m.Size
	case m.Reader != nil && last:
		r.Total = from + n
	case m.Reader != nil:
		r.Total = Unknown
	}
	if n != Unknown && n <= interruptible {
		r.End = from + n
	}
	b = r.append(append(b, "\r\nByte-Range: "...))
	if m.ContentType == "" {
		return b
	}
	for _, h := range m.Header {
		b = append(append(append(append(b, "\r\n"...), h.Name...), ": "...), h.Value...)
	}
	b = append(append(b, "\r\nContent-Type: "...), m.ContentType...)
	return append(b, "\r\n\r\n"...)
}

// appendEnd writes the end-line up to its flag.
func appendEnd(b, id []byte) []byte { return append(append(b, "\r\n-------"...), id...) }

// newTransactionID has 64 random bits and does not stand in the body.
func newTransactionID(body []byte) (uint64, [16]byte) {
	for {
		id := rand.Uint64()
		text := formatID(id)
		if !endLineIn(body, text[:]) {
			return id, text
		}
	}
}

func formatID(id uint64) (text [16]byte) {
	const digits = "0123456789abcdef"
	for i := range text {
		text[i] = digits[id>>(60-4*i)&15]
	}
	return text
}

func parseTransactionID(b []byte) (uint64, bool) {
	if len(b) != 16 {
		return 0, false
	}
	var raw [8]byte
	if _, err := hex.Decode(raw[:], b); err != nil {
		return 0, false
	}
	return binary.BigEndian.Uint64(raw[:]), true
}

// newMessageID has 128 random bits: it is to be unique in the world (RFC 4975 section 7.1.1).
func newMessageID() string {
	var id [32]byte
	a, b := formatID(rand.Uint64()), formatID(rand.Uint64())
	copy(id[copy(id[:], a[:]):], b[:])
	return string(id[:])
}
