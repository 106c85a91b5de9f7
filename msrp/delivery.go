package msrp

import (
	"context"
	"slices"
	"time"
)

// Delivery tells what became of a sent message (RFC 4975 section 5.3). It always ends: with a response, a report, a timeout or the end
// of the session. It is safe for concurrent use, and nobody has to look at it.
type Delivery struct {
	id     string
	s      *Session
	sent   chan struct{} // closed when every chunk is answered, or at failure
	done   chan struct{} // closed at the outcome
	report bool          // a success report is wanted
	size   int64

	// Under writer.mu.
	queued  int       // chunks not yet written
	written time.Time // when the last of the others was

	// The rest is under s.mu.
	pending  int  // chunks without a response
	handed   bool // the last chunk is with the connection
	reported int64
	deadline time.Time // for the report
	err      error
	ended    bool
	isSent   bool
}

// ID is the message's Message-ID.
func (d *Delivery) ID() string { return d.id }

// Sent is closed once the next hop has taken every chunk, or the delivery has failed. With Failure-Report no or partial
// that means only that everything was handed to the connection.
func (d *Delivery) Sent() <-chan struct{} { return d.sent }

// Wait returns the outcome: nil when the receiver's success report has come, or, if none was asked for, when the next hop has
// taken every chunk. A 200 of a relay says only that the relay has it. Errors: *StatusError for a refusal or a failure report,
// ErrTimeout without a response within 30 s after the last byte was written, or a report within 10 minutes (sooner
// if 1,024 later messages wait for theirs), what ended the session, or ctx's error, which leaves the Delivery as it is.
func (d *Delivery) Wait(ctx context.Context) error {
	select {
	case <-d.done:
		d.s.mu.Lock()
		defer d.s.mu.Unlock()
		return d.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Done is closed at the outcome; Wait then returns at once.
func (d *Delivery) Done() <-chan struct{} { return d.done }

// end, under s.mu, ends the delivery; what came first counts.
func (d *Delivery) end(err error) {
	if d.ended {
		return
	}
	d.ended, d.err = true, err
	d.markSent()
	close(d.done)
	if d.report {
		d.s.forget(d)
	}
}

// progress, under s.mu, looks whether the delivery has come to its end.
func (d *Delivery) progress() {
	if d.ended || !d.handed || d.pending > 0 {
		return
	}
	d.markSent()
	if d.report && d.reported < d.size {
		return
	}
	d.end(nil)
}

func (d *Delivery) markSent() {
	if !d.isSent {
		d.isSent = true
		close(d.sent)
	}
}

// request is a chunk without a response yet.
type request struct {
	id    uint64 // transaction ID
	bytes int    // of the window
	d     *Delivery
}

// answered takes the response to one of our requests (RFC 4975 section 5.3). The transaction ID and the path must be those of the
// request; other responses are ignored.
func (s *Session) answered(f *Frame) {
	id, ok := parseTransactionID(f.TransactionID)
	if !ok {
		return
	}
	s.mu.Lock()
	if s.remote == nil || !s.isNextHop(f.FromPath) {
		s.mu.Unlock()
		return
	}
	released := -1
	for i, r := range s.inflight {
		if r.id != id {
			continue
		}
		released = r.bytes
		s.inflight = slices.Delete(s.inflight, i, i+1)
		r.d.pending--
		if f.Status == StatusOK {
			r.d.progress()
		} else {
			r.d.end(&StatusError{f.Status, printable(f.Comment)})
		}
		break
	}
	s.mu.Unlock()
	if released >= 0 {
		s.window.release(released)
	}
}

// report takes a REPORT (RFC 4975 section 5.3).
func (s *Session) report(f *Frame) {
	code, text, err := ParseStatus(f.StatusHeader)
	if err != nil || f.Invalid != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.delivery(f.MessageID)
	if d == nil {
		return
	}
	if code != StatusOK {
		d.end(&StatusError{code, printable(text)})
		return
	}
	// Blink counts characters where it should count bytes, so a report of everything counts as everything.
	r := f.ByteRange
	switch {
	case r.Start <= 1 && (r.End == r.Total || r.End == Unknown):
		d.reported = d.size
	case r.End >= r.Start:
		d.reported = min(d.size, d.reported+r.End-r.Start+1)
	}
	d.progress()
}

// delivery, under s.mu, finds a delivery that has no outcome yet.
func (s *Session) delivery(id []byte) *Delivery {
	for _, d := range s.reports {
		if d.id == string(id) {
			return d
		}
	}
	for _, r := range s.inflight {
		if r.d.id == string(id) {
			return r.d
		}
	}
	return nil
}

// forget, under s.mu, stops waiting for d's report.
func (s *Session) forget(d *Delivery) {
	for i, x := range s.reports {
		if x == d {
			s.reports = slices.Delete(s.reports, i, i+1)
			return
		}
	}
}

// expect, under s.mu, starts waiting for d's report. The oldest gives way when too many wait.
func (s *Session) expect(d *Delivery) {
	if len(s.reports) == maxPeerReports {
		s.reports[0].end(ErrTimeout)
	}
	d.deadline = time.Now().Add(reportTimeout)
	s.reports = append(s.reports, d)
	s.arm(d.deadline)
}

// arm, under s.mu, has sweep run at t at the latest.
func (s *Session) arm(t time.Time) {
	if s.err != nil {
		return
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(time.Until(t), s.sweep)
		s.wakeAt = t
	} else if s.wakeAt.IsZero() || t.Before(s.wakeAt) {
		s.timer.Reset(time.Until(t))
		s.wakeAt = t
	}
}

// sweep ends what has waited too long and sets the timer for the next.
func (s *Session) sweep() {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	now, released := time.Now(), []int(nil)
	s.wakeAt = time.Time{}
	s.inflight = slices.DeleteFunc(s.inflight, func(r request) bool {
		if due := s.conn.w.due(r.d); now.Before(due) {
			s.arm(due)
			return false
		}
		released = append(released, r.bytes)
		r.d.end(ErrTimeout)
		return true
	})
	for len(s.reports) > 0 && !now.Before(s.reports[0].deadline) {
		s.reports[0].end(ErrTimeout)
	}
	if len(s.reports) > 0 {
		s.arm(s.reports[0].deadline)
	}
	s.dropPartials(now)
	s.mu.Unlock()
	for _, n := range released {
		s.window.release(n)
	}
}
