package otrchat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/otrsession"
	"github.com/otrchat/otrchat/sip"
)

// Fingerprint identifies an OTR key.
type Fingerprint = otrsession.Fingerprint

// EncryptedChat is a chat with one peer. All methods are safe for concurrent use.
type EncryptedChat struct {
	client  *Client
	call    *sip.Call
	address string // the contact's key in the store
	events  eventQueue
	ctx     context.Context // ends with Close: nothing more is taken from the peer
	cancel  context.CancelFunc
	ended   chan struct{} // closed with err: nothing more is sent
	done    chan struct{} // closed when all that had come is in the events

	// wire makes encrypting and queueing one step, and so decrypting and the answers to it: OTR's counters must reach the wire in order.
	// It is held while the store is asked about a new key, too: no text leaves under a key before the user can see whose it is.
	wire chan struct{} // a mutex whose waiting a context can end
	otr  *otrsession.Session
	// cpim, under wire: message/cpim was agreed.
	cpim bool
	// heard holds a token if there may be news.
	heard chan struct{}
	// smpQuestion, under wire: the SMP in progress was asked by the peer, with a question of its own.
	smpQuestion bool

	wg sync.WaitGroup // pump, watch, follow

	mu          sync.Mutex
	session     media                   // changed under wire, too
	last        media                   // the one before, while pump reads it; else it has no Session
	stay        context.Context         // ends when pump has to leave session for another one
	leave       context.CancelFunc      // ends stay
	moving      context.CancelCauseFunc // makes a move of ours give way, nil if there is none
	following   bool                    // an offer of the peer's to move is being answered
	policy      Policy
	savedName   string // the contact's name in the store
	writes      int    // how often this chat has changed the contact, changed under wire, too
	news        *news  // of the contact, for followContact
	focus       bool   // one side was a conference when the lock was last set; isFocus tells how it is now
	security    Security
	fingerprint Fingerprint
	confirm     bool          // encryption ended without a word of the user's, who has not confirmed to go on without
	leaving     bool          // Shutdown has begun: nothing more is sent
	waiting     *time.Timer   // for the peer's answer to our request for encryption; nil if not
	changed     chan struct{} // closed and replaced when one of these changes
	err         error
}

func (c *Client) newChat(ctx context.Context, call *sip.Call, m media) (*EncryptedChat, error) {
	address, err := contacts.Normalize(call.RemoteAddress())
	if err != nil {
		return nil, err
	}
	contact, err := c.load(ctx, address)
	if err != nil { // it may say "always encrypt"
		return nil, fmt.Errorf("loading the contact: %w", err)
	}
	policy, err := c.policy(&contact)
	if err != nil {
		return nil, err
	}
	otr, err := otrsession.New(&otrsession.Options{Key: c.o.Key})
	if err != nil {
		return nil, err
	}
	chat := &EncryptedChat{
		client: c, call: call, session: m, address: address, otr: otr, policy: policy,
		cpim: accepts(call.Remote().AcceptTypes, "message/cpim"), focus: c.o.Focus || call.Focus(),
		changed: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{}), wire: make(chan struct{}, 1), heard: make(chan struct{}, 1),
		savedName: contact.DisplayName,
	}
	if chat.focus {
		chat.security = Unavailable
	}
	chat.ctx, chat.cancel = context.WithCancel(c.ctx)
	chat.stay, chat.leave = context.WithCancel(chat.ctx)
	return chat, nil
}

// isFocus tells whether one side is a conference.
func (c *EncryptedChat) isFocus() bool { return c.client.o.Focus || c.call.Focus() }

// mayEncrypt tells whether OTR can be used at all.
func (c *EncryptedChat) mayEncrypt() bool { return !c.isFocus() && c.Policy() != Never }

// RemoteAddress is the peer's address, "sip:bob@example.com".
func (c *EncryptedChat) RemoteAddress() string { return c.call.RemoteAddress() }

// RemoteDisplayName is what the peer calls itself; it may be empty.
func (c *EncryptedChat) RemoteDisplayName() string { return c.call.RemoteDisplayName() }

// Contact is the peer's key in Options.Contacts.
func (c *EncryptedChat) Contact() string { return c.address }

// Security is what the lock shows now.
func (c *EncryptedChat) Security() Security {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.security
}

// Policy is what holds for this chat.
func (c *EncryptedChat) Policy() Policy {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.policy
}

// LocalFingerprint is that of our own key.
func (c *EncryptedChat) LocalFingerprint() Fingerprint { return c.client.Fingerprint() }

// RemoteFingerprint is that of the key that the chat is encrypted with, false if it is not encrypted.
func (c *EncryptedChat) RemoteFingerprint() (Fingerprint, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fingerprint, c.security.Encrypted()
}

// setSecurity changes the lock and tells of it.
func (c *EncryptedChat) setSecurity(s Security, fp Fingerprint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	previous, before := c.security, c.fingerprint
	if !s.Encrypted() {
		fp = Fingerprint{}
	}
	c.security, c.fingerprint = s, fp
	switch s {
	case Ended:
		c.confirm = true
	case Unverified, Verified, Changed:
		c.confirm = false
	}
	c.stopWaiting()
	if s != previous || fp != before {
		c.events.add(SecurityChange{Security: s, Previous: previous, Fingerprint: fp})
	}
	c.signal()
}

