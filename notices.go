package otrchat

import (
	"context"
	"errors"
	"time"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/notify"
)

// NotifyMessages says what Options.Notifier is told of messages that come.
type NotifyMessages int

// The choices.
const (
	// NotifyNoMessages tells nothing of messages. It is the default.
	NotifyNoMessages NotifyMessages = iota
	// NotifySenders tells that a message came, and from whom. Of one that came in plain text while the chat was encrypted it tells just that, whatever the
	// choice: somebody else may have written it (notify.UnencryptedReceived).
	NotifySenders
	// NotifyTexts tells the beginning of plain texts as well, of encrypted messages too: they may then be read over a shoulder, on a locked screen or in the
	// history of a desktop.
	NotifyTexts
)

// maxDeliveries is how many notifications are delivered at a time. The queue keeps one of these places for critical ones.
const maxDeliveries = 16

// tell tells the user what n says by its Kind, Fingerprint and Text: in the chat, and through the Notifier where that matters to whoever looks elsewhere.
func (c *EncryptedChat) tell(n notify.Notification) {
	n = c.filled(n)
	c.events.add(SystemMessage{Kind: n.Kind, Text: n.Body, Warning: n.Urgency > notify.Low})
	switch n.Kind {
	case notify.FingerprintChanged, notify.VerifiedFingerprintChanged, notify.RevokedKeyUsed,
		notify.ContactsUnavailable, notify.EncryptionEnded, notify.ConferenceEndedEncryption, notify.EncryptionDisabled:
		c.client.notify(n)
	case notify.UnencryptedReceived:
		if c.client.o.NotifyMessages != NotifyNoMessages { // in the message's place
			c.client.notify(n)
		}
	}
}

// tellOf tells the Notifier of a message as far as the application wants that.
func (c *EncryptedChat) tellOf(m Message) {
	n := notify.Notification{Kind: notify.MessageReceived}
	switch {
	case c.client.o.NotifyMessages == NotifyNoMessages:
		return
	case c.client.o.NotifyMessages == NotifyTexts && m.ContentType == "text/plain":
		n.Text = m.Text
	}
	c.client.notify(c.filled(n))
}

// filled is n with all that its kind and the chat say.
func (c *EncryptedChat) filled(n notify.Notification) notify.Notification {
	c.mu.Lock()
	n.DisplayName = c.savedName
	c.mu.Unlock()
	if n.DisplayName == "" {
		n.DisplayName = c.RemoteDisplayName()
	}
	n.Urgency, n.Contact, n.Time = n.Kind.Urgency(), c.address, time.Now()
	return c.client.o.Texts.Fill(n)
}

// notify tells the Notifier in the background.
func (c *Client) notify(n notify.Notification) {
	if c.queue != nil {
		c.queue.Notify(c.ctx, n) // it fails when the Client is closed
	}
}

// deliver hands n to the Notifier, and notes in the store that the user was told of a changed key, whatever the Notifier made of it. When the Client or
// the queue is closed meanwhile nothing is noted, so that the key is told of again some other time.
func (c *Client) deliver(ctx context.Context, n notify.Notification) error {
	err := notify.Multi(c.o.Notifier).Notify(ctx, n) // which catches a panic
	cut := err != nil && errors.Is(ctx.Err(), context.Canceled)
	if !cut && n.Kind.IsFingerprintChange() {
		if err := c.announced(n); err != nil {
			c.o.Logger.Warn("otrchat: noting that the user was told of a key", "contact", n.Contact, "error", err)
		}
	}
	return err
}

// announced notes that the user was told of a changed key, if the contact still has it. Close waits for that: the store may be closed next.
func (c *Client) announced(n notify.Notification) error {
	fp, err := contacts.ParseFingerprint(n.Fingerprint)
	if err != nil || !c.begin() {
		return err
	}
	defer c.wg.Done()
	ctx, cancel := context.WithTimeout(c.ctx, storeTimeout)
	defer cancel()
	_, err = contacts.Update(ctx, c.o.Contacts, n.Contact, func(contact *contacts.Contact) error { return contact.Announced(fp) })
	if errors.Is(err, contacts.ErrNoKey) || c.ctx.Err() != nil {
		return nil
	}
	return err
}

// begin adds one to what Close waits for, unless the Client is closed.
func (c *Client) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.wg.Add(1)
	}
	return !c.closed
}
