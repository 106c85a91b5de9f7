package msrp

import (
	"context"
	"iter"
	"sync"
	"time"
)

// inbox is the receiving half of a session: whole messages until Receive takes them, and those that are not whole yet. Its lock comes after
// Session.mu and before writer.mu.
type inbox struct {
	mostMessages, mostBytes int

	// wake holds a token when there may be something for a Receive that waits. Who takes the token and leaves a message puts it back.
	wake chan struct{}

	mu       sync.Mutex
	ring     []*Message // what waits: count messages from first on, around the end; its length is a power of two
	first    int
	count    int
	bytes    int // weight of what waits, with what the Readers of messages have not read
	closed   bool
	partials map[string]*partial
	gathered int       // bytes of those in partials
	refused  []refusal // the latest, oldest first

	contentType string // of the message before, in case the next has the same
	accepted    bool   // it is one of SessionOptions.AcceptTypes

	refusals int64 // messages refused with 413 so far

	streams  []*stream     // have not come to their end
	room     chan struct{} // not nil if the read loop waits for room: closed when there may be some
	withheld []withheld    // oldest first

	timer  *time.Timer // runs Session.tidy
	wakeAt time.Time   // when; zero if it is not set
}

const (
	firstRing   = 8
	freeHead    = 512 // bytes of a message's headers that do not count
	headerBytes = 64  // what a header takes beside its text
)

func newInbox(o *Options) inbox {
	return inbox{mostMessages: o.InboxMessages, mostBytes: o.InboxBytes, wake: make(chan struct{}, 1)}
}

// weight is what a message counts in the inbox.
func (m *Message) weight() int {
	head := len(m.ContentType) + len(m.from)
	for _, h := range m.Header {
		head += headerBytes + len(h.Name) + len(h.Value)
	}
	return len(m.Body) + max(0, head-freeHead)
}

// put, under mu, never waits; false if there is no room.
func (b *inbox) put(m *Message) bool {
	n := m.weight()
	if b.count == b.mostMessages || b.bytes+n > b.mostBytes {
		return false
	}
	if b.count == len(b.ring) {
		b.resize(max(firstRing, 2*b.count))
	}
	b.ring[(b.first+b.count)&(len(b.ring)-1)] = m
	b.count++
	b.bytes += n
	b.signal()
	return true
}

// take returns the oldest message, nil if there is none, and responses that are due with that.
func (b *inbox) take() (*Message, []withheld) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count == 0 {
		return nil, nil
	}
	m := b.ring[b.first]
	b.ring[b.first] = nil
	b.first = (b.first + 1) & (len(b.ring) - 1)
	b.count--
	if len(b.ring) > firstRing && b.count <= len(b.ring)/8 { // after a burst
		b.resize(len(b.ring) / 4)
	}
	if b.count > 0 {
		b.signal()
	}
	return m, b.freed(m.weight())
}

// freed, under mu, counts what the application has taken out. The responses that it returns are due.
func (b *inbox) freed(n int) []withheld {
	b.bytes -= n
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
	if b.bytes > b.mostBytes/2 {
		return nil
	}
	due := b.withheld
	b.withheld = nil
	return due
}

// whenFreed, under mu, is closed when the application takes something out.
func (b *inbox) whenFreed() <-chan struct{} {
	if b.room == nil {
		b.room = make(chan struct{})
	}
	return b.room
}

func (b *inbox) resize(n int) {
	ring := make([]*Message, max(n, firstRing))
	for i := range b.count {
		ring[i] = b.ring[(b.first+i)&(len(b.ring)-1)]
	}
	b.ring, b.first = ring, 0
}

func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// close ends receiving. What waits stays for Receive.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.partials, b.gathered, b.refused, b.withheld = nil, 0, nil, nil
	for len(b.streams) > 0 {
		b.end(b.streams[0], errBrokeOff)
	}
	if b.timer != nil {
		b.timer.Stop()
	}
}

// load is what the inbox holds now: messages and bytes that wait for the application, bytes of unfinished messages, and how many messages were
// refused with 413 so far.
func (b *inbox) load() (messages, bytes, unfinished int, refused int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count, b.bytes, b.gathered, b.refusals
}

// Receive returns the next message, which is the caller's from then on. Before Connect it waits. After the session has ended it returns what is still in the inbox, then the session's error.
// A ctx that ends leaves the session as it is. Two messages with the same ID are duplicates, which a user should not see as two (RFC 4975 section 5.4): they
// come when a peer sends again, in a new session for example, what it had no answer to.
func (s *Session) Receive(ctx context.Context) (*Message, error) {
	for {
		if m := s.next(); m != nil {
			return m, nil
		}
		select {
		case <-s.inbox.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.done:
			if m := s.next(); m != nil { // one that came just before the end
				return m, nil
			}
			return nil, s.Err()
		}
	}
}

func (s *Session) next() *Message {
	m, due := s.inbox.take()
	answer(due)
	return m
}

// Messages yields what Receive returns, until an error, which is the last thing it yields.
func (s *Session) Messages(ctx context.Context) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		for {
			m, err := s.Receive(ctx)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}
