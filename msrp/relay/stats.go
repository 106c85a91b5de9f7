package relay

// Stats are the gauges of a Relay.
type Stats struct {
	Connections     int
	Unauthenticated int // connections that have neither authenticated nor had a request forwarded
	Sessions        int // URIs given out
	Users           int // who have them
	QueuedBytes     int // frames that wait to be written, on all connections
	Unanswered      int // requests passed on that wait for their response
}

// Stats tells what the Relay holds now. It looks at each connection.
func (r *Relay) Stats() Stats {
	r.mu.Lock()
	st := Stats{Connections: len(r.conns), Unauthenticated: r.strangers.list.Len(), Sessions: len(r.bindings), Users: len(r.users)}
	r.mu.Unlock()
	for _, c := range r.all() {
		c.mu.Lock()
		st.QueuedBytes += c.bytes
		st.Unanswered += int(c.next - c.first)
		c.mu.Unlock()
	}
	return st
}
