package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/exchange"
)

const bob = "bob@example.org"

// then and later lie before the time that bubbles begin at.
var (
	then  = time.Date(1999, 1, 2, 3, 4, 5, 0, time.UTC)
	later = then.Add(time.Hour)
)

func store(t *testing.T, all ...contacts.Contact) contacts.Store {
	t.Helper()
	s := contacts.NewMemory()
	for _, c := range all {
		_, err := s.Save(t.Context(), c)
		require.NoError(t, err)
	}
	return s
}

func load(t *testing.T, s contacts.Store) contacts.Contact {
	t.Helper()
	c, err := s.Load(t.Context(), bob)
	require.NoError(t, err)
	return c
}

// What becomes of a key that the store has with one trust and the file with another.
func TestImportTrust(t *testing.T) {
	type outcome struct {
		trust contacts.Trust
		err   error
	}
	const unverified, smp, manually, revoked = contacts.Unverified, contacts.VerifiedSMP, contacts.VerifiedManually, contacts.Revoked
	for has, row := range [][]outcome{
		unverified: {{unverified, nil}, {smp, nil}, {manually, nil}, {revoked, nil}},
		smp:        {{smp, nil}, {smp, nil}, {smp, nil}, {smp, exchange.ErrVerified}},
		manually:   {{manually, nil}, {manually, nil}, {manually, nil}, {manually, exchange.ErrVerified}},
		revoked:    {{revoked, nil}, {revoked, contacts.ErrRevoked}, {revoked, contacts.ErrRevoked}, {revoked, nil}},
	} {
		for told, want := range row {
			has, told := contacts.Trust(has), contacts.Trust(told)
			t.Run(fmt.Sprintf("%v, told %v", has, told), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					old := contacts.Key{Fingerprint: contacts.Fingerprint{1}, Trust: has, FirstSeen: then, LastSeen: then}
					if has.Verified() {
						old.VerifiedAt = then
					}
					s := store(t, contacts.Contact{Address: bob, DisplayName: "Bob", Keys: []contacts.Key{old}})
					before := load(t, s)
					report, err := exchange.Import(t.Context(), s, []exchange.Entry{{Address: bob, Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}, Trust: told}}})
					require.NoError(t, err)
					after := load(t, s)
					assert.Equal(t, want.trust, after.Keys[0].Trust)
					switch {
					case want.err != nil:
						require.Len(t, report.Refused, 1)
						require.ErrorIs(t, report.Refused[0], want.err)
						assert.Equal(t, before, after)
					case want.trust == has:
						assert.Equal(t, exchange.Report{Unchanged: 1}, report)
						assert.Equal(t, before, after, "not even saved")
					default:
						assert.Equal(t, exchange.Report{Upgraded: 1}, report)
					}
					if want.trust.Verified() && !has.Verified() {
						assert.True(t, after.Keys[0].VerifiedAt.Equal(time.Now()))
					} else {
						assert.Equal(t, old.VerifiedAt, after.Keys[0].VerifiedAt)
					}
				})
			})
		}
	}
}

