package relay

import "sync/atomic"

// Stats are the gauges and counters of a Relay.
type Stats struct {
	Connections     int // now, with those to next hops
	Unauthenticated int // connections now that have neither authenticated nor had a request forwarded
	Sessions        int // URIs given out and valid now
	Users           int // who have them
	QueuedBytes     int // that wait now to be written, or to be whole frames, on all connections
	Unanswered      int // requests passed on that wait now for their response

	Forwarded          int64 // requests passed on so far, each piece of one that was cut counted
	ForwardedBytes     int64 // their size
	Throttled          int64 // times so far that a sender had to wait for Options.Rate
	QueuesFull         int64 // requests so far that were refused with 413 because too much waited for their next hop
	Reports            int64 // failure reports that the relay has made so far
	AuthGranted        int64 // AUTH requests answered with 200 so far
	AuthRefused        int64 // those with wrong credentials, or refused for another reason than that the credentials were still to come
	RefusedConnections int64 // connections so far that found no room
	Evicted            int64 // connections closed so far to make room: unauthenticated ones, or the least recently used that are no client's
}

// counts are the counters.
type counts struct {
	forwarded, forwardedBytes, throttled, queuesFull, reports, authGranted, authRefused, refusedConnections, evicted atomic.Int64
}

// Stats tells what the Relay holds now. It looks at each connection.
func (r *Relay) Stats() Stats {
	r.mu.Lock()
	st := Stats{Connections: len(r.conns), Unauthenticated: r.strangers.list.Len(), Sessions: len(r.bindings)}
	for _, u := range r.users {
		if u.sessions > 0 {
			st.Users++
		}
	}
	r.mu.Unlock()
	for _, c := range r.all() {
		c.mu.Lock()
		st.Unanswered += int(c.next - c.first)
		c.mu.Unlock()
	}
	n := &r.counts
	st.QueuedBytes = int(r.queued.Load())
	st.Forwarded, st.ForwardedBytes, st.Throttled, st.QueuesFull = n.forwarded.Load(), n.forwardedBytes.Load(), n.throttled.Load(), n.queuesFull.Load()
	st.Reports, st.AuthGranted, st.AuthRefused = n.reports.Load(), n.authGranted.Load(), n.authRefused.Load()
	st.RefusedConnections, st.Evicted = n.refusedConnections.Load(), n.evicted.Load()
	return st
}
