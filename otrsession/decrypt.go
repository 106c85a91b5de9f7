package otrsession

import (
	"errors"
	"strings"
	"time"
)

// requery is how long after an AKE a query is not answered with another one.
const requery = time.Minute

// maxErrorText bounds what is passed on of a peer's error report, in bytes.
const maxErrorText = 1024

// What we tell the peer of a message that we could not read. The words are
// libotr's.
const (
	replyNotEncrypted = errorMarker + " You sent encrypted data which wasn't expected."
	replyUnreadable   = errorMarker + " You transmitted an unreadable encrypted message."
	replyMalformed    = errorMarker + " You transmitted a malformed data message."
)

// Decrypt takes any chat message that came from the peer, in clear or not, and
// tells what it means. A message that OTR cannot make sense of is no error but
// an event, and the conversation goes on. The errors are ErrTooLarge, for a
// message over Options.MaxMessage, which is dropped, and ErrBroken.
//
// Decrypt answers the peer's queries. An application that wants no OTR with a
// peer does not call it (see Classify and StripTag).
func (s *Session) Decrypt(message []byte) (Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return Step{}, s.broken
	}
	if len(message) > s.opts.MaxMessage {
		return Step{}, ErrTooLarge
	}
	var step Step
	complete, err := true, error(nil)
	if Classify(message) == KindFragment {
		message, complete, err = s.collect(&step, message)
	} else {
		s.fragments = fragments{}
	}
	if err == nil && complete {
		err = s.whole(&step, message)
	}
	if err != nil {
		return Step{}, err
	}
	return step, nil
}

// whole acts on a message that is no fragment.
func (s *Session) whole(step *Step, message []byte) error {
	switch Classify(message) {
	case KindPlaintext, KindTagged:
		s.inClear(step, message)
	case KindQuery:
		return s.query(step, message)
	case KindEncoded:
		return s.encoded(step, message)
	case KindError:
		text := strings.TrimPrefix(string(message[len(errorMarker):]), " ")
		step.Events = append(step.Events, Event{Type: EventPeerError, Text: printable(text, maxErrorText)})
	default:
		step.event(EventUnrecognized)
	}
	return nil
}

// inClear passes on a text that was not encrypted.
func (s *Session) inClear(step *Step, message []byte) {
	text, offered := cutTag(message)
	step.Plaintext, step.HasMessage = append([]byte{}, text...), true
	if s.state != Plaintext {
		step.event(EventUnencrypted)
	}
	if offered.best(s.opts.AllowV2) != 0 {
		step.event(EventOffered)
	}
}

// encoded sorts "?OTR:…" messages.
func (s *Session) encoded(step *Step, message []byte) error {
	m, err := parseEncoded(message)
	switch {
	case err != nil:
		step.fail(EventUnreadable, err)
		step.Send = append(step.Send, []byte(replyMalformed))
		return nil
	case m.version == 2 && !s.opts.AllowV2:
		step.fail(EventUnreadable, ErrNoCommonVersion)
		return nil
	case m.version == 3 && !s.forUs(m.sender, m.receiver):
		step.event(EventOtherInstance)
		return nil
	case m.kind == typeData:
		return s.data(step, m)
	}
	return s.ake(step, m)
}

// forUs checks the instance tags of version 3. A sender with our own tag is a
// message of ours that somebody sent back.
func (s *Session) forUs(sender, receiver uint32) bool {
	if sender == s.tag || receiver != 0 && receiver != s.tag {
		return false
	}
	return s.live == nil || s.live.version != 3 || sender == s.live.remoteTag()
}

// data decrypts a data message.
func (s *Session) data(step *Step, m encoded) error {
	if s.live == nil || s.live.version != m.version {
		step.fail(EventUnreadable, ErrNotEncrypted)
		if d, _ := parseData(m); !d.unreadableIsNormal {
			step.Send = append(step.Send, []byte(replyNotEncrypted))
		}
		return nil
	}
	text, send, quiet, err := s.live.open(m)
	if errors.Is(err, ErrBroken) {
		return s.failed(err)
	}
	if err != nil {
		s.unreadable(step, quiet, err)
	} else if err := s.put(step, send, nil); err != nil {
		return err
	}
	if text != nil {
		step.Plaintext, step.HasMessage, step.Encrypted = text, true, true
	}
	s.reportSMP(step)
	if !s.live.encrypted() {
		s.finished(step)
	}
	return nil
}

// unreadable reports a data message that is lost, to us and to the peer. One
// that breaks SMP ends it.
func (s *Session) unreadable(step *Step, quiet bool, err error) {
	if errors.Is(err, errBadSMP) {
		s.cheated(step)
	}
	if quiet {
		return
	}
	step.fail(EventUnreadable, err)
	reply := replyUnreadable
	if errors.Is(err, ErrMalformed) {
		reply = replyMalformed
	}
	step.Send = append(step.Send, []byte(reply))
}

// finished follows the peer out of the encrypted conversation.
func (s *Session) finished(step *Step) {
	s.dropSMP(step)
	s.live.wipe()
	s.live, s.exchange, s.state = nil, nil, Finished
	step.Events = append(step.Events, Event{Type: EventFinished, Fingerprint: s.remote})
}
