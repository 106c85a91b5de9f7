package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
)

// openDatabase stands for sql.Open("sqlite", path) or sql.Open("pgx", url): this module has no driver, see internal/interop/sql for both.
func openDatabase() *sql.DB { return newDatabase().open() }

func Example() {
	db := openDatabase()
	defer db.Close()
	store, err := sqlstore.New(&sqlstore.Options{DB: db, Dialect: sqlstore.SQLite, Owner: "alice@example.com"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	ctx := context.Background()
	if err := store.Migrate(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
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
