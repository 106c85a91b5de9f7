package otrchat

import (
	"context"
	"fmt"
	"time"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
)

// StartEncryption asks the peer for encryption, or, while the chat is encrypted, for new keys. The peer's answer comes as a SecurityChange;
// without one within Options.OTRTimeout a SystemMessage says so. Errors: ErrEncryptionUnavailable, the chat's or ctx's.
func (c *EncryptedChat) StartEncryption(ctx context.Context) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	return c.start(ctx)
}

// begin asks for encryption where the policy wants it.
func (c *EncryptedChat) begin() {
	if !c.mayEncrypt() {
		return
	}
	if err := c.StartEncryption(c.ctx); err != nil {
		c.client.o.Logger.Info("otrchat: asking for encryption", "contact", c.address, "error", err)
	}
}

// start, under wire.
func (c *EncryptedChat) start(ctx context.Context) error {
	if !c.mayEncrypt() {
		return ErrEncryptionUnavailable
	}
	step, err := c.otr.Start()
	if err != nil {
		return c.broken(err)
	}
	c.mu.Lock()
	if c.waiting == nil && c.err == nil && !c.leaving && !c.security.Encrypted() {
		c.wait()
	}
	c.mu.Unlock()
	return c.protocol(ctx, step)
}

// wait, under mu, begins the waiting for the peer's answer to our request for encryption: Send holds texts back until its end.
func (c *EncryptedChat) wait() {
	var t *time.Timer
	t = time.AfterFunc(c.client.o.OTRTimeout, func() {
		c.mu.Lock()
		kind, ok := c.noAnswer(t)
		c.mu.Unlock()
		if ok {
			c.tell(notify.Notification{Kind: kind})
		}
	})
	c.waiting = t
}

// noAnswer, under mu, ends the waiting of t without an answer, if it has not ended yet, and returns what that means.
func (c *EncryptedChat) noAnswer(t *time.Timer) (kind notify.Kind, ok bool) {
	if c.waiting != t {
		return 0, false
	}
	c.stopWaiting()
	c.signal()
	if c.policy == Always || c.confirm {
		return notify.EncryptionUnanswered, true
	}
	return notify.PlaintextFallback, true
}

// StopEncryption ends encryption, and tells the peer. After the peer ended it (Ended), or became a conference while the chat was encrypted, it is
// how the user confirms to go on in plain text. With the policy Always nothing can be sent from then on until StartEncryption. Errors:
// ErrEncryptionUnavailable in a conference where there is nothing to confirm, the chat's or ctx's.
func (c *EncryptedChat) StopEncryption(ctx context.Context) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	c.mu.Lock()
	nothing := c.security == Unavailable && !c.confirm
	c.mu.Unlock()
	if nothing {
		return ErrEncryptionUnavailable
	}
	return c.stop(ctx)
}

// stop, under wire, ends encryption by the user's word.
func (c *EncryptedChat) stop(ctx context.Context) error {
	err := c.endOTR(ctx)
	c.mu.Lock()
	c.confirm = false
	focus := c.focus
	c.mu.Unlock()
	if !focus {
		c.setSecurity(NotEncrypted, Fingerprint{})
	}
	return err
}

// endOTR, under wire, ends the OTR conversation and tells the peer, unless that is a conference.
func (c *EncryptedChat) endOTR(ctx context.Context) error {
	step, err := c.otr.End()
	if err != nil {
		return c.broken(err)
	}
	for _, e := range step.Events {
		c.otrEvent(e)
	}
	if c.isFocus() {
		return nil
	}
	return c.protocol(ctx, step)
}

// followFocus, under wire, stops encryption when one side has become a conference, and starts it when none is one any more.
func (c *EncryptedChat) followFocus() {
	focus := c.isFocus()
	c.mu.Lock()
	same := focus == c.focus
	c.focus = focus
	c.mu.Unlock()
	if same {
		return
	}
	c.endUnasked(notify.ConferenceEndedEncryption)
	if err := c.startIfNot(c.ctx); err != nil {
		c.client.o.Logger.Info("otrchat: asking for encryption", "contact", c.address, "error", err)
	}
}

// endUnasked, under wire, ends encryption without a word of the user's in this chat, who has to confirm to go on if it was encrypted.
func (c *EncryptedChat) endUnasked(why notify.Kind) {
	c.mu.Lock()
	lost := c.security.Encrypted()
	c.confirm = c.confirm || lost
	focus, confirm := c.focus, c.confirm
	c.mu.Unlock()
	if err := c.endOTR(c.ctx); err != nil {
		c.client.o.Logger.Info("otrchat: ending encryption", "contact", c.address, "error", err)
	}
	switch {
	case focus:
		c.setSecurity(Unavailable, Fingerprint{})
	case confirm:
		c.setSecurity(Ended, Fingerprint{})
	default:
		c.setSecurity(NotEncrypted, Fingerprint{})
	}
	if lost {
		c.tell(notify.Notification{Kind: why})
	}
}

// SetPolicy saves the policy with the contact and applies it to this chat at once: Always and Opportunistic ask for encryption, Never ends it.
// contacts.Inherit goes back to Options.Policy. Other chats with the contact, in other processes too, follow a moment later if the store is a contacts.Watcher,
// as those of this module are; but where Never comes from elsewhere and ends encryption, the user confirms by StopEncryption to go on without, and where the contact
// loses its policy elsewhere, Always goes on to hold. Errors: an unknown policy, the store's, the chat's or ctx's; if saving fails, nothing changes.
func (c *EncryptedChat) SetPolicy(ctx context.Context, p Policy) error {
	if p != contacts.Inherit && !known(p) {
		return fmt.Errorf("otrchat: policy %d is unknown", p)
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	if err := c.update(ctx, func(contact *contacts.Contact) error { contact.Policy = p; return nil }); err != nil {
		return err
	}
	if p == contacts.Inherit {
		p = c.client.o.Policy
	}
	if c.setPolicy(p); p == Never {
		return c.stop(ctx)
	}
	return c.startIfNot(ctx)
}

// setPolicy, under wire, has a policy hold from now on.
func (c *EncryptedChat) setPolicy(p Policy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.policy = p
	c.signal()
}

// startIfNot, under wire, asks for encryption where it may be used and there is none.
func (c *EncryptedChat) startIfNot(ctx context.Context) error {
	if !c.mayEncrypt() || c.otr.State() == otrsession.Encrypted {
		return nil
	}
	return c.start(ctx)
}

// known tells whether p is a policy of its own.
func known(p Policy) bool { return p == Opportunistic || p == Always || p == Never }
