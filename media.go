package otrchat

import (
	"context"
	"strings"
	"time"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/sip"
)

const (
	connectTimeout = 30 * time.Second // for the MSRP connection, once the call is up
	notifyTimeout  = time.Minute      // for a Notifier
	storeTimeout   = 10 * time.Second // for the contact store
	wireTimeout    = 30 * time.Second // for a message of ours to get into the queue of the connection
	lingerTimeout  = time.Second      // for the last texts of a peer that has hung up
)

// What we take. Blink and SylkServer want the types spelt out, and "message/cpim" literally.
var (
	acceptTypes        = []string{"message/cpim", "text/plain", "text/html", "application/im-iscomposing+xml"}
	acceptWrappedTypes = []string{"text/plain", "text/html", "application/im-iscomposing+xml"}
)

// offer opens an MSRP session and describes it.
func (c *Client) offer() (*msrp.Session, *sip.Media, error) {
	session, err := c.msrp.NewSession(nil)
	if err != nil {
		return nil, nil, c.wrap(err)
	}
	return session, &sip.Media{
		Path: session.LocalPath().Strings(), AcceptTypes: acceptTypes, AcceptWrappedTypes: acceptWrappedTypes, Setup: sip.SetupActPass,
		MaxSize: maxMessage,
	}, nil
}

// connect makes a chat of a call and its MSRP session.
func (c *Client) connect(ctx context.Context, call *sip.Call, session *msrp.Session) (*EncryptedChat, error) {
	chat, err := c.newChat(ctx, call, session)
	if err == nil {
		err = connectMedia(ctx, call, session)
	}
	if err != nil {
		session.Close()
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

func connectMedia(ctx context.Context, call *sip.Call, session *msrp.Session) error {
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
	connected := make(chan struct{})
	defer close(connected)
	go func() {
		select {
		case <-call.Done(): // the peer hung up
			cancel()
		case <-connected:
		}
	}()
	if err := session.Connect(ctx, remote, role, nil); err != nil {
		if call.Err() != nil {
			return ErrEnded
		}
		return err
	}
	return nil
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
