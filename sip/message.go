package sip

import (
	"context"
	"slices"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

const (
	maxMessages = 64       // that wait for ReceiveMessage
	maxMessage  = 64 << 10 // bytes of a body
)

// A Message is what a peer sent with MESSAGE (RFC 3428): a single message, outside of any MSRP session.
type Message struct {
	RemoteAddress     string // the sender's address of record, its own claim unless Call is set
	RemoteDisplayName string // the sender's display name, its own claim, without control characters
	ContentType       string // with parameters, for example "text/plain;charset=utf-8"; may be empty where Body is
	Body              []byte
	Call              *Call // the call in whose dialog it came, nil outside of one
}

func (a *Agent) takesMessages() bool { return len(a.opts.MessageTypes) > 0 }

// ReceiveMessage returns the next message of the types in Options.MessageTypes. The sender has its 200 by then; up to 64 messages wait,
// further ones are refused with 480. The error is ErrClosed after Close or Shutdown, or that of ctx.
func (a *Agent) ReceiveMessage(ctx context.Context) (*Message, error) {
	select {
	case <-a.closing:
		return nil, ErrClosed
	default:
	}
	select {
	case m := <-a.messages:
		return m, nil
	case <-a.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// message takes a MESSAGE; c is nil outside of a dialog.
func (a *Agent) message(req *gosip.Request, tx *gosip.ServerTx, c *Call) {
	m := &Message{
		RemoteAddress:     addressOfRecord(req.From().Address),
		RemoteDisplayName: printable(unquote(req.From().DisplayName)),
		Body:              req.Body(),
		Call:              c,
	}
	if c != nil {
		m.RemoteAddress = c.RemoteAddress()
	}
	if t := req.ContentType(); t != nil {
		m.ContentType = printable(t.Value())
	}
	if r := a.checkMessage(req, m); r != nil {
		a.refuse(req, tx, r)
		return
	}
	select {
	case <-a.closing:
		a.respond(req, tx, gosip.StatusServiceUnavailable, "Shutting Down")
		return
	case a.messages <- m:
		a.respond(req, tx, gosip.StatusOK, "OK")
	default:
		a.respond(req, tx, gosip.StatusTemporarilyUnavailable, "Temporarily Unavailable", retryAfter())
	}
}

func (a *Agent) checkMessage(req *gosip.Request, m *Message) *refusal {
	switch {
	case len(m.Body) > maxMessage:
		return &refusal{code: gosip.StatusRequestEntityTooLarge, reason: "Request Entity Too Large"}
	case len(m.Body) == 0 && m.ContentType == "":
		return nil
	case isEncoded(req) || !a.takesType(m.ContentType):
		return unsupportedMedia(strings.Join(a.opts.MessageTypes, ", "))
	}
	return nil
}

// takesType compares a content type with Options.MessageTypes, where "text/*" stands for all of text.
func (a *Agent) takesType(contentType string) bool {
	name, _, _ := strings.Cut(contentType, ";")
	name = strings.TrimSpace(name)
	return !strings.Contains(name, "*") && slices.ContainsFunc(a.opts.MessageTypes, func(t string) bool { return typesMeet(t, name) })
}
