package iscomposing

import (
	"context"
	"sync"
	"time"
)

// Timers of RFC 3994 sections 3.2 and 3.3.
const (
	DefaultIdleTimeout = 15 * time.Second  // without a keystroke, after which a Sender's user is idle
	DefaultRefresh     = 120 * time.Second // how long "active" holds when a document does not say it, and what a Sender announces
	MinRefresh         = 60 * time.Second  // the shortest interval that a Sender announces
)

// refreshLead is how much earlier than announced a refresh leaves, so that the receiver has it before its timer ends.
const refreshLead = 5 * time.Second

// SenderOptions are what a [Sender] can be told.
type SenderOptions struct {
	// IdleTimeout is how long after the last keystroke the user counts as idle, at least a second. Default
	// DefaultIdleTimeout.
	IdleTimeout time.Duration
	// Refresh is the interval in which "active" is repeated while the user goes on, in whole seconds from MinRefresh to MaxRefresh. Negative: never
	// repeated, so that a receiver takes the user for idle after 120 s. Default DefaultRefresh.
	Refresh time.Duration
	// ContentType is the media type that the documents announce. Default none.
	ContentType string
}

// Sender is the composer's state machine (RFC 3994 section 3.2) for one conversation.
type Sender struct {
	idle, refresh time.Duration
	contentType   string
	wake          chan struct{}

	mu     sync.Mutex
	input  time.Time // the last keystroke of a message that has not been sent; zero: none
	told   time.Time // when the peer was last told "active"; zero: it takes the user for idle
	out    bool      // Next has given a document out and has not been called again: it may still be on its way to the wire
	unsure bool      // a message went out meanwhile: which of the two comes second decides what the peer takes the user for
}

// NewSender returns a Sender whose user is idle. A nil o means the defaults; the error is a [*FieldError].
func NewSender(o *SenderOptions) (*Sender, error) {
	if o == nil {
		o = &SenderOptions{}
	}
	s := &Sender{idle: o.IdleTimeout, refresh: o.Refresh, contentType: o.ContentType, wake: make(chan struct{}, 1)}
	if s.idle == 0 {
		s.idle = DefaultIdleTimeout
	}
	if s.refresh == 0 {
		s.refresh = DefaultRefresh
	}
	switch {
	case s.idle < time.Second:
		return nil, &FieldError{"IdleTimeout", "shorter than a second"}
	case s.refresh > 0 && (s.refresh < MinRefresh || !validRefresh(s.refresh)):
		return nil, &FieldError{"Refresh", "not in whole seconds from a minute to an hour"}
	case !validContentType(s.contentType):
		return nil, &FieldError{"ContentType", "no media type"}
	}
	return s, nil
}

// Composing says that the user has just added or changed content: call it at each keystroke. It never waits.
func (s *Sender) Composing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.input = time.Now()
	signal(s.wake)
}

// ContentSent says that the composed message goes out. Call it right before it is sent. The message itself tells the peer that the
// user is idle again, so no document follows (RFC 3994 section 3.2). It never waits.
func (s *Sender) ContentSent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.input = time.Time{}
	if s.unsure = s.out; !s.out {
		s.told = time.Time{}
	}
	signal(s.wake)
}

// Next waits for the next document to send: "active" when the user begins, again when the refresh is due, and "idle" when the user has
// stopped without sending. Send each before calling Next again, so that they arrive in order. The error is that of the context.
func (s *Sender) Next(ctx context.Context) (*Document, error) {
	s.mu.Lock()
	s.out = false
	s.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, due := s.step(time.Now())
		if m != nil {
			return m, nil
		}
		wait(ctx, s.wake, due)
	}
}

// step returns what is to be sent at this time, or when to look again, zero for not before something happens.
func (s *Sender) step(now time.Time) (m *Document, due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	idleAt, refreshAt := s.input.Add(s.idle), s.told.Add(s.refresh-refreshLead)
	composing, told := now.Before(idleAt), !s.told.IsZero()
	switch {
	case composing && (!told || s.unsure || s.refresh > 0 && !now.Before(refreshAt)):
		s.told, s.out, s.unsure = now, true, false
		return &Document{Active: true, ContentType: s.contentType, Refresh: max(s.refresh, 0)}, time.Time{}
	case composing && s.refresh > 0 && refreshAt.Before(idleAt):
		return nil, refreshAt
	case composing:
		return nil, idleAt
	case told:
		s.told, s.out = time.Time{}, true
		return &Document{ContentType: s.contentType}, time.Time{}
	}
	return nil, time.Time{}
}

// signal wakes the goroutine that waits on the channel, now or when it comes.
func signal(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// wait returns when the context ends, at a signal, or when due has come.
func wait(ctx context.Context, wake <-chan struct{}, due time.Time) {
	var timer <-chan time.Time
	if !due.IsZero() {
		timer = time.After(time.Until(due))
	}
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer:
	}
}
