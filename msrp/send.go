package msrp

import (
	"context"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"
)

// Send hands a message to the connection and returns its Delivery. A body goes in one chunk whenever the peers out there can take it,
// else in several (RFC 4975 section 5.1); chunks of messages sent at the same time take turns. Send waits for room in the session's window, so
// it returns when the last chunk is queued; it keeps no reference to m. Messages of one goroutine reach the wire in the order of its calls.
// A message without a body keeps the session alive and is not shown to the peer's user.
//
// Errors: ErrNotConnected, ErrClosed or what ended the session, an error wrapping ErrMalformed for a field that cannot go on the wire,
// *StatusError or ErrTimeout if the peer refuses a chunk before the last is sent, or ctx's error; then the message is aborted on the wire.
func (s *Session) Send(ctx context.Context, m *Message) (*Delivery, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	c, err := s.connection(true)
	if err != nil {
		return nil, err
	}
	d := &Delivery{id: m.ID, s: s, report: m.SuccessReport, size: int64(len(m.Body)), sent: make(chan struct{}), done: make(chan struct{})}
	if d.id == "" {
		d.id = newMessageID()
	}
	if d.report {
		s.mu.Lock()
		s.expect(d)
		s.mu.Unlock()
	}
	if err := s.chunks(ctx, c, m, d); err != nil {
		s.mu.Lock()
		d.end(err)
		s.mu.Unlock()
		return nil, err
	}
	return d, nil
}

