package msrp

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// Report is a REPORT that came for a message of ours after its Delivery had ended (RFC 4975 section 7.1.2): a relay that answered 200 could not
// pass it on, for example.
type Report struct {
	MessageID string
	ByteRange ByteRange // what it speaks of; a claim of the peer's
	Code      int       // three digits: 408, 413, 481, …
	Comment   string    // the reporter's own words, may be empty; made printable
}

// ReceiveReport returns the next failure that was reported after the Delivery of its message had ended; reports before that go to the Delivery. At
// most 64 wait here, the oldest give way. Unlike a failure of a Delivery, none ends the session: whether the message was ours is not remembered.
// After the session has ended it returns what is left, then the session's error. A ctx that ends leaves the session as it is.
func (s *Session) ReceiveReport(ctx context.Context) (*Report, error) {
	for {
		s.mu.Lock()
		if len(s.late) > 0 {
			r := s.late[0]
			s.late = s.late[1:]
			s.mu.Unlock()
			return r, nil
		}
		if s.err != nil {
			defer s.mu.Unlock()
			return nil, s.err
		}
		more := closedIf(&s.moreLate, false)
		s.mu.Unlock()
		select {
		case <-more:
		case <-s.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// reportLate, under s.mu, queues a report for ReceiveReport.
func (s *Session) reportLate(r *Report) {
	if len(s.late) == maxLateReports {
		s.late = s.late[1:]
	}
	s.late = append(s.late, r)
	if s.moreLate != nil {
		close(s.moreLate)
		s.moreLate = nil
	}
}

// Report tells the sender of m what became of it (RFC 4975 section 7.1.2): StatusOK is a success report, sent if m asked for one; any other code, of
// three digits, a failure report, sent unless m wanted none. With Options.ManualReports it is for the caller to do, once for each message, as it was
// received: the length of its body is part of the report. It does not wait. Errors: ErrNotConnected, ErrStalled, ErrClosed or what ended the session,
// one wrapping ErrMalformed for a code or a message that cannot go on the wire.
func (s *Session) Report(m *Message, code int) error {
	size := int64(len(m.Body))
	if st, ok := m.Reader.(*stream); ok {
		size = st.received()
	}
	return s.reportOn(m, ByteRange{1, size, size}, code)
}

// reportOn reports on a part of a message.
func (s *Session) reportOn(m *Message, r ByteRange, code int) error {
	if code < 100 || code > 999 {
		return malformed("status code %d", code)
	}
	if code == StatusOK && !m.SuccessReport || code != StatusOK && m.FailureReport == No {
		return nil
	}
	if !validTransactionID([]byte(m.ID)) { // all of it that goes on the wire
		return malformed("message ID %q", m.ID)
	}
	c, err := s.connection(false)
	if err != nil {
		return err
	}
	_, id := newTransactionID(nil)
	b := append(append(buffer.New(buffer.Tiny), "MSRP "...), id[:]...)
	b = append(b, " REPORT\r\nTo-Path: "...)
	if m.from != "" {
		b = append(b, m.from...)
	} else {
		b = append(b, s.toPath...)
	}
	b = append(append(b, "\r\nFrom-Path: "...), s.own...)
	b = append(append(b, "\r\nMessage-ID: "...), m.ID...)
	b = r.append(append(b, "\r\nByte-Range: "...))
	b = strconv.AppendInt(append(b, "\r\nStatus: 000 "...), int64(code), 10)
	b = append(append(b, ' '), StatusText(code)...)
	if err = c.w.push(append(appendEnd(b, id[:]), "$\r\n"...)); errors.Is(err, ErrStalled) {
		c.close(err)
	}
	return err
}

// report takes a REPORT (RFC 4975 section 5.3).
func (s *Session) report(f *Frame) {
	code, text, err := ParseStatus(f.StatusHeader)
	if err != nil || f.Invalid != nil || !validTransactionID(f.MessageID) {
		return
	}
	s.mu.Lock()
	d := s.delivery(f.MessageID)
	switch {
	case d == nil && code == StatusOK: // late, or twice
	case d == nil:
		s.reportLate(&Report{string(f.MessageID), f.ByteRange, code, printable(text)})
	case code != StatusOK:
		err := &StatusError{code, printable(text)}
		d.fail(err)
		if code == StatusTimeout && s.dead == nil { // some of it has not arrived (section 7.3.2)
			s.dead = err
		}
	default:
		d.reported.add(f.ByteRange)
		d.progress()
	}
	dead := s.dead
	s.mu.Unlock()
	s.settled(0, dead)
}

// delivery, under s.mu, finds a delivery that has no outcome yet.
func (s *Session) delivery(id []byte) *Delivery {
	if d := s.reports[string(id)]; d != nil {
		return d
	}
	for _, r := range s.inflight {
		if r.d.id == string(id) && !r.d.ended {
			return r.d
		}
	}
	return nil
}

// expect, under s.mu, has reports find d.
func (s *Session) expect(d *Delivery) {
	if s.reports == nil {
		s.reports = map[string]*Delivery{}
	}
	if old := s.reports[d.id]; old != nil {
		old.end(ErrUnreported) // an ID used again by the caller
	}
	s.reports[d.id] = d
}

// awaitReport, under s.mu, begins the time for the success report of d, which has been sent. The oldest that waits gives way when too many do.
func (s *Session) awaitReport(d *Delivery) {
	if s.unreported == maxUnreported {
		s.oldest.end(ErrUnreported)
	}
	s.unreported++
	d.deadline = time.Now().Add(reportTimeout)
	if d.older = s.newest; d.older != nil {
		d.older.newer = d
	} else {
		s.oldest = d
	}
	s.newest = d
	s.arm(s.oldest.deadline)
}

// forget, under s.mu, is the reverse of expect and awaitReport.
func (s *Session) forget(d *Delivery) {
	if s.reports[d.id] == d {
		delete(s.reports, d.id)
	}
	if d.older == nil && s.oldest != d {
		return
	}
	s.unreported--
	if d.older != nil {
		d.older.newer = d.newer
	} else if s.oldest == d {
		s.oldest = d.newer
	}
	if d.newer != nil {
		d.newer.older = d.older
	} else if s.newest == d {
		s.newest = d.older
	}
	d.older, d.newer = nil, nil
}

// sweepReports, under s.mu, ends the deliveries whose success report has not come in time.
func (s *Session) sweepReports(now time.Time) {
	for s.oldest != nil && !now.Before(s.oldest.deadline) {
		s.oldest.end(ErrTimeout)
	}
	if s.oldest != nil {
		s.arm(s.oldest.deadline)
	}
}
