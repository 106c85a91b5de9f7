package sip

import (
	"bytes"
	"net"
	"time"

	"github.com/gobwas/ws"
)

const (
	doubleCRLF       = "\r\n\r\n" // a ping; "\r\n" is the pong (RFC 5626 §3.5.1)
	pongTime         = 10 * time.Second
	defaultKeepAlive = 30 * time.Second
	minKeepAlive     = time.Second
)

// A keeper pings a connection that we opened (RFC 5626 §4.4.1). A peer that has answered a ping once, or of whom we know that it does, is gone when it
// does not answer within pongTime. One that never did may not know of pings, as many programs, and is left alone.
type keeper struct {
	pongs chan struct{}      // holds a value when one came
	every chan time.Duration // a new interval
}

func newKeeper() keeper { return keeper{make(chan struct{}, 1), make(chan time.Duration, 1)} }

// keep is the goroutine of a keeper. Close of the stream ends it.
func (c *stream) keep(every time.Duration) {
	answers := false
	next := time.NewTimer(jittered(max(every, 0)))
	defer next.Stop()
	if every < 0 { // until somebody asks for pings
		next.Stop()
	}
	for {
		select {
		case <-c.gone:
			return
		case every = <-c.keeper.every:
			answers = true
		case <-next.C:
			if !c.ping(&answers) {
				_ = c.Close() // nobody is there to tell
				return
			}
		}
		next.Reset(jittered(every))
	}
}

// jittered is 80 to 100 percent of an interval (RFC 5626 §4.4.1).
func jittered(d time.Duration) time.Duration { return jitter(d*8/10, d) }

// ping reports whether the peer is alive, as far as we know.
func (c *stream) ping(answers *bool) bool {
	select {
	case <-c.keeper.pongs: // one too many
	default:
	}
	if err := c.writePing(); err != nil {
		return false
	}
	wait := time.NewTimer(pongTime)
	defer wait.Stop()
	select {
	case <-c.keeper.pongs:
		*answers = true
	case <-wait.C:
		return !*answers
	case <-c.gone:
	}
	return true
}

func (c *stream) writePing() error {
	if w, ok := c.Conn.(*wsConn); ok {
		return c.exclusively(func() error { return w.write(ws.NewPingFrame(nil)) })
	}
	_, err := c.Write([]byte(doubleCRLF))
	return err
}

// keptAlive takes what was between messages: pongs of the peer where we opened the connection, where the peer did pings.
func (c *stream) keptAlive(crlfs, pings int) {
	switch {
	case c.dialled && crlfs > 0:
		c.ponged()
	case !c.dialled && pings > 0:
		_, _ = c.Write(bytes.Repeat([]byte("\r\n"), pings)) // or the connection is closed
	}
}

// ponged is called when a pong comes.
func (c *stream) ponged() {
	select {
	case c.keeper.pongs <- struct{}{}:
	default:
	}
}

// keepAlive pings from now on at this interval a peer that has promised to answer. Without a promise see Options.KeepAlive. Connections that we
// accepted are the peer's to keep.
func (c *stream) keepAlive(every time.Duration) {
	if !c.dialled || every <= 0 {
		return
	}
	select {
	case <-c.keeper.every: // not taken yet
	default:
	}
	select {
	case c.keeper.every <- max(every, minKeepAlive):
	default: // somebody else was faster
	}
}

// pingUDP keeps the way through NATs to h open. STUN, which would also tell when it has changed, is not spoken (RFC 5626 §3.5.2).
func (a *Agent) pingUDP(h hop) error {
	a.mu.Lock()
	p := a.packets
	a.mu.Unlock()
	if p == nil {
		return ErrNotListening
	}
	_, err := p.WriteTo([]byte(doubleCRLF), net.UDPAddrFromAddrPort(h.addr))
	return err
}
