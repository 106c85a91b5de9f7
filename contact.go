package otrchat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/notify"
)

// How long a store that fails to tell of changes, or to load what has changed, is left alone.
const (
	minStorePause = time.Second
	maxStorePause = time.Minute
)

// watching is a Client's look at the contact store while it has chats: what is changed elsewhere, in another process or another chat, reaches them.
//
// A change is passed on in steps of which none waits for the next: noteChanges hears of it and marks the contact, loadChanges loads the contact and leaves it
// with its chats (hear), and followContact applies it there, under wire.
type watching struct {
	ctx    context.Context // ends with the last chat
	cancel context.CancelFunc
	stale  map[string]struct{} // contacts to be loaded again, under Client.mu
	more   chan struct{}       // holds a token if there may be some
}

// watchContacts, under mu, begins to watch the store with the first chat, if the store can tell of changes.
func (c *Client) watchContacts() {
	store, ok := c.o.Contacts.(contacts.Watcher)
	if !ok || c.watching != nil {
		return
	}
	w := &watching{stale: map[string]struct{}{}, more: make(chan struct{}, 1)}
	w.ctx, w.cancel = context.WithCancel(c.ctx)
	c.watching = w
	c.wg.Go(func() { c.noteChanges(w.ctx, store) })
	c.wg.Go(func() { c.loadChanges(w) })
}

// unwatchContacts, under mu, ends that with the last chat.
func (c *Client) unwatchContacts() {
	if c.watching != nil && len(c.chats) == 0 {
		c.watching.cancel()
		c.watching = nil
	}
}

// noteChanges marks the contacts of chats that the store tells of. Each time that watching begins anew, any of them may have changed.
func (c *Client) noteChanges(ctx context.Context, store contacts.Watcher) {
	for pause := minStorePause; ; pause = min(2*pause, maxStorePause) {
		for address, err := range store.Watch(ctx) {
			if err != nil && ctx.Err() == nil {
				c.o.Logger.Warn("otrchat: the contacts are not watched for a while", "pause", pause, "error", err)
			}
			if err != nil {
				break
			}
			pause = minStorePause
			c.changed(address)
		}
		if sleep(ctx, pause) != nil {
			return
		}
	}
}

// changed marks a contact that has a chat, or those of all chats if address is empty.
func (c *Client) changed(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for chat := range c.chats {
		if address == "" || chat.address == address {
			c.markStale(chat.address)
		}
	}
}

// markStale, under mu.
func (c *Client) markStale(address string) {
	if c.watching == nil {
		return
	}
	c.watching.stale[address] = struct{}{}
	select {
	case c.watching.more <- struct{}{}:
	default:
	}
}

// loadChanges loads the marked contacts, one after the other.
func (c *Client) loadChanges(w *watching) {
	pause := minStorePause
	for {
		address, ok := c.nextStale(w)
		if !ok {
			select {
			case <-w.more:
				continue
			case <-w.ctx.Done():
				return
			}
		}
		if err := c.reload(w.ctx, address); err == nil {
			pause = minStorePause
			continue
		} else if w.ctx.Err() == nil {
			c.o.Logger.Warn("otrchat: loading a contact that has changed", "contact", address, "pause", pause, "error", err)
		}
		c.changed(address)
		if sleep(w.ctx, pause) != nil {
			return
		}
		pause = min(2*pause, maxStorePause)
	}
}

func (c *Client) nextStale(w *watching) (address string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for address = range w.stale {
		delete(w.stale, address)
		return address, true
	}
	return "", false
}

// news is a contact as the store had it.
type news struct {
	contact contacts.Contact
	writes  int // EncryptedChat.writes before it was loaded
}

// reload hands the chats with a contact what the store has of it.
func (c *Client) reload(ctx context.Context, address string) error {
	writes := map[*EncryptedChat]int{}
	for _, chat := range c.all() {
		if chat.address == address {
			writes[chat] = chat.writesNow()
		}
	}
	contact, err := c.load(ctx, address)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil { // the next watching may have loaded something newer
		return ctx.Err()
	}
	for chat, n := range writes {
		chat.hear(news{contact, n})
	}
	return nil
}

// load returns a contact, or an empty one if there is none.
func (c *Client) load(ctx context.Context, address string) (contacts.Contact, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	contact, err := c.o.Contacts.Load(ctx, address)
	if errors.Is(err, contacts.ErrNotFound) {
		return contacts.Contact{}, nil
	}
	return contact, err
}

// policy is what holds for a contact.
func (c *Client) policy(contact *contacts.Contact) (Policy, error) {
	switch {
	case contact.Policy == contacts.Inherit:
		return c.o.Policy, nil
	case !known(contact.Policy):
		return 0, fmt.Errorf("loading the contact: policy %d is unknown", contact.Policy)
	}
	return contact.Policy, nil
}

// update, under wire, changes the contact in the store.
func (c *EncryptedChat) update(ctx context.Context, change func(*contacts.Contact) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := contacts.Update(ctx, c.client.o.Contacts, c.address, change)
	c.mu.Lock()
	c.writes++ // after an error, too: it may be stored
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("otrchat: %w", err)
	}
	return nil
}

func (c *EncryptedChat) writesNow() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

// hear leaves news for watch, in the place of older ones.
func (c *EncryptedChat) hear(n news) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.news = &n
	select {
	case c.heard <- struct{}{}:
	default:
	}
}

// followContact, under wire, applies what was changed in the store. What was loaded before a change of the chat's own is over; so it is loaded again.
func (c *EncryptedChat) followContact() {
	c.mu.Lock()
	n, writes := c.news, c.writes
	c.news = nil
	c.signal()
	if n != nil && n.writes == writes {
		c.savedName = n.contact.DisplayName
	}
	c.mu.Unlock()
	switch {
	case n == nil:
	case n.writes != writes:
		c.client.changed(c.address)
	default:
		c.followPolicy(&n.contact)
		c.followTrust(&n.contact)
	}
}

// followPolicy applies a policy as SetPolicy does, but for Never: that ends encryption without a word of the user's in this chat, who has to confirm it. Where the
// contact has no policy any more Always stays, for the contact may be gone, with the whole file perhaps.
func (c *EncryptedChat) followPolicy(contact *contacts.Contact) {
	if contact.Policy == contacts.Inherit && c.Policy() == Always {
		return
	}
	p, err := c.client.policy(contact)
	if err == nil && p != c.Policy() {
		if c.setPolicy(p); p == Never {
			c.endUnasked(notify.EncryptionDisabled)
		} else {
			err = c.startIfNot(c.ctx)
		}
	}
	if err != nil {
		c.client.o.Logger.Warn("otrchat: following a change of the contact", "contact", c.address, "error", err)
	}
}

// followTrust shows what the key of the chat counts as now.
func (c *EncryptedChat) followTrust(contact *contacts.Contact) {
	fp, ok := c.RemoteFingerprint()
	if !ok {
		return
	}
	before, now := c.Security(), judge(contact, contacts.Fingerprint(fp))
	if key, _ := contact.Key(contacts.Fingerprint(fp)); key.Trust == contacts.Revoked && before != Changed {
		c.tell(notify.Notification{Kind: notify.RevokedKeyUsed, Fingerprint: fp.String()})
	}
	c.setSecurity(now, fp)
}

// sleep waits for d, or until ctx ends, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	over, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-over.Done()
	return ctx.Err()
}
