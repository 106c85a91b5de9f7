package otrchat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/cpim"
	"github.com/otrchat/otrchat/otrsession"
)

const plainText = "text/plain;charset=utf-8"

// Delivery tells what became of a sent text. It is safe for concurrent use.
type Delivery struct {
	// Encrypted tells how the text went.
	Encrypted bool

	d *msrp.Delivery
}

// ID is the text's MSRP Message-ID.
func (d *Delivery) ID() string { return d.d.ID() }

// Wait returns nil when the peer's client reports that it has understood the text, or an error as msrp.Delivery.Wait gives it.
func (d *Delivery) Wait(ctx context.Context) error { return d.d.Wait(ctx) }

// Done is closed when Wait has an outcome.
func (d *Delivery) Done() <-chan struct{} { return d.d.Done() }

// Send sends a text: encrypted if the chat is, in plain text if the policy allows it. While the peer has not answered our request for
// encryption it waits, for Options.OTRTimeout at most. Texts of one goroutine arrive in the order of its calls.
//
// Errors: ErrEncryptionRequired, ErrEncryptionEnded, ErrText and ErrTooLarge, with all of which nothing was sent; the chat's error when it
// has ended, or ctx's.
func (c *EncryptedChat) Send(ctx context.Context, text string) (*Delivery, error) {
	if text == "" || !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		return nil, ErrText
	}
	for {
		d, wait, err := c.trySend(ctx, text)
		if wait == nil {
			return d, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// trySend sends the text, or returns a channel that is closed when it is worth another try.
func (c *EncryptedChat) trySend(ctx context.Context, text string) (*Delivery, <-chan struct{}, error) {
	if err := c.lock(ctx); err != nil {
		return nil, nil, err
	}
	defer c.unlock()
	c.mu.Lock()
	policy, focus, waiting, changed, ended := c.policy, c.focus, c.waiting != nil, c.changed, c.err
	c.mu.Unlock()
	switch state := c.otr.State(); {
	case ended != nil:
		return nil, nil, ended
	case focus && policy == Always:
		return nil, nil, fmt.Errorf("%w: %w", ErrEncryptionRequired, ErrEncryptionUnavailable)
	case state == otrsession.Encrypted:
		d, err := c.sendEncrypted(ctx, text)
		return d, nil, err
	case waiting:
		return nil, changed, nil
	case state == otrsession.Finished:
		return nil, nil, ErrEncryptionEnded
	case policy == Always:
		return nil, nil, ErrEncryptionRequired
	case otrsession.Classify([]byte(text)).IsProtocol():
		return nil, nil, ErrText
	}
	d, err := c.put(ctx, []byte(text), true)
	return &Delivery{false, d}, nil, err
}

// sendEncrypted, under wire.
func (c *EncryptedChat) sendEncrypted(ctx context.Context, text string) (*Delivery, error) {
	step, err := c.otr.Encrypt([]byte(text))
	switch {
	case errors.Is(err, otrsession.ErrTooLarge):
		return nil, ErrTooLarge
	case err != nil:
		return nil, fmt.Errorf("otrchat: %w", err)
	}
	var d *msrp.Delivery
	for _, m := range step.Send {
		if d, err = c.put(ctx, m, true); err != nil {
			return nil, err
		}
	}
	return &Delivery{true, d}, nil
}

// protocol, under wire, sends messages of the OTR protocol's own: no reports, since there is no user to tell.
func (c *EncryptedChat) protocol(ctx context.Context, step otrsession.Step) error {
	ctx, cancel := context.WithTimeout(ctx, wireTimeout)
	defer cancel()
	for _, m := range step.Send {
		if _, err := c.put(ctx, m, false); err != nil {
			return err
		}
	}
	return nil
}

// put hands one text, encrypted or not, to the MSRP session.
func (c *EncryptedChat) put(ctx context.Context, text []byte, reports bool) (*msrp.Delivery, error) {
	m := &msrp.Message{ContentType: plainText, Body: text, SuccessReport: reports}
	if !reports {
		m.FailureReport = msrp.No
	}
	if c.cpim {
		wrapped, err := c.wrapped(text)
		if err != nil {
			return nil, fmt.Errorf("otrchat: %w", err)
		}
		m.ContentType, m.Body = "message/cpim", wrapped
	}
	if most := c.call.Remote().MaxSize; most > 0 && int64(len(m.Body)) > most {
		return nil, ErrTooLarge
	}
	d, err := c.session.Send(ctx, m)
	if err != nil && ctx.Err() == nil {
		err = c.lost(err)
	}
	return d, err
}

func (c *EncryptedChat) wrapped(text []byte) ([]byte, error) {
	m := &cpim.Message{
		From:     cpim.Address{DisplayName: c.client.o.DisplayName, URI: c.client.o.Address},
		To:       []cpim.Address{{DisplayName: c.RemoteDisplayName(), URI: c.RemoteAddress()}},
		DateTime: time.Now(), ContentType: plainText, Body: text,
	}
	return cpim.Append(nil, m)
}

// lost gives the reason why the chat ended, where a layer below only says that it is closed.
func (c *EncryptedChat) lost(err error) error {
	if own := c.Err(); own != nil {
		return own
	}
	if c.session.Err() != nil {
		return c.reason(c.session.Err())
	}
	return fmt.Errorf("otrchat: %w", err)
}

// lock takes the wire, unless ctx or the chat ends first.
func (c *EncryptedChat) lock(ctx context.Context) error {
	select {
	case <-c.ctx.Done():
		return c.lost(ErrClosed)
	default:
	}
	select {
	case c.wire <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return c.lost(ErrClosed)
	}
}

func (c *EncryptedChat) unlock() { <-c.wire }

// StartEncryption asks the peer for encryption, or, while the chat is encrypted, for new keys. The peer's answer comes as a SecurityChange;
// without one within Options.OTRTimeout a SystemMessage says so. Errors: ErrEncryptionUnavailable, the chat's or ctx's.
func (c *EncryptedChat) StartEncryption(ctx context.Context) error {
	if !c.mayEncrypt() {
		return ErrEncryptionUnavailable
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	return c.start(ctx)
}

// start, under wire.
func (c *EncryptedChat) start(ctx context.Context) error {
	step, err := c.otr.Start()
	if err != nil {
		return fmt.Errorf("otrchat: %w", err)
	}
	c.mu.Lock()
	if c.waiting == nil && c.err == nil && !c.security.Encrypted() {
		var t *time.Timer
		t = time.AfterFunc(c.client.o.OTRTimeout, func() { c.noAnswer(&t) })
		c.waiting = t
	}
	c.mu.Unlock()
	return c.protocol(ctx, step)
}

// noAnswer ends the waiting for the peer's answer to our request for encryption.
func (c *EncryptedChat) noAnswer(t **time.Timer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting != *t {
		return
	}
	c.stopWaiting()
	if c.policy == Always {
		c.events.add(SystemMessage{"The other side did not answer the request for encryption. Nothing will be sent without it.", true})
	} else {
		c.events.add(SystemMessage{"The other side did not answer the request for encryption. Messages are not encrypted.", false})
	}
	c.signal()
}

// StopEncryption ends encryption, and tells the peer. After the peer ended it (Ended), it is how the user confirms to go on in plain text. With
// the policy Always nothing can be sent from then on until StartEncryption.
func (c *EncryptedChat) StopEncryption(ctx context.Context) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	return c.stop(ctx)
}

// stop, under wire.
func (c *EncryptedChat) stop(ctx context.Context) error {
	if c.Security() == Unavailable {
		return ErrEncryptionUnavailable
	}
	step, err := c.otr.End()
	if err != nil {
		return fmt.Errorf("otrchat: %w", err)
	}
	c.setSecurity(NotEncrypted, Fingerprint{})
	return c.protocol(ctx, step)
}

// SetPolicy saves the policy with the contact and applies it at once: Always and Opportunistic ask for encryption, Never ends it.
// contacts.Inherit goes back to Options.Policy. Errors: the store's, the chat's or ctx's; if saving fails, nothing changes.
func (c *EncryptedChat) SetPolicy(ctx context.Context, p Policy) error {
	if err := c.update(ctx, func(contact *contacts.Contact) error { contact.Policy = p; return nil }); err != nil {
		return err
	}
	if p == contacts.Inherit {
		p = c.client.o.Policy
	}
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	c.mu.Lock()
	c.policy = p
	focus := c.focus
	c.mu.Unlock()
	switch encrypted := c.otr.State() == otrsession.Encrypted; {
	case focus:
		return nil
	case p == Never:
		return c.stop(ctx)
	case !encrypted:
		return c.start(ctx)
	}
	return nil
}
