package otrchat

import (
	"context"
	"errors"
	"time"

	"github.com/otrchat/otrchat/sip"
)

// moveTimeout is for a chat to come to another MSRP session.
const moveTimeout = 30 * time.Second

// line is our end of the chat as it is now.
func (c *EncryptedChat) line() media {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

var errGaveWay = errors.New("otrchat: the peer moves the chat")

// move takes the chat to another way through the relay when the last one is lost: Kamailio's ends after an hour. Texts wait meanwhile, and the OTR
// conversation goes on as it was. It gives way to a move of the peer's. False if the chat cannot go on.
func (c *EncryptedChat) move(lost media) bool {
	ctx, done := context.WithCancelCause(c.ctx)
	defer done(nil)
	limited, cancel := context.WithTimeout(ctx, moveTimeout)
	defer cancel()
	limited, cancel = until(limited, c.ended)
	defer cancel()
	if c.lockToMove(limited) == nil {
		c.setMoving(done)
		err := c.moveFrom(limited, lost)
		c.setMoving(nil)
		c.unlock()
		if err != nil {
			c.client.o.Logger.Info("otrchat: moving to another way through the relay", "contact", c.address, "error", err)
		}
	}
	return c.line() != lost || context.Cause(ctx) == errGaveWay
}

// lockToMove takes the wire once pump has come to the session that the chat has now, so that there are never more than that one and the one before.
func (c *EncryptedChat) lockToMove(ctx context.Context) error {
	for {
		if err := c.lock(ctx); err != nil {
			return err
		}
		c.mu.Lock()
		settled, changed := c.last.Session == nil, c.changed
		c.mu.Unlock()
		if settled {
			return nil
		}
		c.unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// moveFrom, under wire, does it, unless the peer was faster or the end of the session has other reasons.
func (c *EncryptedChat) moveFrom(ctx context.Context, lost media) error {
	if c.line() != lost || lost.lost() == nil || c.isLeaving() {
		return nil
	}
	m, offer, err := c.client.offer(ctx)
	if err != nil {
		return err
	}
	if err = c.call.Reinvite(ctx, offer); err == nil {
		err = connectMedia(ctx, c.call, m)
	}
	return c.replace(m, err)
}

// setMoving says how a move of ours gives way, nil if there is none.
func (c *EncryptedChat) setMoving(giveWay context.CancelCauseFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moving = giveWay
	c.giveWay()
}

// setFollowing says whether an offer of the peer's to move is being answered.
func (c *EncryptedChat) setFollowing(following bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.following = following
	c.giveWay()
}

// giveWay, under mu, ends a move of ours when the peer moves, too: the ways through relays of both may end at the same time, and each would wait for the other.
func (c *EncryptedChat) giveWay() {
	if c.following && c.moving != nil {
		c.moving(errGaveWay)
	}
}

// moves returns a channel that is closed when the chat has moved or ended, nil if its session is not lost.
func (c *EncryptedChat) moves() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.session.Err() != nil && c.session.lost() != nil {
		return c.changed
	}
	return nil
}

// follow takes the chat to the sessions that the peer moves it to.
func (c *EncryptedChat) follow() {
	defer c.client.wg.Done()
	defer c.wg.Done()
	for {
		r, err := c.call.AcceptReinvite(c.ctx)
		if err != nil {
			return // watch knows why
		}
		c.setFollowing(true)
		if err := c.followTo(r); err != nil {
			c.client.o.Logger.Info("otrchat: following the peer to another session", "contact", c.address, "error", err)
		}
		c.setFollowing(false)
	}
}

// followTo answers an offer that moves the session. When that fails the chat stays where it was, unless the peer has left already.
func (c *EncryptedChat) followTo(r *sip.Reinvitation) error {
	ctx, cancel := context.WithTimeout(c.ctx, moveTimeout)
	defer cancel()
	ctx, cancel = until(ctx, c.ended)
	defer cancel()
	if !c.client.suits(r.Offer()) {
		return r.Reject(ctx, statusNotAcceptable, "")
	}
	if err := c.lockToMove(ctx); err != nil {
		return err
	}
	defer c.unlock()
	m, answer, err := c.client.offer(ctx)
	if err != nil {
		return errors.Join(err, r.Reject(ctx, statusUnavailable, ""))
	}
	answer.Setup = c.client.setup(r.Offer())
	if err := r.Answer(ctx, answer); err != nil {
		m.Close()
		return errors.Join(err, r.Reject(ctx, statusNotAcceptable, ""))
	}
	err = c.replace(m, connectMedia(ctx, c.call, m))
	if err != nil {
		c.end(c.reason(err))
	}
	return err
}

// replace puts a new end of the chat in the place of the last one, under wire, unless it failed to connect or the chat has ended.
func (c *EncryptedChat) replace(m media, failed error) error {
	if failed == nil {
		failed = c.swap(m)
	}
	if failed != nil {
		m.Close()
	}
	return failed
}

func (c *EncryptedChat) swap(m media) error {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return c.err
	}
	time.AfterFunc(lingerTimeout, c.leave) // what was sent before may still be on its way
	c.last, c.session = c.session, m
	c.stay, c.leave = context.WithCancel(c.ctx)
	c.cpim = accepts(c.call.Remote().AcceptTypes, "message/cpim")
	asked := c.waiting != nil
	c.signal()
	c.mu.Unlock()
	if asked { // what OTR had sent may be lost
		if err := c.start(c.ctx); err != nil {
			c.client.o.Logger.Info("otrchat: asking for encryption", "contact", c.address, "error", err)
		}
	}
	return nil
}

// moved waits for the end of the chat or another session in the place of last, and tells whether it is the latter. It is for pump, which reads that one
// from then on.
func (c *EncryptedChat) moved(last media) bool {
	for {
		c.mu.Lock()
		now, err, changed := c.session, c.err, c.changed
		if now != last {
			c.last = media{}
			c.signal()
		}
		c.mu.Unlock()
		if now != last || err != nil {
			return now != last
		}
		<-changed
	}
}

// part ends a session that the chat has left: its answers and reports are written.
func (c *EncryptedChat) part(s media) {
	ctx, cancel := context.WithTimeout(c.ctx, lingerTimeout)
	defer cancel()
	s.Shutdown(ctx)
}

func (c *EncryptedChat) isLeaving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaving
}

// wake lets who waits look again at what the peer wants.
func (c *EncryptedChat) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.signal()
}

// isHeld tells whether the peer does not want to hear from us for now.
func (c *EncryptedChat) isHeld() bool {
	d := c.call.Local().Direction
	return d == sip.RecvOnly || d == sip.Inactive
}
