package sqlstore_test

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
)

// Each owner has room for MaxContacts of its own; All finds all of them, a page at a time.
func TestOwnersHaveRoomOfTheirOwn(t *testing.T) {
	d := newDatabase()
	full := open(t, d)
	db := d.open()
	defer db.Close()
	other, err := sqlstore.New(&sqlstore.Options{DB: db, Dialect: sqlstore.SQLite, Owner: "other"})
	require.NoError(t, err)
	d.tables.owners[""] = contacts.MaxContacts
	for i := range contacts.MaxContacts {
		address := fmt.Sprintf("a%05d@example.com", i)
		d.tables.contacts[name{"", address}] = []driver.Value{address, int64(i + 1), "", "inherit", ""}
	}
	_, err = full.Save(t.Context(), contacts.Contact{Address: "one-more@example.com"})
	require.ErrorIs(t, err, contacts.ErrFull)
	known, err := full.Load(t.Context(), "a00000@example.com")
	require.NoError(t, err)
	_, err = full.Save(t.Context(), known)
	require.NoError(t, err, "who is stored can still change")
	_, err = other.Save(t.Context(), contacts.Contact{Address: "one-more@example.com"})
	require.NoError(t, err)

	n, last, pages := 0, "", 0
	d.set(func(what string) error {
		if strings.HasPrefix(what, "SELECT v.version, c.address") {
			pages++
		}
		return nil
	}, nil)
	for c, err := range full.All(t.Context()) {
		require.NoError(t, err)
		require.Greater(t, c.Address, last)
		n, last = n+1, c.Address
	}
	assert.Equal(t, contacts.MaxContacts, n)
	assert.Equal(t, contacts.MaxContacts/50+1, pages)
	for c, err := range other.All(t.Context()) {
		require.NoError(t, err)
		assert.Equal(t, "one-more@example.com", c.Address)
	}
}
