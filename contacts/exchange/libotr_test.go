package exchange_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/exchange"
)

const digits = "2ed5ba91c0ffee00112233445566778899aabbcc"

func fingerprint(t testing.TB, digits string) contacts.Fingerprint {
	t.Helper()
	f, err := contacts.ParseFingerprint(digits)
	require.NoError(t, err)
	return f
}

// reasons are what the errors joined in err say.
func reasons(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(strings.ReplaceAll(err.Error(), "exchange: ", ""), "\n")
}

var libotrLines = []struct {
	name, line string
	trust      contacts.Trust
	fault      string // part of it; none if the line is understood
}{
	{"no trust", "bob@example.org\tme\tprpl-simple\t" + digits + "\n", contacts.Unverified, ""},
	{"empty trust", "bob@example.org\tme\tprpl-simple\t" + digits + "\t\n", contacts.Unverified, ""},
	{"verified", "bob@example.org\tme\tprpl-simple\t" + digits + "\tverified\n", contacts.VerifiedManually, ""},
	{"smp", "bob@example.org\tme\tprpl-simple\t" + digits + "\tsmp\n", contacts.VerifiedSMP, ""},
	{"another word", "bob@example.org\tme\tprpl-simple\t" + digits + "\tSMP\n", contacts.VerifiedManually, ""},
	{"a space is a word", "bob@example.org\tme\tprpl-simple\t" + digits + "\t \n", contacts.VerifiedManually, ""},
	{"upper case", "bob@example.org\tme\tprpl-simple\t" + strings.ToUpper(digits) + "\n", contacts.Unverified, ""},
	{"CRLF", "bob@example.org\tme\tprpl-simple\t" + digits + "\r\n", contacts.Unverified, ""},
	{"CRLF behind a trust", "bob@example.org\tme\tprpl-simple\t" + digits + "\tsmp\r\n", contacts.VerifiedSMP, ""},
	{"CRLF behind an empty trust", "bob@example.org\tme\tprpl-simple\t" + digits + "\t\r\n", contacts.Unverified, ""},
	{"spaces and other letters", "Bob Müller\tmy account\tprpl irc\t" + digits + "\tverified\n", contacts.VerifiedManually, ""},
	{"the longest", strings.Repeat("b", 400) + "\t" + strings.Repeat("m", 999-400-4-41) + "\tp\t" + digits + "\n", contacts.Unverified, ""},

	{"too long", strings.Repeat("b", 400) + "\t" + strings.Repeat("m", 1000-400-4-41) + "\tp\t" + digits + "\n", 0, "longer than 999 bytes"},
	{"no end", "b\tm\tp\t" + digits, 0, "no end"},
	{"no end behind a trust", "b\tm\tp\t" + digits + "\tverified", 0, "no end"},
	{"end is CR", "b\tm\tp\t" + digits + "\r", 0, "no end"},
	{"no tabs", "bob me prpl-simple " + digits + "\n", 0, "four or five fields"},
	{"three fields", "b\tm\t" + digits + "\n", 0, "four or five fields"},
	{"six fields", "b\tm\tp\t" + digits + "\tverified\tx\n", 0, "four or five fields"},
	{"CR in the trust", "b\tm\tp\t" + digits + "\t\rverified\n", 0, "carriage return"},
	{"CR in the digits", "b\tm\tp\t" + digits + "\rverified\n", 0, "carriage return"},
	{"two CR", "b\tm\tp\t" + digits + "\r\r\n", 0, "carriage return"},
	{"39 digits", "b\tm\tp\t" + digits[1:] + "\n", 0, "40 hexadecimal digits"},
	{"41 digits", "b\tm\tp\t0" + digits + "\n", 0, "40 hexadecimal digits"},
	{"digits in groups", "b\tm\tp\t2ed5ba91 c0ffee00 11223344 55667788 99aabbcc\n", 0, "40 hexadecimal digits"},
	{"no digit", "b\tm\tp\tg" + digits[1:] + "\n", 0, "40 hexadecimal digits"},
	{"space among 40", "b\tm\tp\t " + digits[1:] + "\n", 0, "40 hexadecimal digits"},
	{"all zero", "b\tm\tp\t" + strings.Repeat("0", 40) + "\n", 0, "40 hexadecimal digits"},
	{"no user", "\tm\tp\t" + digits + "\n", 0, "is empty"},
	{"no account", "b\t\tp\t" + digits + "\n", 0, "is empty"},
	{"no protocol", "b\tm\t\t" + digits + "\n", 0, "is empty"},
	{"NUL in the user", "b\x00ob\tm\tp\t" + digits + "\n", 0, "NUL"},
	{"NUL in the trust", "b\tm\tp\t" + digits + "\t\x00verified\n", 0, "NUL"},
	{"escape in the account", "b\tm\x1b[2J\tp\t" + digits + "\n", 0, "control character"},
	{"CR in the protocol", "b\tm\tp\r\t" + digits + "\n", 0, "carriage return"},
	{"byte order mark", "\uFEFFb\tm\tp\t" + digits + "\n", 0, "control character"},
	{"not UTF-8", "b\xff\tm\tp\t" + digits + "\n", 0, "not UTF-8"},
	{"trust is not UTF-8", "b\tm\tp\t" + digits + "\t\xff\n", contacts.VerifiedManually, ""},
	{"long user", strings.Repeat("b", contacts.MaxAddress+1) + "\tm\tp\t" + digits + "\n", 0, "longer than 512 bytes"},
}

