package msrp

import (
	"io"
	"slices"
	"time"
)

// refusal is a message of which further chunks are refused too. Nothing else is kept of it.
type refusal struct {
	id   string
	code int
	last time.Time
}

// refuse answers a chunk at once, as its sender may then stop within it (RFC 4975 section 10.5), skips its body and forgets the message.
func (s *Session) refuse(c *conn, f *Frame, p *partial, code int) error {
	b := &s.inbox
	if p != nil {
		b.mu.Lock()
		b.end(p.stream, errNoRoom)
		b.forget(f.MessageID)
		b.mu.Unlock()
	}
	if err := c.respond(f, code); err != nil {
		return err
	}
	for {
		_, err := c.dec.Body()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.noteRefusal(f.MessageID, code, f.Continuation)
	return nil
}

// refusal, under mu, finds a message that was refused, -1 if there is none.
func (b *inbox) refusal(id []byte) int {
	for i := range b.refused {
		if b.refused[i].id == string(id) {
			return i
		}
	}
	return -1
}

// noteRefusal, under inbox.mu, notes that a chunk was refused, for the chunks that may still come.
func (s *Session) noteRefusal(id []byte, code int, flag Continuation) {
	b := &s.inbox
	if i := b.refusal(id); i >= 0 {
		b.refused = slices.Delete(b.refused, i, i+1)
	} else if code == StatusStopSending {
		b.refusals++
	}
	if flag != More || b.closed || !validTransactionID(id) {
		return
	}
	if len(b.refused) == maxPartials {
		b.refused = slices.Delete(b.refused, 0, 1)
	}
	b.refused = append(b.refused, refusal{string(id), code, time.Now()})
	s.tidyAt(b.refused[0].last.Add(partialTimeout))
}

// forgetRefusals, under inbox.mu, forgets refused messages of which nothing has come for long.
func (s *Session) forgetRefusals(now time.Time) {
	b := &s.inbox
	for len(b.refused) > 0 && !now.Before(b.refused[0].last.Add(partialTimeout)) {
		b.refused = slices.Delete(b.refused, 0, 1)
	}
	if len(b.refused) > 0 {
		s.tidyAt(b.refused[0].last.Add(partialTimeout))
	}
}