func TestImportKey(t *testing.T) {
	future := time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
	bubble := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	one := contacts.Fingerprint{1}
	for _, c := range []struct {
		name           string
		has            []contacts.Key
		told           exchange.Entry
		want           contacts.Key
		report         exchange.Report
		hasName, named string
	}{
		{
			name: "new", told: exchange.Entry{Name: "Bob", Key: contacts.Key{Fingerprint: one, Trust: contacts.VerifiedSMP, FirstSeen: then, LastSeen: later, VerifiedAt: later}},
			want:   contacts.Key{Fingerprint: one, Trust: contacts.VerifiedSMP, FirstSeen: then, LastSeen: later, VerifiedAt: later},
			report: exchange.Report{Added: 1}, named: "Bob",
		}, {
			name: "new, from the future", told: exchange.Entry{Key: contacts.Key{Fingerprint: one, Trust: contacts.VerifiedSMP, FirstSeen: future, LastSeen: future, VerifiedAt: future}},
			want:   contacts.Key{Fingerprint: one, Trust: contacts.VerifiedSMP, FirstSeen: bubble, LastSeen: bubble, VerifiedAt: bubble},
			report: exchange.Report{Added: 1},
		}, {
			name: "new, verified at a time but not verified", told: exchange.Entry{Key: contacts.Key{Fingerprint: one, VerifiedAt: then}},
			want:   contacts.Key{Fingerprint: one},
			report: exchange.Report{Added: 1},
		}, {
			name: "seen earlier and later", has: []contacts.Key{{Fingerprint: one, FirstSeen: later, LastSeen: later}},
			told:   exchange.Entry{Key: contacts.Key{Fingerprint: one, FirstSeen: then, LastSeen: later.Add(time.Hour)}},
			want:   contacts.Key{Fingerprint: one, FirstSeen: then, LastSeen: later.Add(time.Hour)},
			report: exchange.Report{Upgraded: 1},
		}, {
			name: "seen between", has: []contacts.Key{{Fingerprint: one, FirstSeen: then, LastSeen: later}},
			told:   exchange.Entry{Key: contacts.Key{Fingerprint: one, FirstSeen: later, LastSeen: then}},
			want:   contacts.Key{Fingerprint: one, FirstSeen: then, LastSeen: later},
			report: exchange.Report{Unchanged: 1},
		}, {
			name: "a note", has: []contacts.Key{{Fingerprint: one}}, told: exchange.Entry{Key: contacts.Key{Fingerprint: one, Note: "his phone"}},
			want: contacts.Key{Fingerprint: one, Note: "his phone"}, report: exchange.Report{Upgraded: 1},
		}, {
			name: "another note", has: []contacts.Key{{Fingerprint: one, Note: "his phone"}}, told: exchange.Entry{Key: contacts.Key{Fingerprint: one, Note: "stolen"}},
			want: contacts.Key{Fingerprint: one, Note: "his phone"}, report: exchange.Report{Unchanged: 1},
		}, {
			name: "not announced elsewhere", told: exchange.Entry{Key: contacts.Key{Fingerprint: one, Unannounced: then}},
			want: contacts.Key{Fingerprint: one}, report: exchange.Report{Added: 1},
		}, {
			name: "not announced here", has: []contacts.Key{{Fingerprint: one, Unannounced: then}}, told: exchange.Entry{Key: contacts.Key{Fingerprint: one}},
			want: contacts.Key{Fingerprint: one, Unannounced: then}, report: exchange.Report{Unchanged: 1},
		}, {
			name: "a name for who has none", has: []contacts.Key{{Fingerprint: one}}, told: exchange.Entry{Name: "Bob", Key: contacts.Key{Fingerprint: one}},
			want: contacts.Key{Fingerprint: one}, report: exchange.Report{Upgraded: 1}, named: "Bob",
		}, {
			name: "another name", has: []contacts.Key{{Fingerprint: one}}, hasName: "Bob", told: exchange.Entry{Name: "Mallory", Key: contacts.Key{Fingerprint: one}},
			want: contacts.Key{Fingerprint: one}, report: exchange.Report{Unchanged: 1}, named: "Bob",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := contacts.NewMemory()
				if c.has != nil {
					_, err := s.Save(t.Context(), contacts.Contact{Address: bob, DisplayName: c.hasName, Keys: c.has})
					require.NoError(t, err)
				}
				c.told.Address = "sip:bob@EXAMPLE.org;transport=tls"
				report, err := exchange.Import(t.Context(), s, []exchange.Entry{c.told})
				require.NoError(t, err)
				assert.Equal(t, c.report, report)
				got := load(t, s)
				assert.Equal(t, []contacts.Key{c.want}, got.Keys)
				assert.Equal(t, c.named, got.DisplayName)
			})
		})
	}
}

