package notify

import (
	"context"
	"fmt"
	"time"
)

// Notification is one thing that a person should know. It never holds the text of a message.
type Notification struct {
	// Kind is what happened. Default: Other.
	Kind Kind
	// Urgency is how much it matters. Default: Normal.
	Urgency Urgency
	// Contact is the normalised address of the contact it is about. Default: empty, nobody's.
	Contact string
	// Title is one short line, UTF-8. It may hold text that came from the peer, such as a display
	// name, so a notifier must treat it as hostile. Default: empty.
	Title string
	// Body is the whole notice, UTF-8, with the same warning. Default: empty.
	Body string
	// Time is when it happened. Default: zero, not known.
	Time time.Time
}

// Kind is what happened.
type Kind int

// The kinds. More may come, so a switch over them needs a default.
const (
	// Other is an application's own kind (the zero value).
	Other Kind = iota
	// FingerprintChanged: the contact uses a new key while another was known.
	FingerprintChanged
	// EncryptionEnded: the contact ended the encrypted conversation.
	EncryptionEnded
)

// String is the name in words, such as "fingerprint changed".
func (k Kind) String() string {
	switch k {
	case Other:
		return "other"
	case FingerprintChanged:
		return "fingerprint changed"
	case EncryptionEnded:
		return "encryption ended"
	}
	return fmt.Sprintf("unknown(%d)", int(k))
}

// Urgency is how much a notification matters. Greater is more urgent.
type Urgency int

// The urgencies, those of the freedesktop.org notification specification.
const (
	Low      Urgency = -1
	Normal   Urgency = 0 // the zero value
	Critical Urgency = 1
)

// String is "low", "normal" or "critical".
func (u Urgency) String() string {
	switch u {
	case Low:
		return "low"
	case Normal:
		return "normal"
	case Critical:
		return "critical"
	}
	return fmt.Sprintf("unknown(%d)", int(u))
}

// Notifier brings a notification to a person. Notify returns when it is delivered, has failed, or
// ctx has ended; it may be called from any number of goroutines.
type Notifier interface {
	Notify(ctx context.Context, n Notification) error
}

// Func is a function that is a [Notifier].
type Func func(ctx context.Context, n Notification) error

// Notify calls f.
func (f Func) Notify(ctx context.Context, n Notification) error { return f(ctx, n) }
