package contacts_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
)

var (
	day0 = time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)
	day1 = day0.AddDate(0, 0, 1)
	fpA  = contacts.Fingerprint{0xa}
	fpB  = contacts.Fingerprint{0xb}
)

func TestParseFingerprint(t *testing.T) {
	const text = "2ED5BA91 C0FFEE00 11223344 55667788 99AABBCC"
	want, err := contacts.ParseFingerprint(text)
	require.NoError(t, err)
	assert.Equal(t, text, want.String())
	for _, same := range []string{strings.ToLower(text), strings.ReplaceAll(text, " ", ""), " " + text + " "} {
		got, err := contacts.ParseFingerprint(same)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, bad := range []string{"", text[:len(text)-1], text + "0", strings.Replace(text, "2", "g", 1), strings.Repeat("0", 40),
		strings.Replace(text, " ", "\n", 1), text + strings.Repeat(" ", 100)} {
		_, err := contacts.ParseFingerprint(bad)
		require.ErrorIs(t, err, contacts.ErrFingerprint, "%q", bad)
		require.ErrorIs(t, new(contacts.Fingerprint).UnmarshalText([]byte(bad)), contacts.ErrFingerprint)
	}
}

func TestTextForms(t *testing.T) {
	c := contacts.Contact{
		Address: "alice@example.com", Policy: contacts.Opportunistic, Revision: 7,
		Keys: []contacts.Key{{Fingerprint: fpA, FirstSeen: day0, Trust: contacts.VerifiedManually, Note: "his phone"}},
	}
	text, err := json.Marshal(c)
	require.NoError(t, err)
	assert.JSONEq(t, `{"address":"alice@example.com","policy":"opportunistic","revision":7,"keys":[{
		"fingerprint":"0A000000 00000000 00000000 00000000 00000000",
		"firstSeen":"2026-11-23T08:30:00Z","trust":"verified-manually","note":"his phone"}]}`, string(text))
	var again contacts.Contact
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, c, again)

	require.Error(t, json.Unmarshal([]byte(`{"policy":"sometimes"}`), &again))
	require.Error(t, json.Unmarshal([]byte(`{"keys":[{"trust":"blindly"}]}`), &again))
	_, err = contacts.Policy(9).MarshalText()
	require.Error(t, err)
	_, err = contacts.Trust(-1).MarshalText()
	require.Error(t, err)
	assert.Equal(t, "unknown(9)", contacts.Policy(9).String())
	assert.Equal(t, "changed", contacts.KeyChanged.String())
	assert.Equal(t, "revoked", contacts.Revoked.String())
}

func TestLearn(t *testing.T) {
	var c contacts.Contact
	assert.Equal(t, contacts.KeyFirst, c.Learn(fpA, day0))
	assert.Equal(t, contacts.KeyKnown, c.Learn(fpA, day1))
	assert.Equal(t, contacts.KeyKnown, c.Learn(fpA, day0), "an earlier time")
	assert.Equal(t, contacts.KeyChanged, c.Learn(fpB, day1))
	assert.Equal(t, contacts.KeyKnown, c.Learn(fpB, day1), "a change is told once")
	assert.Equal(t, contacts.KeyKnown, c.Learn(fpA, day1), "both are known now")
	assert.Equal(t, []contacts.Key{
		{Fingerprint: fpA, FirstSeen: day0, LastSeen: day1},
		{Fingerprint: fpB, FirstSeen: day1, LastSeen: day1, Unannounced: day1},
	}, c.Keys)

	require.NoError(t, c.Revoke(fpA))
	assert.Equal(t, contacts.KeyKnown, c.Learn(fpA, day1))
	k, ok := c.Key(fpA)
	assert.True(t, ok)
	assert.Equal(t, contacts.Revoked, k.Trust, "seeing a key does not change its trust")

	c.Keys = c.Keys[:1]
	assert.Equal(t, contacts.KeyChanged, c.Learn(fpB, day1), "a revoked key was known as well")
}

