package otrchat

import (
	"context"
	"errors"
	"mime"
	"strconv"
	"strings"
	"time"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/cpim"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
)

// pump takes messages from the session, one after the other, and makes events of them.
func (c *EncryptedChat) pump() {
	defer c.client.wg.Done()
	defer c.wg.Done()
	defer close(c.done)
	for {
		s, stay := c.reading()
		c.drain(stay, s)
		if s != c.line() {
			c.part(s)
			c.drain(c.ctx, s)
		}
		if !c.moved(s) {
			break
		}
	}
	<-c.ended // watch knows why
}

// reading is what pump takes messages from, until it ends or stay does: that is a while after the chat has left it.
func (c *EncryptedChat) reading() (s media, stay context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session, c.stay
}

// drain takes what a session has until its end or that of stay.
func (c *EncryptedChat) drain(stay context.Context, s media) {
	for c.waitForRoom(s) {
		m, err := s.Receive(stay)
		if err != nil {
			return
		}
		c.handle(s, m)
	}
}

// waitForRoom waits until the application has taken events, false when the chat was closed. Once the chat and the session have ended there is no need
// for room: what is in the inbox then is bounded.
func (c *EncryptedChat) waitForRoom(s media) bool {
	var over <-chan struct{}
	ended := c.ended
	for {
		wait := c.events.full()
		if wait == nil {
			return true
		}
		select {
		case <-wait:
		case <-ended:
			ended, over = nil, s.Done()
		case <-over:
			return c.ctx.Err() == nil
		case <-c.ctx.Done():
			return false
		}
	}
}

// handle takes one message and reports what became of it.
func (c *EncryptedChat) handle(s media, m *msrp.Message) {
	in, ok := unwrap(m)
	switch {
	case !ok:
		c.report(s, m, msrp.StatusBadRequest)
	case in.mediaType == "application/im-iscomposing+xml": // not shown
		c.report(s, m, msrp.StatusOK)
	case !strings.HasPrefix(in.mediaType, "text/"):
		c.report(s, m, msrp.StatusUnsupportedMedia)
	default:
		c.report(s, m, c.text(in))
	}
}

// text takes a text, encrypted or not, and returns the status for the report.
func (c *EncryptedChat) text(in incoming) int {
	if err := c.lock(c.ctx); err != nil {
		return msrp.StatusBadRequest
	}
	defer c.unlock()
	if c.mayEncrypt() {
		return c.decrypt(in)
	}
	switch kind := otrsession.Classify(in.body); {
	case kind == otrsession.KindQuery, kind == otrsession.KindError: // neither answered nor shown
		return msrp.StatusOK
	case kind.IsProtocol():
		return msrp.StatusBadRequest // nobody could read it
	}
	c.tellOf(c.show(in, otrsession.StripTag(in.body), false))
	return msrp.StatusOK
}

func (c *EncryptedChat) report(s media, m *msrp.Message, code int) {
	if err := s.Report(m, code); err != nil {
		c.client.o.Logger.Debug("otrchat: report", "contact", c.address, "error", err)
	}
}

// incoming is a message without its wrapping.
type incoming struct {
	mediaType string
	body      []byte
	time      time.Time
}

func unwrap(m *msrp.Message) (in incoming, ok bool) {
	in = incoming{body: m.Body, time: time.Now()}
	contentType := m.ContentType
	if in.mediaType = mediaType(contentType); in.mediaType == "message/cpim" {
		inner, err := cpim.Parse(m.Body)
		if err != nil {
			return in, false
		}
		if in.body, err = inner.Decode(); err != nil {
			return in, false
		}
		if !inner.DateTime.IsZero() {
			in.time = inner.DateTime
		}
		if contentType = inner.ContentType; contentType == "" {
			contentType = "text/plain" // RFC 2045 section 5.2
		}
		in.mediaType = mediaType(contentType)
	}
	return in, true
}

func mediaType(contentType string) string {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		t, _, _ = strings.Cut(contentType, ";")
		t = strings.ToLower(strings.TrimSpace(t))
	}
	return t
}

// decrypt, under wire, hands a text to OTR and returns the status for the report.
func (c *EncryptedChat) decrypt(in incoming) int {
	step, err := c.otr.Decrypt(in.body)
	if err != nil {
		c.client.o.Logger.Warn("otrchat: OTR", "contact", c.address, "error", c.broken(err))
		if errors.Is(err, otrsession.ErrTooLarge) {
			return msrp.StatusStopSending
		}
		return msrp.StatusBadRequest
	}
	if err := c.protocol(c.ctx, step); err != nil {
		c.client.o.Logger.Info("otrchat: answering an OTR message", "contact", c.address, "error", err)
	}
	if step.HasMessage && !step.Encrypted {
		c.plainTextCame()
	}
	code, warned := msrp.StatusOK, false
	for _, e := range step.Events {
		c.otrEvent(e)
		switch e.Type {
		case otrsession.EventUnreadable, otrsession.EventUnrecognized, otrsession.EventOtherInstance:
			code = msrp.StatusBadRequest
		case otrsession.EventUnencrypted:
			warned = true
		}
	}
	if step.HasMessage {
		m := c.show(in, step.Plaintext, step.Encrypted)
		if !warned {
			c.tellOf(m)
		}
	}
	return code
}

// show makes a Message of a text.
func (c *EncryptedChat) show(in incoming, text []byte, encrypted bool) Message {
	s := strings.ReplaceAll(strings.ToValidUTF8(string(text), "\uFFFD"), "\x00", "\uFFFD")
	m := Message{Text: s, ContentType: in.mediaType, Time: in.time, Encrypted: encrypted, Security: c.Security()}
	c.events.add(m)
	return m
}

// plainTextCame ends the waiting for the peer's answer to our request for encryption: the peer writes without.
func (c *EncryptedChat) plainTextCame() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting != nil && c.policy != Always {
		c.stopWaiting()
		c.signal()
	}
}

// otrEvent follows one event of the OTR conversation, under wire.
func (c *EncryptedChat) otrEvent(e otrsession.Event) {
	switch e.Type {
	case otrsession.EventEncrypted:
		c.setSecurity(c.learn(e.Fingerprint), e.Fingerprint)
	case otrsession.EventFinished:
		c.peerEnded()
	case otrsession.EventOffered:
		if err := c.start(c.ctx); err != nil {
			c.client.o.Logger.Info("otrchat: asking for encryption", "contact", c.address, "error", err)
		}
	case otrsession.EventUnencrypted:
		c.tell(notify.Notification{Kind: notify.UnencryptedReceived})
	case otrsession.EventUnreadable:
		c.tell(notify.Notification{Kind: notify.UndecryptableReceived})
	case otrsession.EventUnrecognized:
		c.tell(notify.Notification{Kind: notify.UnrecognizedReceived})
	case otrsession.EventPeerError:
		c.tell(notify.Notification{Kind: notify.PeerError, Text: strconv.Quote(e.Text)})
	case otrsession.EventAKEFailed:
		c.client.o.Logger.Info("otrchat: key exchange", "contact", c.address, "error", e.Err)
	case otrsession.EventSMPAsked, otrsession.EventSMPProgress, otrsession.EventSMPSucceeded, otrsession.EventSMPFailed, otrsession.EventSMPAborted:
		c.smpEvent(e)
	default:
		c.client.o.Logger.Debug("otrchat: OTR event", "contact", c.address, "event", e.Type.String())
	}
}

// peerEnded locks the input until the user decides.
func (c *EncryptedChat) peerEnded() {
	c.setSecurity(Ended, Fingerprint{})
	c.tell(notify.Notification{Kind: notify.EncryptionEnded})
}
