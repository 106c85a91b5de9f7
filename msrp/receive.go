package msrp

import (
	"bytes"
	"io"
)

// receive takes one SEND frame, answers it and puts a finished message into the inbox. It runs on the read loop.
func (s *Session) receive(c *conn, f *Frame) error {
	var one partial // a message in one chunk needs no other, and this stays on the stack
	p, code := s.begin(f, &one)
	if code == StatusOK { // binds the session or keeps it alive
		return c.respond(f, code)
	}
	if code == 0 {
		var err error
		if code, err = s.collect(c, p); err != nil {
			return err
		}
	}
	if code != 0 {
		return s.refuse(c, f, p, code)
	}
	code, whole := s.settle(p, f)
	if code != StatusOK || p.stream == nil || !s.withhold(c, f) {
		if err := c.respond(f, code); err != nil {
			return err
		}
	}
	if whole && p.m.SuccessReport && !s.e.o.ManualReports {
		return ignoreClosed(s.reportOn(&p.m, ByteRange{1, p.total, p.total}, StatusOK))
	}
	return nil
}

// begin finds the message that a chunk belongs to, or makes one of fresh. A code other than 0 answers the chunk without a look at its body.
func (s *Session) begin(f *Frame, fresh *partial) (p *partial, code int) {
	b := &s.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	p = b.partials[string(f.MessageID)]
	switch i := b.refusal(f.MessageID); {
	case p == nil && !f.HasBody() && i < 0:
		return nil, StatusOK
	case b.closed:
		return nil, StatusNoSession
	case len(f.MessageID) == 0 || !validTransactionID(f.MessageID):
		return nil, StatusBadRequest
	case i >= 0:
		return nil, b.refused[i].code
	case p == nil:
		p = fresh
		if code = s.introduce(p, f); code != 0 {
			return p, code
		}
	}
	p.busy = true
	p.begin(f.ByteRange)
	return p, 0
}

// introduce reads the headers of a message from its first chunk.
func (s *Session) introduce(p *partial, f *Frame) int {
	if b := &s.inbox; string(f.ContentType) != b.contentType { // few sessions have more than one
		b.contentType = string(f.ContentType)
		b.accepted = s.accepts(b.contentType)
	}
	p.m = Message{
		ID: string(f.MessageID), ContentType: s.inbox.contentType, Header: cloneHeader(f.Header),
		SuccessReport: equalName(f.SuccessReport, "yes"), FailureReport: parseFailureReport(f.FailureReport),
	}
	if !bytes.Equal(f.FromPath, s.toPath) {
		p.m.from = string(f.FromPath) // a report goes back the way the message came (RFC 4975 section 7.1.3)
	}
	switch most := int64(s.e.o.MaxMessage); {
	case !s.inbox.accepted:
		return StatusUnsupportedMedia
	case s.e.o.StreamAbove > 0:
	case f.ByteRange.Total > most || f.ByteRange.Start > most+1:
		return StatusStopSending
	}
	return 0
}

// collect reads the body of a chunk. A code other than 0 refuses it, perhaps before its end.
func (s *Session) collect(c *conn, p *partial) (code int, err error) {
	for {
		piece, err := c.dec.Body()
		if err == io.EOF {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if code = s.add(c, p, piece); code != 0 {
			return code, nil
		}
	}
}

// add takes a piece of a message's body.
func (s *Session) add(c *conn, p *partial, piece []byte) (code int) {
	o := &s.e.o
	if p.stream != nil && p.inOrder() {
		p.passOver(len(piece))
		return s.pour(c, p.stream, piece)
	}
	if !p.write(piece) {
		return StatusStopSending
	}
	if p.stream == nil && o.StreamAbove > 0 && len(p.head.bytes) > o.StreamAbove {
		code = s.handOver(c, p)
	}
	if code == 0 && p.stream != nil {
		code = s.pour(c, p.stream, p.pass())
	}
	if code == 0 && (p.size() > o.MaxMessage || o.StreamAbove == 0 && p.at > int64(o.MaxMessage)) {
		code = StatusStopSending
	}
	return code
}

// settle does what the end of a chunk demands: it keeps the partial message, drops it, or delivers it whole.
func (s *Session) settle(p *partial, f *Frame) (code int, whole bool) {
	b := &s.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	switch consistent := p.end(f.Continuation); {
	case b.closed:
		return StatusNoSession, false
	case f.Continuation == Aborted:
		code = StatusOK
		b.end(p.stream, ErrAborted)
	case !consistent:
		code = StatusBadRequest
		b.end(p.stream, malformed("the chunks of a message contradict each other"))
	case !p.whole():
		if s.keep(p) {
			return StatusOK, false
		}
		code = StatusStopSending
		b.end(p.stream, errNoRoom)
	case b.deliver(p):
		code, whole = StatusOK, true
	default:
		code = StatusStopSending
	}
	b.forget(f.MessageID)
	if code != StatusOK {
		s.noteRefusal(f.MessageID, code, f.Continuation)
	}
	return code, whole
}

// deliver, under mu, puts a whole message into the inbox, if there is room, or ends its stream.
func (b *inbox) deliver(p *partial) bool {
	if p.stream != nil {
		b.end(p.stream, io.EOF)
		return true
	}
	m := new(Message)
	*m = p.m
	m.Body = p.head.bytes
	return b.put(m)
}