// A change that nobody told the user of comes again, once for each time that somebody had to do it.
func TestAnnounced(t *testing.T) {
	for name, tt := range map[string]struct {
		after time.Duration
		do    func(*contacts.Contact) error
		want  contacts.Change
	}{
		"too soon":            {contacts.AnnounceWithin - 1, nil, contacts.KeyKnown},
		"nobody did":          {contacts.AnnounceWithin, nil, contacts.KeyChanged},
		"the clock went back": {-contacts.AnnounceWithin, nil, contacts.KeyChanged},
		"clocks differ":       {-time.Second, nil, contacts.KeyKnown},
		"announced":           {time.Hour, func(c *contacts.Contact) error { return c.Announced(fpB) }, contacts.KeyKnown},
		"another one":         {time.Hour, func(c *contacts.Contact) error { return c.Announced(fpA) }, contacts.KeyChanged},
		"verified":            {time.Hour, func(c *contacts.Contact) error { return c.Verify(fpB, contacts.VerifiedManually, day1) }, contacts.KeyKnown},
		"revoked":             {time.Hour, func(c *contacts.Contact) error { return c.Revoke(fpB) }, contacts.KeyKnown},
	} {
		t.Run(name, func(t *testing.T) {
			var c contacts.Contact
			c.Learn(fpA, day0)
			require.Equal(t, contacts.KeyChanged, c.Learn(fpB, day1))
			if tt.do != nil {
				require.NoError(t, tt.do(&c))
			}
			assert.Equal(t, tt.want, c.Learn(fpB, day1.Add(tt.after)))
			assert.Equal(t, contacts.KeyKnown, c.Learn(fpB, day1.Add(tt.after)), "somebody does it now")
			assert.Equal(t, contacts.KeyKnown, c.Learn(fpA, day1.Add(10*time.Hour)), "the first key is no change")
		})
	}
	var c contacts.Contact
	require.ErrorIs(t, c.Announced(fpA), contacts.ErrNoKey)
}

// A key that another program knew, without times, is known; whoever comes with another one has changed. A contact without keys has never been seen.
func TestLearnAfterImport(t *testing.T) {
	c := contacts.Contact{Keys: []contacts.Key{{Fingerprint: fpA, Trust: contacts.VerifiedManually}}}
	assert.Equal(t, contacts.KeyKnown, c.Learn(fpA, day1))
	assert.Equal(t, contacts.Key{Fingerprint: fpA, LastSeen: day1, Trust: contacts.VerifiedManually}, c.Keys[0], "when it was first seen is not known")
	assert.Equal(t, contacts.KeyChanged, c.Learn(fpB, day1))
	require.NoError(t, c.Forget(fpA))
	assert.Equal(t, contacts.KeyChanged, c.Learn(fpA, day1), "what was forgotten is news")
	require.NoError(t, c.Forget(fpA))
	require.NoError(t, c.Forget(fpB))
	assert.Equal(t, contacts.KeyFirst, c.Learn(fpA, day1))
}

// A peer that comes with a new key each time can only push out keys that nobody verified.
func TestLearnIsBounded(t *testing.T) {
	var c contacts.Contact
	c.Learn(fpA, day0)
	require.NoError(t, c.Verify(fpA, contacts.VerifiedSMP, day0))
	c.Learn(fpB, day0)
	require.NoError(t, c.Revoke(fpB))
	flood := func(i int) contacts.Fingerprint { return contacts.Fingerprint{0xf, byte(i), byte(i >> 8)} }
	for i := range 1000 {
		assert.Equal(t, contacts.KeyChanged, c.Learn(flood(i), day0.Add(time.Duration(i)*time.Second)))
		require.LessOrEqual(t, len(c.Keys), contacts.MaxKeys)
	}
	for fp, want := range map[contacts.Fingerprint]contacts.Trust{fpA: contacts.VerifiedSMP, fpB: contacts.Revoked} {
		k, ok := c.Key(fp)
		assert.True(t, ok)
		assert.Equal(t, want, k.Trust)
	}
	_, ok := c.Key(flood(999))
	assert.True(t, ok, "the newest is kept")
	_, ok = c.Key(flood(0))
	assert.False(t, ok)
	assert.Equal(t, contacts.KeyChanged, c.Learn(flood(0), day1), "a forgotten key is news again")

	for i := range c.Keys {
		c.Keys[i].Trust = contacts.VerifiedManually
	}
	before := c.Clone()
	assert.Equal(t, contacts.KeyChanged, c.Learn(contacts.Fingerprint{0xe}, day1))
	assert.Equal(t, before, c, "nothing is forgotten for it")
	require.NoError(t, c.Forget(fpA))
	assert.Equal(t, contacts.KeyChanged, c.Learn(contacts.Fingerprint{0xe}, day1))
	assert.Equal(t, contacts.KeyKnown, c.Learn(contacts.Fingerprint{0xe}, day1))
}

// Nobody who comes with many keys gets one of them into the place of the contact's first.
func TestFirstKeyIsKept(t *testing.T) {
	var c contacts.Contact
	require.Equal(t, contacts.KeyFirst, c.Learn(fpA, day0))
	for i := range 2 * contacts.MaxKeys {
		assert.Equal(t, contacts.KeyChanged, c.Learn(contacts.Fingerprint{0xf, byte(i)}, day1.Add(time.Duration(i)*time.Second)))
	}
	assert.Len(t, c.Keys, contacts.MaxKeys)
	assert.Equal(t, fpA, c.Keys[0].Fingerprint)
	assert.Equal(t, contacts.KeyKnown, c.Learn(fpA, day1))
	for i := range c.Keys[1:] {
		require.NoError(t, c.Revoke(c.Keys[1+i].Fingerprint))
	}
	before := c.Clone()
	assert.Equal(t, contacts.KeyChanged, c.Learn(fpB, day1))
	assert.Equal(t, before, c, "nothing is forgotten for it")
}

