package otrchat

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
)

// Event is something that happened in a chat: a Message, SystemMessage, SecurityChange or SMP. A SecurityChange comes before the first
// Message under it and before the SMPSucceeded that made it; the SystemMessage on a new key comes before the SecurityChange.
type Event interface{ isEvent() }

// Message is a text from the peer.
type Message struct {
	Text        string    // UTF-8 without NUL; whatever else it holds is the peer's word, control characters and markup too
	ContentType string    // "text/plain" or another text type, in lower case and without parameters
	Time        time.Time // when the peer says that it was sent, else when it came
	// Encrypted tells how this message came, whatever the chat's state: a lock for each message.
	Encrypted bool
	// Security is the chat's state when the message came.
	Security Security
}

// SystemMessage is a notice for the user, to be shown among the messages of the chat. It never holds a text of the chat.
type SystemMessage struct {
	// Kind is what it is about.
	Kind notify.Kind
	// Text says it in the words of Options.Texts. What the peer chose in it, as its address, is cleaned of control characters and cut.
	Text string
	// Warning tells a notice that the user must see from one for the record.
	Warning bool
}

// SecurityChange says that the lock has changed.
type SecurityChange struct {
	Security Security
	Previous Security
	// Fingerprint is the peer's while the chat is encrypted, else zero.
	Fingerprint otrsession.Fingerprint
}

// SMP says how far the verification by a shared secret is.
type SMP struct {
	Progress SMPProgress
	// Question is the peer's, for SMPAsked; it may be empty.
	Question string
	// Verified tells, for SMPSucceeded, whether the peer's key now counts as verified. It does not where the peer asked a question of its
	// own choosing: only the one who asked has learned something then, so ask the peer a question, too.
	Verified bool
}

// SMPProgress is a step of the socialist millionaires' protocol.
type SMPProgress int

// The steps.
const (
	// SMPAsked: the peer wants the user to give the secret; answer with AnswerSMP, or AbortSMP.
	SMPAsked SMPProgress = iota + 1
	// SMPAnswered: the peer has given an answer to what we asked; the result follows.
	SMPAnswered
	// SMPSucceeded: both sides know the same secret.
	SMPSucceeded
	// SMPFailed: the secrets differ, or the peer broke the protocol.
	SMPFailed
	// SMPAborted: no result: one side gave up, or encryption ended.
	SMPAborted
)

var smpNames = [...]string{"none", "asked", "answered", "succeeded", "failed", "aborted"}

// String is the step in a word.
func (p SMPProgress) String() string {
	if p < 0 || int(p) >= len(smpNames) {
		return "unknown"
	}
	return smpNames[p]
}

func (Message) isEvent()        {}
func (SystemMessage) isEvent()  {}
func (SecurityChange) isEvent() {}
func (SMP) isEvent()            {}

// What may wait for Receive before no more messages are taken from the peer.
const (
	maxEvents     = 256
	maxEventBytes = 16 << 20 // of texts
)

// eventQueue keeps the events that wait for the application. Adding never waits; who takes messages from the peer first waits for room.
type eventQueue struct {
	mu     sync.Mutex
	events []Event
	bytes  int           // of texts in events
	wake   chan struct{} // closed and replaced at each change
}

func (q *eventQueue) add(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events = append(q.events, e)
	q.bytes += textBytes(e)
	q.signal()
}

func textBytes(e Event) int {
	if m, ok := e.(Message); ok {
		return len(m.Text)
	}
	return 0
}

func (q *eventQueue) signal() {
	if q.wake != nil {
		close(q.wake)
		q.wake = nil
	}
}

// take returns the oldest event, or a channel that is closed when there may be one.
func (q *eventQueue) take() (Event, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) == 0 {
		return nil, q.changed()
	}
	e := q.events[0]
	q.events[0] = nil
	q.events = q.events[1:]
	q.bytes -= textBytes(e)
	q.signal()
	return e, nil
}

// full returns nil if there is room, or a channel that is closed when there may be.
func (q *eventQueue) full() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) < maxEvents && q.bytes < maxEventBytes {
		return nil
	}
	return q.changed()
}

func (q *eventQueue) changed() <-chan struct{} {
	if q.wake == nil {
		q.wake = make(chan struct{})
	}
	return q.wake
}

// Receive returns the next event. After the chat has ended it returns what is still there, then the chat's error. A ctx that ends leaves the
// chat as it is. While 256 events or 16 MiB of texts wait, no message is taken from the peer, which is told so on the wire once MSRP's inbox is full as well.
func (c *EncryptedChat) Receive(ctx context.Context) (Event, error) {
	for {
		e, wait := c.events.take()
		if e != nil {
			return e, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.done:
			if e, _ := c.events.take(); e != nil {
				return e, nil
			}
			return nil, c.Err()
		}
	}
}

// Events yields what Receive returns, until an error, which is the last thing it yields.
func (c *EncryptedChat) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			e, err := c.Receive(ctx)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