func TestImportAddresses(t *testing.T) {
	for _, c := range []struct {
		protocol, address, contact string
		none                       bool // the entry has no address, rather than a bad one
	}{
		{"", "sip:Bob@Example.org", "Bob@example.org", false},
		{"", "conference.example.org", "conference.example.org", false},
		{"prpl-simple", bob, bob, false},
		{"prpl-jabber", bob + "/Home, sweet home@", bob, false},
		{"prpl-jabber", bob + "/", bob, false},
		{"prpl-x", "tel:+1-201-555-0123", "tel:+12015550123", false},
		{"prpl-irc", "bob", "", true},
		{"prpl-icq", "12345678", "", true},
		{"prpl-jabber", "bob/home", "", true},
		{"prpl-jabber", "jürgen@bücher.example/x", "", false},
		{"", "", "", true},
		{"", "bob@example.org/home", "", false},
		{"", "\"Bob\" <sip:bob@example.org>", "", false},
	} {
		t.Run(c.protocol+" "+c.address, func(t *testing.T) {
			s := contacts.NewMemory()
			given := []exchange.Entry{{Address: c.address, Protocol: c.protocol, Line: 5, Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}}}}
			report, err := exchange.Import(t.Context(), s, given)
			require.NoError(t, err)
			assert.Equal(t, c.address, given[0].Address, "the caller's slice is not changed")
			if c.contact != "" {
				assert.Equal(t, exchange.Report{Added: 1}, report)
				_, err = s.Load(t.Context(), c.contact)
				require.NoError(t, err)
				return
			}
			require.Len(t, report.Refused, 1)
			assert.Equal(t, 5, report.Refused[0].Line)
			var bad *contacts.AddressError
			assert.Equal(t, c.none, errors.Is(report.Refused[0], exchange.ErrNoAddress))
			assert.Equal(t, !c.none, errors.As(report.Refused[0], &bad))
		})
	}
}

// Some entries are no good, and the others are imported; each contact is saved once.
func TestImportGoesOn(t *testing.T) {
	full := contacts.Contact{Address: "full@example.org"}
	for i := range contacts.MaxKeys {
		full.Keys = append(full.Keys, contacts.Key{Fingerprint: contacts.Fingerprint{0xff, byte(i)}})
	}
	s := &counting{Store: store(t, full)}
	key := func(n byte) contacts.Key { return contacts.Key{Fingerprint: contacts.Fingerprint{n}} }
	entries := []exchange.Entry{
		{Address: bob, Key: key(1)},
		{Address: "nobody at all", Key: key(2)},
		{Address: full.Address, Key: key(3)},
		{Address: full.Address, Key: full.Keys[7]},
		{Address: bob, Key: contacts.Key{}},
		{Address: bob, Name: "\xff", Key: key(4)},
		{Address: "sips:bob@example.org", Key: key(5)},
		{Address: "sips:bob@example.org", Key: key(1)},
		{Address: "carol@example.org", Key: key(6)},
	}
	report, err := exchange.Import(t.Context(), s, entries)
	require.NoError(t, err)
	assert.Equal(t, 3, report.Added)
	assert.Equal(t, 2, report.Unchanged)
	var refused []string
	for _, e := range report.Refused {
		refused = append(refused, e.Error())
	}
	assert.Equal(t, []string{
		"exchange: entry 1: contacts: bad address: space, quotation mark or angle bracket: give the URI alone",
		"exchange: entry 2: contacts: Keys: more than 64",
		"exchange: entry 4: contacts: Key.Fingerprint: missing",
		"exchange: entry 5: contacts: Name: not UTF-8, or NUL",
	}, refused)
	assert.Equal(t, 2, s.saves)
	assert.Equal(t, []contacts.Key{key(1), key(5)}, load(t, s).Keys)
}

// counting counts what is saved, and fails from some number on.
type counting struct {
	contacts.Store
	saves, failFrom int
	err             error
}

func (s *counting) Save(ctx context.Context, c contacts.Contact) (contacts.Contact, error) {
	if s.saves++; s.err != nil && s.saves >= s.failFrom {
		return contacts.Contact{}, s.err
	}
	return s.Store.Save(ctx, c)
}

