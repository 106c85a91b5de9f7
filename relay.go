package otrchat

import (
	"context"
	"errors"
	"fmt"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/sip"
)

// media is our end of a chat: an MSRP session, and the way through the relay that it goes, nil without Options.Relay.
type media struct {
	*msrp.Session
	relay *msrp.Relay
}

// newMedia opens an MSRP session, which never goes without the relay if there is to be one.
func (c *Client) newMedia(ctx context.Context) (media, error) {
	if c.o.Relay == nil {
		s, err := c.msrp.NewSession(nil)
		return media{Session: s}, err
	}
	r, err := c.relay(ctx)
	if err != nil {
		return media{}, relayError(err)
	}
	s, err := c.msrp.NewSession(&msrp.SessionOptions{Relay: r})
	if err != nil {
		if !c.o.Relay.Shared {
			r.Close()
		}
		return media{}, relayError(err)
	}
	return media{s, r}, nil
}

// lost says what the relay has ended with, if it was that and not one of the two ends of the session.
func (m media) lost() error {
	if m.relay == nil {
		return nil
	}
	if err := m.relay.Err(); err != nil && !errors.Is(err, msrp.ErrClosed) {
		return relayError(err)
	}
	return nil
}

func relayError(err error) error { return fmt.Errorf("%w: %w", ErrRelay, err) }

// relay asks for a way of the chat's own, or takes the one that the chats share.
func (c *Client) relay(ctx context.Context) (*msrp.Relay, error) {
	if !c.o.Relay.Shared {
		return c.msrp.DialRelay(ctx, c.o.Relay)
	}
	s, err := c.sharedRelay()
	if err != nil {
		return nil, err
	}
	select {
	case <-s.dialled:
		return s.relay, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// sharedRelay is what all chats use while it lives. It is dialled for as long as the Client lives, not for the chat that came first.
type sharedRelay struct {
	dialled chan struct{} // closed when the rest is there
	relay   *msrp.Relay
	err     error
}

func (c *Client) sharedRelay() (*sharedRelay, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, ErrClosed
	case c.shared != nil && !c.shared.over():
		return c.shared, nil
	}
	s := &sharedRelay{dialled: make(chan struct{})}
	c.shared = s
	c.wg.Go(func() {
		defer close(s.dialled)
		s.relay, s.err = c.msrp.DialRelay(c.ctx, c.o.Relay)
	})
	return s, nil
}

// over tells that another one has to be dialled.
func (s *sharedRelay) over() bool {
	select {
	case <-s.dialled:
		return s.err != nil || s.relay.Err() != nil
	default:
		return false
	}
}

// suits tells whether we have an answer to an offer: to one with TLS up to the caller itself only where our side has TLS, too.
func (c *Client) suits(offer *sip.Media) bool {
	return offer == nil || !offer.TLS || len(offer.Path) > 1 || c.secure
}

// setup is our part in an answer. With a relay we can be reached wherever we are, and a caller without one perhaps not (RFC 6135 section 4.2.2).
func (c *Client) setup(offer *sip.Media) sip.Setup {
	if c.o.Relay != nil && offer != nil && offer.Setup == sip.SetupActPass && len(offer.Path) == 1 {
		return sip.SetupPassive
	}
	return sip.SetupAbsent // the offer decides
}