func TestVerify(t *testing.T) {
	var c contacts.Contact
	require.ErrorIs(t, c.Verify(fpA, contacts.VerifiedSMP, day0), contacts.ErrNoKey)
	c.Learn(fpA, day0)
	for _, how := range []contacts.Trust{contacts.Unverified, contacts.Revoked, 9} {
		var field *contacts.FieldError
		require.ErrorAs(t, c.Verify(fpA, how, day0), &field)
	}
	require.NoError(t, c.Verify(fpA, contacts.VerifiedSMP, day1))
	assert.Equal(t, contacts.Key{Fingerprint: fpA, FirstSeen: day0, LastSeen: day0, Trust: contacts.VerifiedSMP, VerifiedAt: day1}, c.Keys[0])
	assert.True(t, c.Keys[0].Trust.Verified())

	require.NoError(t, c.Revoke(fpA))
	assert.Equal(t, contacts.Key{Fingerprint: fpA, FirstSeen: day0, LastSeen: day0, Trust: contacts.Revoked}, c.Keys[0])
	require.ErrorIs(t, c.Verify(fpA, contacts.VerifiedSMP, day1), contacts.ErrRevoked, "SMP does not undo what the user did")
	require.NoError(t, c.Unverify(fpA))
	require.NoError(t, c.Verify(fpA, contacts.VerifiedManually, day1))
	require.NoError(t, c.Forget(fpA))
	assert.Empty(t, c.Keys)
	for _, err := range []error{c.Forget(fpA), c.Unverify(fpA), c.Revoke(fpA)} {
		require.ErrorIs(t, err, contacts.ErrNoKey)
	}
}

func TestNormalized(t *testing.T) {
	local := time.Now().In(time.FixedZone("", 3600))
	c := contacts.Contact{Address: "sip:A@B", Keys: []contacts.Key{{Fingerprint: fpA, FirstSeen: local}}}
	got, err := c.Normalized()
	require.NoError(t, err)
	assert.Equal(t, "A@b", got.Address)
	assert.Equal(t, local.UTC().Truncate(time.Microsecond), got.Keys[0].FirstSeen)
	assert.Equal(t, local, c.Keys[0].FirstSeen, "c is as it was")

	_, err = (contacts.Contact{Address: "a@b", Note: "secret\xff"}).Normalized()
	require.EqualError(t, err, "contacts: Note: not UTF-8, or NUL")
}

// stubborn is a store in which somebody else always saves first.
type stubborn struct {
	*contacts.Memory
	saves int
}

func (s *stubborn) Save(context.Context, contacts.Contact) (contacts.Contact, error) {
	s.saves++
	return contacts.Contact{}, contacts.ErrConflict
}

func TestUpdate(t *testing.T) {
	ctx := t.Context()
	m := contacts.NewMemory()

	first, err := contacts.Update(ctx, m, "sip:Alice@Example.com", func(c *contacts.Contact) error {
		assert.Equal(t, contacts.Contact{Address: "Alice@example.com"}, *c, "a new contact")
		c.Address, c.Revision, c.Note = "eve@example.com", 99, "first"
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, contacts.Contact{Address: "Alice@example.com", Note: "first", Revision: 1}, first)

	boom := errors.New("boom")
	_, err = contacts.Update(ctx, m, "Alice@example.com", func(c *contacts.Contact) error {
		c.Note = "lost"
		return boom
	})
	require.Equal(t, boom, err)
	stored, err := m.Load(ctx, "Alice@example.com")
	require.NoError(t, err)
	assert.Equal(t, first, stored)

	calls := 0
	got, err := contacts.Update(ctx, m, "Alice@example.com", func(c *contacts.Contact) error {
		if calls++; calls == 1 { // somebody else is faster
			_, err := m.Save(ctx, contacts.Contact{Address: c.Address, Note: "theirs", Revision: c.Revision})
			require.NoError(t, err)
		}
		c.Note += " and mine"
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, 2, calls)
	assert.Equal(t, "theirs and mine", got.Note)

	nothing := func(*contacts.Contact) error { return nil }
	_, err = contacts.Update(ctx, m, "a@b@c", nothing)
	var bad *contacts.AddressError
	require.ErrorAs(t, err, &bad)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = contacts.Update(cancelled, m, "Alice@example.com", nothing)
	require.ErrorIs(t, err, context.Canceled)
}
