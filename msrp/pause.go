package msrp

import "time"

// pause holds the read loop until room is closed: TCP then stops the sender of a frame that has no end in sight, which nothing else can do. That is only for a connection
// that carries this one session. It returns false if that is not so, if the session or the connection ends, or if there was no room for so long.
func (s *Session) pause(c *conn, room <-chan struct{}) bool {
	company := c.pause(s)
	if company == nil {
		return false
	}
	defer c.resume()
	t := time.NewTimer(roomTimeout)
	defer t.Stop()
	select {
	case <-room:
		return true
	case <-company:
	case <-c.done:
	case <-s.done:
	case <-t.C:
	}
	return false
}

// pause gives a channel that is closed when another session comes to the connection, nil if s is not the only one.
func (c *conn) pause(s *Session) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sessions) != 1 || c.sessions[s.uri.SessionID] != s {
		return nil
	}
	c.company = make(chan struct{})
	return c.company
}

// resume, after a pause, begins the peer's time for answers anew: they may be among what was not read.
func (c *conn) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.company, c.resumed = nil, time.Now()
}

// joined, under c.mu, ends a pause.
func (c *conn) joined() {
	if c.company != nil {
		close(c.company)
		c.company, c.resumed = nil, time.Now()
	}
}

// patience is until when the peer is not to blame for an answer that has not been read.
func (c *conn) patience() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.company != nil {
		return time.Now().Add(responseTimeout)
	}
	return c.resumed.Add(responseTimeout)
}
