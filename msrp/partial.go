package msrp

import "time"

// partial is an incoming message that is not whole yet.
type partial struct {
	assembly
	m       Message   // without its body
	stream  *stream   // has been handed out, and takes the body
	counted int       // of its bytes in inbox.gathered
	seen    time.Time // when its last chunk ended
	busy    bool      // the read loop is at one
}

// keep, under inbox.mu, waits for further chunks of a message, if there is room.
func (s *Session) keep(p *partial) bool {
	b := &s.inbox
	size, known := p.size(), b.partials[p.m.ID] != nil
	if !known && len(b.partials) == maxPartials || b.gathered+size-p.counted > s.e.o.MaxMessage {
		return false
	}
	b.gathered += size - p.counted
	p.counted, p.busy, p.seen = size, false, time.Now()
	if !known {
		if b.partials == nil {
			b.partials = map[string]*partial{}
		}
		kept := *p
		b.partials[p.m.ID] = &kept
	}
	s.tidyAt(p.seen.Add(partialTimeout))
	return true
}

// forget, under mu, drops an unfinished message.
func (b *inbox) forget(id []byte) {
	if p := b.partials[string(id)]; p != nil {
		b.gathered -= p.counted
		delete(b.partials, string(id))
	}
}

// tidyAt, under inbox.mu, has tidy run at t at the latest.
func (s *Session) tidyAt(t time.Time) {
	b := &s.inbox
	switch {
	case b.closed || !b.wakeAt.IsZero() && !t.Before(b.wakeAt):
		return
	case b.timer == nil:
		b.timer = time.AfterFunc(time.Until(t), s.tidy)
	default:
		b.timer.Reset(time.Until(t))
	}
	b.wakeAt = t
}

// tidy gives responses that have been withheld long enough, drops unfinished messages whose sender fell silent, and tells it.
func (s *Session) tidy() {
	b := &s.inbox
	b.mu.Lock()
	now := time.Now()
	b.wakeAt = time.Time{}
	due, dropped := s.overdue(now), s.silent(now)
	s.forgetRefusals(now)
	b.mu.Unlock()
	answer(due)
	for _, p := range dropped {
		r := ByteRange{1, p.head.end(), p.last.Total}
		if err := s.reportOn(&p.m, r, StatusStopSending); err != nil {
			return
		}
	}
}

// silent, under inbox.mu, forgets the unfinished messages of which nothing has come for too long.
func (s *Session) silent(now time.Time) (dropped []*partial) {
	b := &s.inbox
	for id, p := range b.partials {
		switch due := p.seen.Add(partialTimeout); {
		case p.busy:
			s.tidyAt(now.Add(partialTimeout))
		case now.Before(due):
			s.tidyAt(due)
		default:
			dropped = append(dropped, p)
			b.end(p.stream, errSilence)
			b.forget([]byte(id))
		}
	}
	return dropped
}
