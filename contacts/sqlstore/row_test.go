package sqlstore_test

import (
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/contacts/storetest"
)

// What stands in the database and cannot be right is told, is kept, and can be neither loaded nor saved over. The error does not quote it.
func TestRowsThatCannotBeUsed(t *testing.T) {
	const secret = "s3cret"
	long := strings.Repeat(secret, contacts.MaxNote)
	for what, spoil := range map[string]func(c, k []driver.Value){
		"revision of another type":    func(c, _ []driver.Value) { c[1] = secret },
		"revision 0":                  func(c, _ []driver.Value) { c[1] = int64(0) },
		"negative revision":           func(c, _ []driver.Value) { c[1] = int64(-1) },
		"no revision":                 func(c, _ []driver.Value) { c[1] = nil },
		"display name too long":       func(c, _ []driver.Value) { c[2] = long },
		"display name not UTF-8":      func(c, _ []driver.Value) { c[2] = secret + "\xff" },
		"policy":                      func(c, _ []driver.Value) { c[3] = secret },
		"no policy":                   func(c, _ []driver.Value) { c[3] = nil },
		"note too long":               func(c, _ []driver.Value) { c[4] = long },
		"note with NUL":               func(c, _ []driver.Value) { c[4] = secret + "\x00" },
		"fingerprint":                 func(_, k []driver.Value) { k[0] = secret },
		"fingerprint of zeros":        func(_, k []driver.Value) { k[0] = strings.Repeat("0", 40) },
		"fingerprint that is a blob":  func(_, k []driver.Value) { k[0] = []byte{0, 1, 2} },
		"time of another type":        func(_, k []driver.Value) { k[1] = secret },
		"time in the year 200000":     func(_, k []driver.Value) { k[2] = int64(6_000_000_000_000_000_000) },
		"trust":                       func(_, k []driver.Value) { k[3] = secret },
		"note of a key too long":      func(_, k []driver.Value) { k[6] = long },
		"verified at of another type": func(_, k []driver.Value) { k[4] = secret },
	} {
		t.Run(what, func(t *testing.T) {
			d := newDatabase()
			s := open(t, d)
			_, err := s.Save(t.Context(), storetest.Sample(alice))
			require.NoError(t, err)
			n := name{"", alice}
			spoil(d.tables.contacts[n], d.tables.keys[n][0])
			before := d.tables.clone()

			_, loadErr := s.Load(t.Context(), alice)
			var allErr error
			for _, err := range s.All(t.Context()) {
				allErr = err
			}
			_, saveErr := s.Save(t.Context(), contacts.Contact{Address: alice})
			if errors.Is(saveErr, contacts.ErrConflict) { // only a revision is looked at
				saveErr = loadErr
			}
			for _, err := range []error{loadErr, allErr, saveErr} {
				var bad *sqlstore.RowError
				require.ErrorAs(t, err, &bad)
				assert.Equal(t, alice, bad.Address)
				assert.NotContains(t, err.Error(), secret)
				assert.NotContains(t, err.Error(), alice)
				assert.Less(t, len(err.Error()), 200)
			}
			_, err = contacts.Update(t.Context(), s, alice, func(*contacts.Contact) error { return nil })
			require.Error(t, err)
			assert.Equal(t, before.contacts, d.tables.contacts)
			assert.Equal(t, before.keys, d.tables.keys)
		})
	}
}

// However many keys somebody has given a contact, no more rows are read than a page of contacts may have.
func TestTooManyKeys(t *testing.T) {
	for most, want := range map[int]string{contacts.MaxKeys + 1: "Keys: more than 64", 50 * contacts.MaxKeys: "Keys: more than 64", 50*contacts.MaxKeys + 1: "it has too many keys"} {
		d := newDatabase()
		s := open(t, d)
		_, err := s.Save(t.Context(), storetest.Sample(alice))
		require.NoError(t, err)
		n := name{"", alice}
		d.tables.keys[n] = slices.Repeat(d.tables.keys[n][:1], most)
		_, err = s.Load(t.Context(), alice)
		var bad *sqlstore.RowError
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, alice, bad.Address)
		assert.ErrorContains(t, err, want)
	}
}

func TestAddressThatIsNotNormalised(t *testing.T) {
	for _, address := range []string{"b@EXAMPLE.com\x1b[2J", "b@EXAMPLE.com", "sip:b@example.com", ""} {
		d := newDatabase()
		s := open(t, d)
		_, err := s.Save(t.Context(), contacts.Contact{Address: "B@example.com"})
		require.NoError(t, err)
		c := slices.Clone(d.tables.contacts[name{"", "B@example.com"}])
		c[0] = address
		d.tables.contacts[name{"", "b" + address}] = c
		var got []string
		for c, err := range s.All(t.Context()) {
			if err == nil {
				got = append(got, c.Address)
				continue
			}
			var bad *sqlstore.RowError
			require.ErrorAs(t, err, &bad)
			assert.Equal(t, address, bad.Address)
			assert.NotContains(t, err.Error(), "EXAMPLE")
			got = append(got, "error")
		}
		assert.Equal(t, []string{"B@example.com", "error"}, got, "those before it are told")
	}
}
