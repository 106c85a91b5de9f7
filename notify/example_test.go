package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/otrchat/otrchat/notify"
)

func Example() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "at" {
				return slog.Attr{} // times would differ from run to run
			}
			return a
		},
	}))
	popup := notify.Func(func(_ context.Context, n notify.Notification) error {
		return errors.New("no screen")
	})
	err := notify.Multi(popup, notify.Slog(log)).Notify(context.Background(), notify.Notification{
		Kind:    notify.FingerprintChanged,
		Urgency: notify.Critical,
		Contact: "bob@example.org",
		Title:   "Bob uses a new key",
		Body:    "Compare fingerprints before you write on.",
	})
	fmt.Println(err)
	// Output:
	// level=ERROR msg=notification kind="fingerprint changed" contact=bob@example.org title="Bob uses a new key" body="Compare fingerprints before you write on."
	// notify: notifier 0: no screen
}
