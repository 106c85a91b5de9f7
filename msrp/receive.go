package msrp

import (
	"context"
	"io"
	"iter"
	"sync/atomic"
	"time"
)

// partial is an incoming message whose last chunk has not come.
type partial struct {
	m       Message
	refused int // status for every further chunk, 0 if none
	last    time.Time
	busy    bool // the read loop is at it
}

// receive takes one SEND frame, answers it and puts a finished message into the inbox. It runs on the read loop.
func (s *Session) receive(c *conn, f *Frame) error {
	if !f.HasBody() && !s.unfinished(f.MessageID) { // binds the session or keeps it alive
		return c.respond(f, StatusOK)
	}
	p, code := s.gather(f)
	for {
		piece, err := c.dec.Body()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if code == 0 && len(p.m.Body)+len(piece) > s.e.o.MaxMessage {
			code = StatusStopSending
		}
		if code == 0 {
			p.m.Body = append(p.m.Body, piece...)
		}
	}
	if p == nil {
		return c.respond(f, code)
	}
	m := p.m // from settle on, p.m may be the receiver's
	code, whole := s.settle(p, f.Continuation, code)
	if err := c.respond(f, code); err != nil {
		return err
	}
	if whole && m.SuccessReport && !s.e.o.ManualReports {
		return ignoreClosed(s.Report(&m, StatusOK))
	}
	return nil
}

// unfinished tells whether a message with this ID has begun and not ended.
func (s *Session) unfinished(id []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.partials[string(id)] != nil
}

// gather finds or begins the message that a chunk belongs to. Chunks count in the order in which they come: peers and relays write
// wrong ranges, and a connection keeps the order.
func (s *Session) gather(f *Frame) (*partial, int) {
	if len(f.MessageID) == 0 || !validTransactionID(f.MessageID) {
		return nil, StatusBadRequest
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.partials[string(f.MessageID)]; p != nil {
		p.busy = true
		s.gathered -= len(p.m.Body)
		return p, p.refused
	}
	if f.ByteRange.Start > 1 {
		return nil, StatusStopSending // we do not have its beginning
	}
	p := &partial{busy: true, m: Message{
		ID: string(f.MessageID), ContentType: string(f.ContentType),
		SuccessReport: equalName(f.SuccessReport, "yes"), FailureReport: parseFailureReport(f.FailureReport),
	}}
	if f.ByteRange.Total > int64(s.e.o.MaxMessage) {
		return p, StatusStopSending
	}
	return p, 0
}

// settle does what the end of a chunk demands: it keeps the partial message, drops it, or delivers it whole.
func (s *Session) settle(p *partial, flag Continuation, code int) (status int, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.busy, p.last = false, time.Now()
	delete(s.partials, p.m.ID)
	if code == 0 && flag == More && s.gathered+len(p.m.Body) > s.e.o.MaxMessage {
		code = StatusStopSending // all unfinished messages together
	}
	switch {
	case flag == More && len(s.partials) == maxPartials:
		code = StatusStopSending
	case flag == More:
		if p.refused = code; code != 0 {
			p.m.Body = nil
		}
		if s.partials == nil {
			s.partials = map[string]*partial{}
		}
		s.partials[p.m.ID] = p
		s.gathered += len(p.m.Body)
		s.arm(p.last.Add(partialTimeout))
	case code != 0 || flag == Aborted:
	case !s.inbox.put(&p.m):
		code = StatusStopSending
	default:
		whole = true
	}
	if code == 0 {
		code = StatusOK
	}
	return code, whole
}

// drop, under s.mu, forgets an unfinished message.
func (s *Session) drop(id string) {
	if p := s.partials[id]; p != nil && !p.busy {
		s.gathered -= len(p.m.Body)
		delete(s.partials, id)
	}
}

// dropPartials, under s.mu, forgets unfinished messages whose sender fell silent.
func (s *Session) dropPartials(now time.Time) {
	for id, p := range s.partials {
		switch {
		case p.busy:
			s.arm(now.Add(partialTimeout))
		case now.Sub(p.last) < partialTimeout:
			s.arm(p.last.Add(partialTimeout))
		default:
			s.drop(id)
		}
	}
}

// inbox holds whole messages until Receive takes them.
type inbox struct {
	messages chan *Message
	bytes    atomic.Int64
	most     int
}

// put never waits; false if there is no room.
func (b *inbox) put(m *Message) bool {
	n := int64(len(m.Body))
	if b.bytes.Add(n) > int64(b.most) {
		b.bytes.Add(-n)
		return false
	}
	select {
	case b.messages <- m:
		return true
	default:
		b.bytes.Add(-n)
		return false
	}
}

func (b *inbox) took(m *Message) *Message {
	b.bytes.Add(-int64(len(m.Body)))
	return m
}

// Receive returns the next message, which is the caller's from then on. Before Connect it waits. After the session has ended it returns what is still in the inbox, then the session's error.
// A ctx that ends leaves the session as it is.
func (s *Session) Receive(ctx context.Context) (*Message, error) {
	select {
	case m := <-s.inbox.messages:
		return s.inbox.took(m), nil
	default:
	}
	select {
	case m := <-s.inbox.messages:
		return s.inbox.took(m), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.done:
	}
	select { // one that came just before the end
	case m := <-s.inbox.messages:
		return s.inbox.took(m), nil
	default:
		return nil, s.Err()
	}
}

// Messages yields what Receive returns, until an error, which is the last thing it yields.
func (s *Session) Messages(ctx context.Context) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		for {
			m, err := s.Receive(ctx)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}
