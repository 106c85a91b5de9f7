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

// While the popup is busy, a peer comes with nineteen more keys. They take one place, and the warning about another contact is not lost.
func ExampleQueue() {
	free := make(chan struct{})
	popup := notify.Func(func(_ context.Context, n notify.Notification) error {
		<-free
		fmt.Println(n.Title)
		return nil
	})
	q, err := notify.NewQueue(&notify.QueueOptions{Notifier: popup})
	if err != nil {
		fmt.Println(err)
		return
	}
	warn := func(contact string) {
		n := notify.Notification{Kind: notify.FingerprintChanged, Urgency: notify.Critical, Contact: contact}
		q.Notify(context.Background(), notify.English().Fill(n)) // returns at once
	}
	for range 20 {
		warn("mallory@example.org")
	}
	warn("bob@example.org")
	close(free)
	fmt.Println(q.Shutdown(context.Background())) // delivers what waits
	// Output:
	// Encryption warning: new key of mallory@example.org
	// Encryption warning: new key of mallory@example.org (+18)
	// Encryption warning: new key of bob@example.org
	// <nil>
}

// The voice speaks of what is urgent only.
func ExampleFilter() {
	voice := notify.Func(func(_ context.Context, n notify.Notification) error {
		fmt.Println("spoken:", n.Title)
		return nil
	})
	urgent := notify.Filter(voice, func(n notify.Notification) bool { return n.Urgency >= notify.Critical })
	for _, kind := range []notify.Kind{notify.MessageReceived, notify.RevokedKeyUsed} {
		n := notify.English().Fill(notify.Notification{Kind: kind, Urgency: kind.Urgency(), Contact: "bob@example.org"})
		if err := urgent.Notify(context.Background(), n); err != nil {
			fmt.Println(err)
		}
	}
	// Output: spoken: Encryption warning: revoked key of bob@example.org
}
