package otrchat

import (
	"context"
	"fmt"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/sip"
)

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

// setup is our part in an answer. With a relay we can be reached wherever we are, and a caller without one perhaps not (RFC 6135 section 4.2.2).
func (c *Client) setup(offer *sip.Media) sip.Setup {
	if c.o.Relay != nil && offer != nil && offer.Setup == sip.SetupActPass && len(offer.Path) == 1 {
		return sip.SetupPassive
	}
	return sip.SetupAbsent // the offer decides
}
