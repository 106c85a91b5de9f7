package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Notification is one thing that a person should know. It never holds the text of an encrypted message, unless the person asked to have
// messages shown outside their chat: Text tells.
type Notification struct {
	// Kind is what happened. Default: Other.
	Kind Kind
	// Urgency is how much it matters; Kind.Urgency says how much by rule. Default: Normal.
	Urgency Urgency
	// Contact is the normalised address of the contact it is about. Default: empty, nobody's.
	Contact string
	// DisplayName is what the contact calls itself, UTF-8. It proves nothing. Default: empty.
	DisplayName string
	// Fingerprint is that of the key it is about, in hexadecimal groups. Default: empty.
	Fingerprint string
	// Text is what the other side wrote, UTF-8: the message, where the person asked for it, or what the other program reports. Who keeps
	// notifications, in a log for example, must leave out Text, and Title, Body and Spoken where there is a Text. Default: empty.
	Text string
	// Title is one short line, UTF-8, made by Catalogue.Fill or by an application. Like the texts that follow it may hold text that came from
	// the peer, such as a display name, so a notifier must treat it as hostile. Default: empty.
	Title string
	// Body is the whole notice, UTF-8. Default: empty.
	Body string
	// Spoken is what a voice says in place of Title and Body, UTF-8: forty hexadecimal digits are for eyes. Default: Title and Body.
	Spoken string
	// Time is when it happened. Default: zero, not known.
	Time time.Time
}

// Topic is the same for notifications of which the newest makes the others needless: those of one kind about one contact. It is a hash, in 32 hexadecimal
// digits. It is empty for a notification that none replaces: about no contact, or of the kind Other, which may be anything.
func (n Notification) Topic() string {
	if n.Contact == "" || n.Kind == Other {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", n.Kind, n.Contact))
	return hex.EncodeToString(sum[:16])
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
