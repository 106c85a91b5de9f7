package msrp

import (
	"maps"
	"slices"
)

// SessionStats are the gauges and counters of a session. What waits is bounded by Options and by the limits in the package comment.
type SessionStats struct {
	InboxMessages   int   // whole messages that wait for Receive
	InboxBytes      int   // their size
	UnfinishedBytes int   // of incoming messages that are not whole yet
	Refused         int64 // incoming messages refused with StatusStopSending so far
	InFlight        int   // our requests without a response yet
	InFlightBytes   int   // of those that the window counts, the bytes that it counts
	Unreported      int   // deliveries that wait for a success report
	QueuedBytes     int   // frames that wait to be written to the session's connection, those of other sessions there included
}

// Stats tells what the session holds now. It is cheap enough to be asked for often.
func (s *Session) Stats() SessionStats {
	var st SessionStats
	st.InboxMessages, st.InboxBytes, st.UnfinishedBytes, st.Refused = s.inbox.load()
	s.mu.Lock()
	st.InFlight = len(s.inflight)
	st.Unreported = s.unreported
	c := s.conn
	s.mu.Unlock()
	st.InFlightBytes = s.window.load()
	if c != nil {
		st.QueuedBytes = c.w.load()
	}
	return st
}

// Stats are the gauges and counters of an Endpoint.
type Stats struct {
	Sessions    int
	Connections int
	Unbound     int // accepted connections that have named no session yet
	QueuedBytes int // frames that wait to be written, on all connections
	InboxBytes  int // whole messages that wait for Receive, and parts of unfinished ones, of all sessions
}

// Stats tells what the Endpoint holds now. It looks at each session and connection.
func (e *Endpoint) Stats() Stats {
	e.mu.Lock()
	st := Stats{Sessions: len(e.sessions), Connections: len(e.conns), Unbound: int(e.unbound.Load())}
	sessions, conns := slices.Collect(maps.Values(e.sessions)), slices.Collect(maps.Keys(e.conns))
	e.mu.Unlock()
	for _, c := range conns {
		st.QueuedBytes += c.w.load()
	}
	for _, s := range sessions {
		_, whole, unfinished, _ := s.inbox.load()
		st.InboxBytes += whole + unfinished
	}
	return st
}
