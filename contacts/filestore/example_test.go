package filestore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
)

func Example() {
	folder, err := os.MkdirTemp("", "contacts")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer os.RemoveAll(folder)

	store, err := filestore.New(&filestore.Options{Path: filepath.Join(folder, "contacts.json")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	ctx := context.Background()
	_, err = contacts.Update(ctx, store, "sip:bob@example.org", func(c *contacts.Contact) error {
		c.DisplayName, c.Policy = "Bob", contacts.Always
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	for c, err := range store.All(ctx) {
		fmt.Println(c.Address, c.DisplayName, c.Policy, err)
	}
	// Output: bob@example.org Bob always <nil>
}
