package notify

import (
	"context"
	"log/slog"

	"github.com/otrchat/otrchat/notify/internal/plain"
)

// maxLogged is how many bytes of each text of a notification Slog writes.
const maxLogged = 1 << 10

// Slog returns a [Notifier] that writes each notification to l: Low at level Info, Normal at Warn,
// Critical at Error. The record's message is always "notification"; everything else stands in
// attributes, where slog's handlers quote what could forge a line. Each text is cut to 1,024 bytes.
// Of a notification with a Text neither that nor Title and Body are written, since a log keeps them. A nil l discards. Notify never fails.
func Slog(l *slog.Logger) Notifier {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return Func(func(ctx context.Context, n Notification) error {
		attrs := []slog.Attr{slog.String("kind", n.Kind.String()), slog.String("contact", plain.Cut(n.Contact, maxLogged))}
		if n.Text == "" {
			attrs = append(attrs, slog.String("title", plain.Cut(n.Title, maxLogged)), slog.String("body", plain.Cut(n.Body, maxLogged)))
		}
		l.LogAttrs(ctx, level(n.Urgency), "notification", append(attrs, slog.Time("at", n.Time))...)
		return nil
	})
}

func level(u Urgency) slog.Level {
	switch {
	case u <= Low:
		return slog.LevelInfo
	case u >= Critical:
		return slog.LevelError
	}
	return slog.LevelWarn
}