func TestImportWhenTheStoreFails(t *testing.T) {
	entries := []exchange.Entry{
		{Address: bob, Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}}},
		{Address: "carol@example.org", Key: contacts.Key{Fingerprint: contacts.Fingerprint{2}}},
		{Address: "dave@example.org", Key: contacts.Key{Fingerprint: contacts.Fingerprint{3}}},
	}
	full := &counting{Store: contacts.NewMemory(), failFrom: 2, err: contacts.ErrFull}
	report, err := exchange.Import(t.Context(), full, entries)
	require.NoError(t, err, "a full store still takes what is new of old contacts")
	assert.Equal(t, 1, report.Added)
	require.Len(t, report.Refused, 2)
	require.ErrorIs(t, report.Refused[1], contacts.ErrFull)

	synctest.Test(t, func(t *testing.T) {
		disputed := &counting{Store: contacts.NewMemory(), failFrom: 3, err: contacts.ErrConflict}
		report, err := exchange.Import(t.Context(), disputed, entries)
		require.NoError(t, err)
		assert.Equal(t, 2, report.Added)
		require.Len(t, report.Refused, 1)
		require.ErrorIs(t, report.Refused[0], contacts.ErrConflict)
	})

	broken := &counting{Store: contacts.NewMemory(), failFrom: 2, err: errors.New("disk on fire")}
	report, err = exchange.Import(t.Context(), broken, entries)
	require.ErrorIs(t, err, broken.err)
	assert.Equal(t, exchange.Report{Added: 1}, report)
	assert.Equal(t, 2, broken.saves, "the third is not tried")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report, err = exchange.Import(ctx, contacts.NewMemory(), entries)
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, report)
}

// Somebody else changes the contact while it is imported: nothing of either is lost.
func TestImportMeetsAnotherWriter(t *testing.T) {
	s := &rival{Store: contacts.NewMemory()}
	report, err := exchange.Import(t.Context(), s, []exchange.Entry{
		{Address: bob, Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}, Trust: contacts.VerifiedSMP}},
		{Address: bob, Key: contacts.Key{Fingerprint: contacts.Fingerprint{2}}},
	})
	require.NoError(t, err)
	assert.Equal(t, 1, report.Added, "counted once")
	require.Len(t, report.Refused, 1)
	require.ErrorIs(t, report.Refused[0], contacts.ErrRevoked)
	assert.Equal(t, contacts.Revoked, load(t, s).Keys[0].Trust)
}

// rival revokes a key just before the first Save.
type rival struct {
	contacts.Store
	done bool
}

func (s *rival) Save(ctx context.Context, c contacts.Contact) (contacts.Contact, error) {
	if !s.done {
		s.done = true
		other := contacts.Contact{Address: c.Address, Keys: []contacts.Key{{Fingerprint: contacts.Fingerprint{1}, Trust: contacts.Revoked}}}
		if _, err := s.Store.Save(ctx, other); err != nil {
			return contacts.Contact{}, err
		}
	}
	return s.Store.Save(ctx, c)
}

func TestExport(t *testing.T) {
	a := contacts.Contact{Address: "a@example.org", DisplayName: "Anna", Keys: []contacts.Key{
		{Fingerprint: contacts.Fingerprint{1}, Trust: contacts.Revoked, FirstSeen: then},
		{Fingerprint: contacts.Fingerprint{2}, Trust: contacts.VerifiedSMP, VerifiedAt: later},
	}}
	b := contacts.Contact{Address: bob, Keys: []contacts.Key{{Fingerprint: contacts.Fingerprint{1}}}}
	s := store(t, b, contacts.Contact{Address: "keyless@example.org"}, a)
	entries, err := exchange.Export(t.Context(), s)
	require.NoError(t, err)
	assert.Equal(t, []exchange.Entry{
		{Address: a.Address, Name: "Anna", Key: a.Keys[0]}, {Address: a.Address, Name: "Anna", Key: a.Keys[1]}, {Address: bob, Key: b.Keys[0]},
	}, entries)

	other := contacts.NewMemory()
	report, err := exchange.Import(t.Context(), other, entries)
	require.NoError(t, err)
	assert.Equal(t, exchange.Report{Added: 3}, report)
	again, err := exchange.Export(t.Context(), other)
	require.NoError(t, err)
	assert.Equal(t, entries, again)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = exchange.Export(ctx, s)
	require.ErrorIs(t, err, context.Canceled)
}

func TestExportIsBounded(t *testing.T) {
	_, err := exchange.Export(t.Context(), endless{})
	require.ErrorIs(t, err, exchange.ErrTooLarge)
}

// endless has more contacts than anybody can count.
type endless struct{ contacts.Store }

func (endless) All(context.Context) iter.Seq2[contacts.Contact, error] {
	return func(yield func(contacts.Contact, error) bool) {
		for yield(contacts.Contact{Address: bob, Keys: make([]contacts.Key, contacts.MaxKeys)}, nil) {
		}
	}
}
