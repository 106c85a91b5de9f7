//go:build !darwin && !windows

package desktop_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/desktop"
)

func Example() {
	screen, err := desktop.New(&desktop.Options{
		AppName: "Example Chat",
		AppID:   "org.example.Chat",
		Icon:    "mail-unread",
		Bus:     "unix:path=/no/such/bus", // an application leaves this empty
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer screen.Close()

	err = screen.Notify(context.Background(), notify.Notification{
		Kind:    notify.FingerprintChanged,
		Urgency: notify.Critical,
		Contact: "bob@example.org",
		Title:   "Bob uses a new key",
		Body:    "Compare fingerprints before you write on.",
	})
	if errors.Is(err, desktop.ErrUnavailable) {
		fmt.Println("This machine shows no notifications.")
	}
	// Output: This machine shows no notifications.
}