func TestReadLibotr(t *testing.T) {
	for _, c := range libotrLines {
		t.Run(c.name, func(t *testing.T) {
			entries, err := exchange.ReadLibotr(strings.NewReader("\n\r\n" + c.line))
			if c.fault != "" {
				require.Empty(t, entries)
				var bad *exchange.LineError
				require.ErrorAs(t, err, &bad)
				assert.Equal(t, 3, bad.Line)
				assert.Contains(t, err.Error(), "exchange: line 3: ")
				assert.Contains(t, err.Error(), c.fault)
				assert.NotContains(t, err.Error(), "verified", "nothing of the line")
				return
			}
			require.NoError(t, err)
			require.Len(t, entries, 1)
			fields := strings.Split(c.line, "\t")
			assert.Equal(t, exchange.Entry{
				Line: 3, Address: fields[0], Account: fields[1], Protocol: fields[2],
				Key: contacts.Key{Fingerprint: fingerprint(t, digits), Trust: c.trust},
			}, entries[0])
		})
	}
}

// The last word on a key counts, as in libotr, and lines in between that are no good do not matter.
func TestReadLibotrTwice(t *testing.T) {
	entries, err := exchange.ReadLibotr(strings.NewReader(
		"b\tm\tp\t" + digits + "\tverified\n" +
			"b\tm\tp\tzz\n" +
			"b\tother\tp\t" + digits + "\tsmp\n" +
			"b\tm\tp\t" + strings.ToUpper(digits) + "\n"))
	assert.Equal(t, []string{"line 2: the fingerprint is not 40 hexadecimal digits, or all are 0"}, reasons(err))
	key := fingerprint(t, digits)
	assert.Equal(t, []exchange.Entry{
		{Line: 1, Address: "b", Account: "m", Protocol: "p", Key: contacts.Key{Fingerprint: key}},
		{Line: 3, Address: "b", Account: "other", Protocol: "p", Key: contacts.Key{Fingerprint: key, Trust: contacts.VerifiedSMP}},
	}, entries)
}

// repeated is a file of n lines with their numbers.
func repeated(n int, line string) *bytes.Buffer {
	var file bytes.Buffer
	for i := range n {
		fmt.Fprintf(&file, line, i)
	}
	return &file
}

func TestReadLibotrIsBounded(t *testing.T) {
	good := "b%d\tm\tp\t" + digits + "\n"
	for _, c := range []struct {
		name, line            string
		lines, entries, fault int
		want                  error
	}{
		{"one too many", good, exchange.MaxEntries + 1, exchange.MaxEntries, 0, exchange.ErrTooLarge},
		{"bytes", strings.Repeat("\n", 1<<20) + "%d", 17, 0, 0, exchange.ErrTooLarge},
		{"as many faults as may be", "%d\n", exchange.MaxFaults - 1, 0, exchange.MaxFaults - 1, nil},
		{"another kind of file", "%d\n", 1000, 0, exchange.MaxFaults, exchange.ErrTooManyFaults},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries, err := exchange.ReadLibotr(repeated(c.lines, c.line))
			assert.Len(t, entries, c.entries)
			assert.True(t, c.want == nil || errors.Is(err, c.want), "%v", c.want)
			assert.Equal(t, c.fault, strings.Count(fmt.Sprint(err), "exchange: line "))
		})
	}
}

