package msrp

import (
	"slices"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// keepAlive, under s.mu, sends an empty request when nothing was sent for Options.KeepAlive. It waits for no room, but one is
// under way at a time. If it fails, so has the session.
func (s *Session) keepAlive(now time.Time) {
	every := s.e.o.KeepAlive
	if every == 0 || s.conn == nil || s.shutdown {
		return
	}
	due := s.lastSent.Add(every)
	if slices.ContainsFunc(s.inflight, func(r request) bool { return r.d.session }) {
		due = now.Add(every)
	}
	if now.Before(due) {
		s.arm(due)
		return
	}
	id, text := newTransactionID(nil)
	d := &Delivery{id: newMessageID(), s: s, session: true, handed: true}
	b := s.appendHead(buffer.New(buffer.Tiny), text[:], &Message{}, d.id, 0, 0, true)
	if s.conn.w.request(append(appendEnd(b, text[:]), "$\r\n"...), d) == nil {
		s.inFlight(request{id, 0, d}, Yes)
		s.arm(now.Add(every))
	}
}