func (m *Message) check() error {
	switch {
	case len(m.Body) > 0 && m.ContentType == "":
		return malformed("body without ContentType")
	case !validText([]byte(m.ContentType)):
		return malformed("ContentType %q", m.ContentType)
	case m.ID != "" && !validTransactionID([]byte(m.ID)): // both are "ident"
		return malformed("message ID %q", m.ID)
	case m.FailureReport > No:
		return malformed("FailureReport %d", m.FailureReport)
	}
	return nil
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

// chunks sends the body of m, piece by piece.
func (s *Session) chunks(ctx context.Context, c *conn, m *Message, d *Delivery) error {
	size, from := len(m.Body), 0
	for {
		n := min(size-from, s.chunkSize(size))
		last := from+n == size
		if err := s.chunk(ctx, c, m, d, from, n, last); err != nil {
			if from > 0 {
				s.abort(c, m, d, from)
			}
			return err
		}
		if from += n; last {
			return nil
		}
	}
}

// chunkSize is how much of a message goes into one frame: see "What we put on the wire" in docs/ARCHITECTURE.md.
func (s *Session) chunkSize(size int) int {
	if s.direct && (size <= unbrokenBytes || !s.window.contended()) {
		return size
	}
	return chunkBytes
}

// chunk waits for room and queues one frame. If that fails it gives the room in the window back; else the response or sweep does.
func (s *Session) chunk(ctx context.Context, c *conn, m *Message, d *Delivery, from, n int, last bool) error {
	answered := m.FailureReport == Yes
	if answered {
		if err := s.window.acquire(ctx, s.done, n); err != nil {
			return s.reason(err)
		}
	}
	err := c.w.wait(ctx, writeQueue)
	if err == nil {
		flag := More
		if last {
			flag = Complete
		}
		body := m.Body[from : from+n]
		id, text := newTransactionID(body)
		frame := s.appendChunk(newBuffer(), text[:], m, d.id, from, body, flag)
		err = s.enqueue(c, frame, request{id, n, d}, answered, last)
	}
	if err != nil && answered {
		s.window.release(n)
	}
	return s.reason(err)
}

// enqueue hands one frame to the writer and notes it for its response, in one step: the response may come at once.
func (s *Session) enqueue(c *conn, frame []byte, r request, answered, last bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if r.d.ended { // refused meanwhile
		return r.d.err
	}
	if err := c.w.request(frame, r.d); err != nil {
		return err
	}
	if answered {
		r.d.pending++
		s.inflight = append(s.inflight, r)
		s.arm(time.Now().Add(responseTimeout))
	}
	r.d.handed = last
	r.d.progress()
	return nil
}

// abort tells the peer that the rest of a message will not come (RFC 4975 section 7.1).
func (s *Session) abort(c *conn, m *Message, d *Delivery, from int) {
	_, text := newTransactionID(nil)
	stop := *m
	stop.FailureReport, stop.SuccessReport = No, false
	s.mu.Lock()
	defer s.mu.Unlock()
	c.w.push(s.appendChunk(newBuffer(), text[:], &stop, d.id, from, nil, Aborted))
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

// appendChunk writes a SEND frame. Its fields have been checked by Message.check and Connect.
func (s *Session) appendChunk(b, id []byte, m *Message, messageID string, from int, body []byte, flag Continuation) []byte {
	b = append(append(b, "MSRP "...), id...)
	b = append(append(b, " SEND\r\nTo-Path: "...), s.toPath...)
	b = append(append(b, "\r\nFrom-Path: "...), s.own...)
	b = append(append(b, "\r\nMessage-ID: "...), messageID...)
	if m.SuccessReport {
		b = append(b, "\r\nSuccess-Report: yes"...)
	}
	if m.FailureReport != Yes {
		b = append(append(b, "\r\nFailure-Report: "...), m.FailureReport.String()...)
	}
	r := ByteRange{Start: int64(from) + 1, End: int64(from + len(body)), Total: int64(len(m.Body))}
	if len(m.Body) > interruptible {
		r.End = Unknown
	}
	b = r.append(append(b, "\r\nByte-Range: "...))
	if len(m.Body) > 0 {
		b = append(append(b, "\r\nContent-Type: "...), m.ContentType...)
		b = append(append(b, "\r\n\r\n"...), body...)
	}
	b = append(append(b, "\r\n-------"...), id...)
	return append(b, byte(flag), '\r', '\n')
}

// Report tells the sender of m what became of it (RFC 4975 section 7.1.2): StatusOK is a success report, sent if m asked for one; any
// other code, of three digits, a failure report, sent unless m wanted none. With Options.ManualReports it is for the caller to do, once for
// each message, as it was received: the length of its body is part of the report. It does not wait. Errors: ErrNotConnected, ErrStalled, ErrClosed or what ended the session, one wrapping ErrMalformed for
// a code or a message that cannot go on the wire.
func (s *Session) Report(m *Message, code int) error {
	if code < 100 || code > 999 {
		return malformed("status code %d", code)
	}
	if code == StatusOK && !m.SuccessReport || code != StatusOK && m.FailureReport == No {
		return nil
	}
	if m.ID == "" {
		return malformed("report on a message without ID")
	}
	if err := m.check(); err != nil {
		return err
	}
	c, err := s.connection(false)
	if err != nil {
		return err
	}
	_, id := newTransactionID(nil)
	size := int64(len(m.Body))
	b := append(append(newBuffer(), "MSRP "...), id[:]...)
	b = append(append(b, " REPORT\r\nTo-Path: "...), s.toPath...)
	b = append(append(b, "\r\nFrom-Path: "...), s.own...)
	b = append(append(b, "\r\nMessage-ID: "...), m.ID...)
	b = ByteRange{1, size, size}.append(append(b, "\r\nByte-Range: "...))
	b = strconv.AppendInt(append(b, "\r\nStatus: 000 "...), int64(code), 10)
	b = append(append(b, ' '), comment(code)...)
	b = append(append(b, "\r\n-------"...), id[:]...)
	if err = c.w.push(append(b, "$\r\n"...)); errors.Is(err, ErrStalled) {
		c.close(err)
	}
	return err
}

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
	var id uint64
	for _, x := range raw {
		id = id<<8 | uint64(x)
	}
	return id, true
}

// newMessageID has 128 random bits: it is to be unique in the world (RFC 4975 section 7.1.1).
func newMessageID() string {
	var id [32]byte
	a, b := formatID(rand.Uint64()), formatID(rand.Uint64())
	copy(id[copy(id[:], a[:]):], b[:])
	return string(id[:])
}
