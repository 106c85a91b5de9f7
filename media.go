package otrchat

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/sip"
)

const (
	connectTimeout = 30 * time.Second // for the MSRP connection, once the call is up
	storeTimeout   = 10 * time.Second // for the contact store
	wireTimeout    = 30 * time.Second // for a message of ours to get into the queue of the connection
	lingerTimeout  = time.Second      // for the last texts of a peer that has hung up
)

// What we take. Blink and SylkServer want the types spelt out, and "message/cpim" literally.
var (
	acceptTypes        = []string{"message/cpim", "text/plain", "text/html", "application/im-iscomposing+xml"}
	acceptWrappedTypes = []string{"text/plain", "text/html", "application/im-iscomposing+xml"}
)

// media is our end of a chat: an MSRP session, and the way through the relay that it goes, nil without Options.Relay.
type media struct {
	*msrp.Session
	relay *msrp.Relay
}

// describe is our end for the SDP. Where a middlebox is to carry the connection, it may (RFC 6714).
func (c *Client) describe(m media) *sip.Media {
	path := m.LocalPath()
	d := &sip.Media{
		Path: path.Strings(), TLS: path[0].Secure, AcceptTypes: acceptTypes, AcceptWrappedTypes: acceptWrappedTypes, Setup: sip.SetupActPass,
		MaxSize: maxMessage, CEMA: true,
	}
	if m.relay == nil && c.secure {
		d.Fingerprints = []string{c.o.fingerprint()}
	}
	return d
}

// newMedia opens an MSRP session, which never goes without the relay if there is to be one.
func (c *Client) newMedia(ctx context.Context) (media, error) {
	if c.o.Relay == nil {
		s, err := c.msrp.NewSession(&msrp.SessionOptions{Secure: c.secure})
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

// offer opens our end of a chat and describes it.
func (c *Client) offer(ctx context.Context) (media, *sip.Media, error) {
	m, err := c.newMedia(ctx)
	if err != nil {
		return m, nil, c.wrap(err)
	}
	return m, c.describe(m), nil
}

// connect makes a chat of a call and our end.
func (c *Client) connect(ctx context.Context, call *sip.Call, m media) (*EncryptedChat, error) {
	chat, err := c.newChat(ctx, call, m)
	if err == nil {
		err = connectMedia(ctx, call, m)
	}
	if err != nil {
		m.Close()
		call.Close()
		return nil, c.wrap(err)
	}
	chat.begin() // before the first text of the peer's is taken
	if err := c.add(chat); err != nil {
		chat.end(err)
		return nil, err
	}
	return chat, nil
}

func connectMedia(ctx context.Context, call *sip.Call, m media) error {
	remote, err := msrp.ParsePath(strings.Join(call.Remote().Path, " "))
	if err != nil {
		return err
	}
	role := msrp.Passive
	if call.Local().Setup == sip.SetupActive {
		role = msrp.Active
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	ctx, cancel = until(ctx, call.Done()) // the peer hung up
	defer cancel()
	if err := m.Connect(ctx, remote, role, m.connectOptions(call)); err != nil {
		switch lost := m.lost(); {
		case lost != nil:
			return lost
		case call.Err() != nil:
			return ErrEnded
		}
		return err
	}
	return nil
}

// connectOptions are what else the SDP says of the connection to the peer. With a relay of ours there is none.
func (m media) connectOptions(call *sip.Call) *msrp.ConnectOptions {
	if m.relay != nil {
		return nil
	}
	remote := call.Remote()
	o := &msrp.ConnectOptions{Fingerprints: remote.Fingerprints}
	if call.Local().CEMA {
		o.Address = remote.Address
	}
	return o
}

// until is ctx, which also ends when done is closed.
func until(ctx context.Context, done <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// accepts tells whether a list of media types, as in the SDP attribute "accept-types", takes a type.
func accepts(list []string, mediaType string) bool {
	major, _, _ := strings.Cut(mediaType, "/")
	for _, t := range list {
		t = strings.ToLower(strings.TrimSpace(t))
		if t == "*" || t == "*/*" || t == mediaType || t == major+"/*" {
			return true
		}
	}
	return false
}
