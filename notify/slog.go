package notify

import (
	"context"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// maxLogged is how many bytes of each text of a notification Slog writes.
const maxLogged = 1 << 10

// Slog returns a [Notifier] that writes each notification to l: Low at level Info, Normal at Warn,
// Critical at Error. The record's message is always "notification"; everything else stands in
// attributes, where slog's handlers quote what could forge a line. Each text is cut to 1,024 bytes.
// A nil l discards. Notify never fails.
func Slog(l *slog.Logger) Notifier {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return Func(func(ctx context.Context, n Notification) error {
		l.LogAttrs(ctx, level(n.Urgency), "notification",
			slog.String("kind", n.Kind.String()),
			slog.String("contact", clip(n.Contact)),
			slog.String("title", clip(n.Title)),
			slog.String("body", clip(n.Body)),
			slog.Time("at", n.Time))
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

// clip cuts s to maxLogged bytes, between two characters, and replaces what is not UTF-8.
func clip(s string) string {
	if len(s) > maxLogged {
		end := maxLogged
		for end > maxLogged-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