func TestReadFails(t *testing.T) {
	broken := errors.New("disk on fire")
	entries, err := exchange.ReadLibotr(iotest.ErrReader(broken))
	assert.Empty(t, entries)
	require.ErrorIs(t, err, broken)
}

func TestWriteLibotr(t *testing.T) {
	key := fingerprint(t, digits)
	entry := func(trust contacts.Trust) exchange.Entry {
		return exchange.Entry{Address: "bob@example.org", Name: "Bob", Account: "me", Protocol: "prpl-simple", Key: contacts.Key{Fingerprint: key, Trust: trust}}
	}
	var file bytes.Buffer
	require.NoError(t, exchange.WriteLibotr(&file, []exchange.Entry{
		entry(contacts.Unverified), entry(contacts.VerifiedSMP), entry(contacts.VerifiedManually), entry(contacts.Revoked),
	}))
	line := "bob@example.org\tme\tprpl-simple\t" + digits + "\t"
	assert.Equal(t, line+"\n"+line+"smp\n"+line+"verified\n", file.String())

	for _, c := range []struct {
		name   string
		change func(*exchange.Entry)
		want   string
	}{
		{"tab", func(e *exchange.Entry) { e.Address = "bob\t" + digits }, "control character"},
		{"newline", func(e *exchange.Entry) { e.Account = "me\nbob" }, "control character"},
		{"carriage return", func(e *exchange.Entry) { e.Protocol = "p\r" }, "control character"},
		{"NUL", func(e *exchange.Entry) { e.Protocol = "p\x00" }, "NUL"},
		{"no account", func(e *exchange.Entry) { e.Account = "" }, "is empty"},
		{"no UTF-8", func(e *exchange.Entry) { e.Account = "\xff" }, "not UTF-8"},
		{"no key", func(e *exchange.Entry) { e.Key = contacts.Key{} }, "Key.Fingerprint: missing"},
		{"no such trust", func(e *exchange.Entry) { e.Key.Trust = 7 }, "Key.Trust: unknown"},
		{"long", func(e *exchange.Entry) { e.Account = strings.Repeat("m", 999) }, "longer than 999 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := entry(contacts.Unverified)
			bad.Line = 17
			c.change(&bad)
			file.Reset()
			err := exchange.WriteLibotr(&file, []exchange.Entry{entry(contacts.Unverified), bad})
			var where *exchange.EntryError
			require.ErrorAs(t, err, &where)
			assert.Equal(t, 1, where.Index)
			assert.Equal(t, 17, where.Line)
			assert.Contains(t, err.Error(), c.want)
			assert.Empty(t, file.String(), "nothing is written")
		})
	}
}

func TestWriteFails(t *testing.T) {
	full := errors.New("no space")
	w := writerFunc(func([]byte) (int, error) { return 0, full })
	require.ErrorIs(t, exchange.WriteLibotr(w, nil), full)
	require.ErrorIs(t, exchange.WriteLibotr(w, make([]exchange.Entry, exchange.MaxEntries+1)), exchange.ErrTooLarge)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// What is understood is written, and reads back the same. A line of the greatest length can become too long: "verified" is longer than other words
// for it.
func FuzzReadLibotr(f *testing.F) {
	for _, c := range libotrLines {
		f.Add([]byte(c.line))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, _ := exchange.ReadLibotr(bytes.NewReader(data))
		if len(entries) == 0 {
			return
		}
		var file bytes.Buffer
		err := exchange.WriteLibotr(&file, entries)
		var at *exchange.EntryError
		if errors.As(err, &at) {
			require.ErrorContains(t, err, "longer than")
			e := entries[at.Index]
			require.Greater(t, len(e.Address+e.Account+e.Protocol), 999-len("\t\t\t\tverified\n")-len(digits))
			return
		}
		require.NoError(t, err)
		again, err := exchange.ReadLibotr(&file)
		require.NoError(t, err)
		require.Equal(t, withoutLines(entries), withoutLines(again))
	})
}

func withoutLines(entries []exchange.Entry) []exchange.Entry {
	var all []exchange.Entry
	for _, e := range entries {
		e.Line = 0
		all = append(all, e)
	}
	return all
}
