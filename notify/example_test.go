package notify_test

import (
	"context"
	"encoding/json"
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

// A translation needs not be complete: what it lacks is told in English.
func ExampleCatalogue() {
	const german = `{
		"fingerprint changed": {
			"title":  "Warnung: neuer Schlüssel von {contact}",
			"body":   "{contact} hat einen neuen Schlüssel: {fingerprint}. Bitte neu prüfen!",
			"spoken": "Warnung! {name} hat einen neuen Schlüssel."
		}
	}`
	var texts notify.Catalogue
	if err := json.Unmarshal([]byte(german), &texts); err != nil {
		fmt.Println(err)
	}
	fmt.Println("valid:", texts.Validate() == nil)

	n := texts.Fill(notify.Notification{
		Kind: notify.FingerprintChanged, Contact: "bob@example.org", DisplayName: "Bob", Fingerprint: "0A1B2C3D 4E5F6071 8293A4B5 C6D7E8F9 0A1B2C3D",
	})
	fmt.Println(n.Title)
	fmt.Println(n.Body)
	fmt.Println(n.Spoken)
	fmt.Println(texts.Fill(notify.Notification{Kind: notify.EncryptionEnded, Contact: "bob@example.org"}).Title)
	// Output:
	// valid: true
	// Warnung: neuer Schlüssel von bob@example.org
	// bob@example.org hat einen neuen Schlüssel: 0A1B2C3D 4E5F6071 8293A4B5 C6D7E8F9 0A1B2C3D. Bitte neu prüfen!
	// Warnung! Bob (bob@example.org) hat einen neuen Schlüssel.
	// Encryption ended: bob@example.org
}
