package otrchat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

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
// encryption it waits, for Options.OTRTimeout at most; while the peer has put the chat on hold, and while the chat moves to another way through the
// relay because one was lost, it waits, too. A text that was given while the chat was encrypted, or while the policy was Always, never leaves in plain text, even
// if that ends meanwhile. Texts of one goroutine arrive in the order of its calls.
//
// Errors: ErrEncryptionRequired, ErrEncryptionEnded, ErrEncryptionUnavailable, ErrText and ErrTooLarge, with all of which nothing was sent; the
// chat's error when it has ended, or ctx's.
func (c *EncryptedChat) Send(ctx context.Context, text string) (*Delivery, error) {
	switch {
	case text == "" || !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0:
		return nil, ErrText
	case len(text) > otrsession.DefaultMaxMessage:
		return nil, ErrTooLarge
	}
	inPlain := c.inPlain()
	for {
		d, wait, err := c.trySend(ctx, text, inPlain)
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

// inPlain is why a text that is given now may not leave in plain text later, nil if it may.
func (c *EncryptedChat) inPlain() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.security.Encrypted():
		return ErrEncryptionEnded
	case c.policy == Always:
		return ErrEncryptionRequired
	}
	return nil
}

// trySend sends the text, or returns a channel that is closed when it is worth another try.
func (c *EncryptedChat) trySend(ctx context.Context, text string, inPlain error) (*Delivery, <-chan struct{}, error) {
	if err := c.lock(ctx); err != nil {
		return nil, nil, err
	}
	defer c.unlock()
	encrypted, wait, err := c.way(inPlain)
	if wait != nil || err != nil {
		return nil, wait, err
	}
	var d *msrp.Delivery
	switch {
	case encrypted:
		d, err = c.sendEncrypted(ctx, text)
	case otrsession.Classify([]byte(text)).IsProtocol():
		err = ErrText
	default:
		d, err = c.put(ctx, []byte(text), true)
	}
	if err != nil {
		if wait := c.moves(); wait != nil {
			return nil, wait, nil
		}
		return nil, nil, err
	}
	return &Delivery{encrypted, d}, nil, nil
}

// way decides, under wire, how a text of the user's leaves: this is where plain text is let out or not. inPlain is what stood against that when the
// user gave the text. The channel is closed when it is worth another try.
func (c *EncryptedChat) way(inPlain error) (encrypted bool, wait <-chan struct{}, err error) {
	state, focus := c.otr.State(), c.isFocus()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return false, nil, c.err
	case c.leaving:
		return false, nil, ErrClosed
	case c.isHeld(), c.news != nil: // news may be that the policy is Always now
		return false, c.changed, nil
	case focus && c.policy == Always:
		return false, nil, fmt.Errorf("%w: %w", ErrEncryptionRequired, ErrEncryptionUnavailable)
	case !focus && state == otrsession.Encrypted:
		return true, nil, nil
	case !focus && c.waiting != nil:
		return false, c.changed, nil
	case inPlain == ErrEncryptionEnded || c.confirm || state != otrsession.Plaintext:
		return false, nil, ErrEncryptionEnded
	case inPlain != nil || c.policy == Always:
		return false, nil, ErrEncryptionRequired
	}
	return false, nil, nil
}

// sendEncrypted, under wire.
func (c *EncryptedChat) sendEncrypted(ctx context.Context, text string) (d *msrp.Delivery, err error) {
	step, err := c.otr.Encrypt([]byte(text))
	switch {
	case errors.Is(err, otrsession.ErrTooLarge):
		return nil, ErrTooLarge
	case err != nil:
		return nil, c.broken(err)
	}
	for _, m := range step.Send {
		if d, err = c.putOTR(ctx, m, true); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// protocol, under wire, sends messages of the OTR protocol's own: no reports, since there is no user to tell.
func (c *EncryptedChat) protocol(ctx context.Context, step otrsession.Step) error {
	ctx, cancel := context.WithTimeout(ctx, wireTimeout)
	defer cancel()
	for _, m := range step.Send {
		if _, err := c.putOTR(ctx, m, false); err != nil {
			return err
		}
	}
	return nil
}

// broken wraps an error of OTR's. One that the OTR library cannot go on after ends the chat.
func (c *EncryptedChat) broken(err error) error {
	err = fmt.Errorf("otrchat: %w", err)
	if errors.Is(err, otrsession.ErrBroken) {
		c.end(err)
	}
	return err
}

// putOTR is put for everything of OTR's: not a byte of it goes to a conference.
func (c *EncryptedChat) putOTR(ctx context.Context, m []byte, reports bool) (*msrp.Delivery, error) {
	if c.isFocus() {
		return nil, ErrEncryptionUnavailable
	}
	return c.put(ctx, m, reports)
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
	d, err := c.line().Send(ctx, m)
	if err != nil && ctx.Err() == nil {
		err = c.lost(err)
	}
	return d, err
}

func (c *EncryptedChat) wrapped(text []byte) ([]byte, error) {
	m := &cpim.Message{
		From:     cpim.Address{DisplayName: c.client.o.DisplayName, URI: c.client.o.Address},
		To:       []cpim.Address{{DisplayName: c.RemoteDisplayName(), URI: c.RemoteAddress()}},
		DateTime: time.Now().UTC(), ContentType: plainText, Body: text,
	}
	return cpim.Append(nil, m)
}

// lost gives the reason why the chat ended, where a layer below only says that it is closed.
func (c *EncryptedChat) lost(err error) error {
	if own := c.Err(); own != nil {
		return own
	}
	if ended := c.line().Err(); ended != nil {
		return c.reason(ended)
	}
	return c.client.wrap(err)
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
