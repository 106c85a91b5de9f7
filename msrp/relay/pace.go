package relay

import (
	"errors"
	"io"
	"os"
	"time"
)

// Read is for the Decoder. Before it waits for the peer, everything that came of the peer's frames is on its way.
func (c *conn) Read(p []byte) (int, error) {
	c.flush()
	begins := !c.dec.Within()
	if begins {
		c.rest()
	}
	c.relieve()
	c.pace()
	n, err := c.nc.Read(p)
	if c.now = c.r.clock(); begins {
		c.pieceBy = c.now + pieceTimeout
	}
	c.used.Store(int64(c.now))
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		err = errHungUp
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errTimeout
	}
	return n, err
}

// pace sets the read deadline. It is not set for every frame: an idle connection may live an eighth longer, and a piece has up to a second less.
func (c *conn) pace() {
	if c.stranger.Load() {
		return
	}
	from, to := c.now+c.r.o.IdleTimeout, c.now+c.r.o.IdleTimeout/8*9
	if c.dec.Within() {
		from, to = c.pieceBy-time.Second, c.pieceBy
	}
	if c.readBy < from || c.readBy > to {
		c.readBy = to
		c.nc.SetReadDeadline(c.r.start.Add(to))
	}
}