// signal, under mu, wakes who waits for a change.
func (c *EncryptedChat) signal() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// stopWaiting, under mu, ends the waiting for an answer to our request for encryption.
func (c *EncryptedChat) stopWaiting() {
	if c.waiting != nil {
		c.waiting.Stop()
		c.waiting = nil
	}
}

// watch ends the chat when the call or the session ends, and follows a peer that becomes a conference, and changes of the contact in the store.
func (c *EncryptedChat) watch() {
	defer c.client.wg.Done()
	defer c.wg.Done()
	for {
		changed, session := c.call.Changed(), c.line()
		select {
		case c.wireToFollow() <- struct{}{}:
			c.followFocus()
			c.followContact()
			c.unlock()
		case <-c.heard:
		case <-changed:
			c.wake()
		case <-c.call.Done():
			c.hungUp()
			return
		case <-session.Done():
			if c.move(session) {
				continue
			}
			c.mediaEnded()
			return
		case <-c.ended:
			return
		}
	}
}

// wireToFollow is the wire if followFocus or followContact has something to do, else nil.
func (c *EncryptedChat) wireToFollow() chan<- struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isFocus() == c.focus && c.news == nil {
		return nil
	}
	return c.wire
}

// hungUp ends a chat whose call is over. The peer's last texts may still be on the way, on a connection of their own.
func (c *EncryptedChat) hungUp() {
	err := c.reason(c.call.Err())
	c.endAfter(err, errors.Is(err, ErrEnded), c.line().Done())
}

// mediaEnded ends a chat whose MSRP session is over. The peer's BYE may still be on the way, or our own in Shutdown, which then ends the chat.
func (c *EncryptedChat) mediaEnded() {
	if c.isLeaving() {
		<-c.ended
		return
	}
	err := c.reason(c.line().Err())
	c.endAfter(err, errors.Is(err, ErrEnded), c.call.Done())
}

// endAfter ends the chat, and gives its other half lingerTimeout to end by itself if linger is set.
func (c *EncryptedChat) endAfter(err error, linger bool, other <-chan struct{}) {
	if !c.finish(err) {
		return
	}
	if linger {
		t := time.NewTimer(lingerTimeout)
		defer t.Stop()
		select {
		case <-other:
		case <-c.ctx.Done():
		case <-t.C:
		}
	}
	c.release()
}

// reason tells why the chat ended in the words of this layer.
func (c *EncryptedChat) reason(err error) error {
	if lost := c.line().lost(); lost != nil {
		return lost
	}
	if errors.Is(err, sip.ErrEnded) || errors.Is(err, io.EOF) {
		return ErrEnded
	}
	return c.client.wrap(err)
}

// Shutdown ends encryption, waits until what was sent has arrived at the next hop, and hangs up. Send refuses from its beginning on. The error is
// ctx's if it ended first; the chat is closed in any case.
func (c *EncryptedChat) Shutdown(ctx context.Context) error {
	if c.Err() != nil {
		return c.Close()
	}
	err := errors.Join(c.farewell(ctx), c.line().Shutdown(ctx), c.call.Bye(ctx), c.Close())
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return ctx.Err()
	}
	err = c.reason(err)
	if errors.Is(err, ErrClosed) || errors.Is(err, ErrEnded) { // somebody was faster
		return nil
	}
	return err
}

// farewell lets nothing more be sent, and tells the peer that encryption ends.
func (c *EncryptedChat) farewell(ctx context.Context) error {
	c.mu.Lock()
	c.leaving = true
	c.signal()
	c.mu.Unlock()
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	return c.endOTR(ctx)
}

// Close hangs up without waiting for the peer. It is idempotent and safe from any goroutine; after it returns no goroutine of the chat runs.
func (c *EncryptedChat) Close() error {
	c.end(ErrClosed)
	c.cancel()
	c.wg.Wait()
	return nil
}

// end closes the chat for the reason err. What has come from the peer before can still be received.
func (c *EncryptedChat) end(err error) {
	if c.finish(err) {
		c.release()
	}
}

// finish lets nothing more be sent; false if the chat was at its end before.
func (c *EncryptedChat) finish(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.err = err
	c.stopWaiting()
	c.signal()
	close(c.ended)
	return true
}

// release closes what the chat holds of the layers below.
func (c *EncryptedChat) release() {
	c.mu.Lock()
	session, last := c.session, c.last
	c.mu.Unlock()
	session.Close()
	if last.Session != nil {
		last.Close()
	}
	c.call.Close()
	c.client.remove(c)
}

// Done is closed when the chat has ended and everything that came before is in the events.
func (c *EncryptedChat) Done() <-chan struct{} { return c.done }

// Err is nil while the chat lives; then ErrClosed when we ended it, ErrEnded when the peer did, one wrapping ErrRelay when the way through the relay
// is lost, or what broke the connection.
func (c *EncryptedChat) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
