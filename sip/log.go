package sip

import (
	"context"
	"log/slog"

	gosip "github.com/emiago/sipgo/sip"
)

// sipgo's connections log to a logger of the whole process: they warn about their reference count whenever a peer closes a
// connection in the middle of something. A library does not write there, so it is silenced before anything runs; a
// program that uses sipgo itself may set it again.
func init() { gosip.SetDefaultLogger(slog.New(slog.DiscardHandler)) }

// transportLog is the handler behind sipgo's loggers. sipgo logs what it cannot parse word for word, at level Error,
// so that a stranger could fill the log and a broken message would put its body or credentials there. Of what sipgo
// says only the text and the addresses pass, at level Debug.
type transportLog struct{ slog.Handler }

var harmless = map[string]bool{"caller": true, "network": true, "laddr": true, "raddr": true}

func (h transportLog) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h transportLog) Handle(ctx context.Context, r slog.Record) error {
	c := slog.NewRecord(r.Time, slog.LevelDebug, "transport: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if harmless[a.Key] {
			c.AddAttrs(a)
		}
		return true
	})
	return h.Handler.Handle(ctx, c)
}

func (h transportLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	var kept []slog.Attr
	for _, a := range attrs {
		if harmless[a.Key] {
			kept = append(kept, a)
		}
	}
	return transportLog{h.Handler.WithAttrs(kept)}
}

func (h transportLog) WithGroup(name string) slog.Handler {
	return transportLog{h.Handler.WithGroup(name)}
}
