package msrp

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Delivery tells what became of a sent message (RFC 4975 section 5.3). It always ends: with a response, a report, a timeout or the end
// of the session. It is safe for concurrent use, and nobody has to look at it.
type Delivery struct {
	id      string
	s       *Session
	report  bool // a success report is wanted
	session bool // any failure of it is that of the session: a keep-alive

	// Under writer.mu.
	queued  int       // chunks not yet written
	written time.Time // when the last of the others was

	// The rest is under s.mu.
	size         int64 // of the body, once handed
	pending      int   // chunks without a response
	handed       bool  // the last chunk is with the connection
	reported     spans
	deadline     time.Time // for the report
	older, newer *Delivery // that wait for their reports
	err          error
	isSent       bool
	ended        bool
	aborted      bool          // its end ended a chunk in progress
	sent, done   chan struct{} // made when somebody asks
}

// ID is the message's Message-ID.
func (d *Delivery) ID() string { return d.id }

// Sent is closed once the next hop has taken every chunk, or the delivery has failed. With Failure-Report no or partial
// that means only that everything was handed to the connection.
func (d *Delivery) Sent() <-chan struct{} {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return closedIf(&d.sent, d.isSent)
}

// Done is closed at the outcome; Wait then returns at once.
func (d *Delivery) Done() <-chan struct{} {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return closedIf(&d.done, d.ended)
}

// closedIf makes a channel that is closed once something has happened, if nobody has asked before.
func closedIf(c *chan struct{}, happened bool) chan struct{} {
	if *c == nil {
		*c = make(chan struct{})
		if happened {
			close(*c)
		}
	}
	return *c
}

// Wait returns the outcome: nil when the receiver's success report has come, or, if none was asked for, when the next hop has
// taken every chunk; a relay's later report of a failure then comes to Session.ReceiveReport. A 200 of a relay says only that the relay has it. Errors:
// *StatusError for a refusal or a failure report, ErrTimeout without a response within 30 s after the last byte was written, or a report
// within 10 minutes, ErrUnreported if 8,192 later messages wait for theirs, what ended the session, or ctx's error, which leaves the Delivery as it is.
func (d *Delivery) Wait(ctx context.Context) error {
	for {
		d.s.mu.Lock()
		ended, err, done := d.ended, d.err, d.done
		if !ended {
			done = closedIf(&d.done, false)
		}
		d.s.mu.Unlock()
		if ended {
			return err
		}
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fail, under s.mu, ends the delivery for what the peer said or left unsaid.
func (d *Delivery) fail(err error) {
	d.end(err)
	d.s.judge(d, err)
}

// end, under s.mu, ends the delivery and with it its chunk in progress; what came first counts.
func (d *Delivery) end(err error) {
	if d.ended {
		return
	}
	d.ended, d.err = true, err
	d.markSent()
	if d.done != nil {
		close(d.done)
	}
	d.s.forget(d)
	if err != nil && d.s.conn != nil {
		d.aborted = d.s.conn.w.cut(d, Aborted)
	}
}

// judge, under s.mu, looks whether a failure is that of the whole session: of a keep-alive, or one after which RFC 4975 wants a new session
// (sections 10.8 and 10.10). A 408 is a timeout like any other (section 10.4), except in a REPORT.
func (s *Session) judge(d *Delivery, err error) {
	var refused *StatusError
	gone := errors.As(err, &refused) && (refused.Code == StatusNoSession || refused.Code == StatusSessionInUse)
	if s.dead == nil && (gone || d.session) {
		s.dead = err
	}
}

// progress, under s.mu, looks whether the delivery has come to its end.
func (d *Delivery) progress() {
	if d.ended || !d.handed || d.pending > 0 {
		return
	}
	d.markSent()
	if d.report && !d.reported.cover(d.size) {
		return
	}
	d.end(nil)
}

func (d *Delivery) markSent() {
	if !d.isSent {
		d.isSent = true
		if d.sent != nil {
			close(d.sent)
		}
	}
}

// request is a chunk without a response yet.
type request struct {
	id    uint64 // transaction ID
	bytes int    // of the window; 0 if it is not counted there
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
	if s.remote == nil || !s.mayAnswer(f.FromPath) {
		s.mu.Unlock()
		return
	}
	var err error
	if f.Status != StatusOK {
		err = &StatusError{f.Status, printable(f.Comment)}
	}
	released := 0
	if i := slices.IndexFunc(s.inflight, func(r request) bool { return r.id == id }); i >= 0 {
		r := s.inflight[i]
		s.inflight = slices.Delete(s.inflight, i, i+1)
		released = r.bytes
		r.d.pending--
		if err == nil {
			r.d.progress()
		} else {
			r.d.fail(err)
		}
	} else if err != nil {
		s.refusedSilent(id, err.(*StatusError))
	}
	dead := s.dead
	s.mu.Unlock()
	s.settled(released, dead)
}

// settled, without s.mu, gives room in the window back and ends a session that judge has given up.
func (s *Session) settled(released int, dead error) {
	if released > 0 {
		s.window.release(released)
	}
	if dead != nil {
		s.end(dead)
	}
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
		due := s.conn.w.due(r.d)
		if later := s.conn.patience(); later.After(due) {
			due = later
		}
		if now.Before(due) {
			s.arm(due)
			return false
		}
		released = append(released, r.bytes)
		r.d.fail(ErrTimeout)
		return true
	})
	s.sweepReports(now)
	s.keepAlive(now)
	dead := s.dead
	s.mu.Unlock()
	for _, n := range released {
		s.settled(n, nil)
	}
	s.settled(0, dead)
}
