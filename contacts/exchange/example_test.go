package exchange_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/exchange"
)

// What Pidgin knows of the contacts of one account becomes known here.
func Example() {
	ctx := context.Background()
	store := contacts.NewMemory()
	pidgin := strings.NewReader("bob@example.org\talice@example.org\tprpl-simple\t2ed5ba91c0ffee00112233445566778899aabbcc\tverified\n" +
		"carol\talice@irc.example.org\tprpl-irc\t112233445566778899aabbcc2ed5ba91c0ffee00\t\n" +
		"dave@example.org\talice@example.org\tprpl-simple\t2ed5\t\n")

	entries, err := exchange.ReadLibotr(pidgin)
	if err != nil {
		fmt.Println("left out:", err)
	}
	entries = slices.DeleteFunc(entries, func(e exchange.Entry) bool { return e.Account != "alice@example.org" })
	report, err := exchange.Import(ctx, store, entries)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println("added:", report.Added, "refused:", len(report.Refused))
	bob, err := store.Load(ctx, "sip:bob@example.org")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(bob.Keys[0].Fingerprint, bob.Keys[0].Trust)
	// Output:
	// left out: exchange: line 3: the fingerprint is not 40 hexadecimal digits, or all are 0
	// added: 1 refused: 0
	// 2ED5BA91 C0FFEE00 11223344 55667788 99AABBCC verified-manually
}

// A list of all keys, which a spreadsheet can open: a name that a peer chose to do harm there does none.
func ExampleWriteCSV() {
	ctx := context.Background()
	store := contacts.NewMemory()
	_, err := store.Save(ctx, contacts.Contact{
		Address: "bob@example.org", DisplayName: `=HYPERLINK("https://evil.example")`,
		Keys: []contacts.Key{{Fingerprint: contacts.Fingerprint{0x2e, 0xd5}, FirstSeen: time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)}},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	entries, err := exchange.Export(ctx, store)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	var file strings.Builder
	if err := exchange.WriteCSV(&file, entries); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Print(strings.ReplaceAll(file.String(), "\r", ""))
	// Output:
	// fingerprint,description,address,trust,verifiedAt,firstSeen,lastSeen,note
	// 2ed5000000000000000000000000000000000000,"'=HYPERLINK(""https://evil.example"")",bob@example.org,unverified,,2026-11-23T08:30:00Z,,
}
