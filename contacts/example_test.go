package contacts_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/otrchat/otrchat/contacts"
)

// Bob comes with a key, the user verifies it, and one day somebody comes with another.
func Example() {
	ctx := context.Background()
	store := contacts.NewMemory()
	seen := func(address string, fp contacts.Fingerprint) {
		var change contacts.Change
		_, err := contacts.Update(ctx, store, address, func(c *contacts.Contact) error {
			change = c.Learn(fp, time.Now())
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		fmt.Println(address, change)
	}

	old, err := contacts.ParseFingerprint("2ED5BA91 C0FFEE00 11223344 55667788 99AABBCC")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	seen("sip:bob@example.org", old)
	seen("sips:bob@Example.org;transport=tls", old)
	_, err = contacts.Update(ctx, store, "bob@example.org", func(c *contacts.Contact) error {
		return c.Verify(old, contacts.VerifiedManually, time.Now())
	})
	fmt.Println("verified:", err == nil)
	seen("sip:bob@example.org", contacts.Fingerprint{0xba, 0xd})
	// Output:
	// sip:bob@example.org first
	// sips:bob@Example.org;transport=tls known
	// verified: true
	// sip:bob@example.org changed
}

func ExampleNormalize() {
	for _, address := range []string{"sip:Bob@Example.org:5070;transport=tcp", "tel:+1-201-555-0123", `"Bob" <sip:bob@example.org>`} {
		fmt.Println(contacts.Normalize(address))
	}
	// Output:
	// Bob@example.org <nil>
	// tel:+12015550123 <nil>
	//  contacts: bad address: space, quotation mark or angle bracket: give the URI alone
}
