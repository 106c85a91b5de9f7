package exchange_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/exchange"
)

// forms are the two forms of a list of trusted peers.
var forms = []struct {
	name  string
	read  func(io.Reader) ([]exchange.Entry, error)
	write func(io.Writer, []exchange.Entry) error
}{
	{"CSV", exchange.ReadCSV, exchange.WriteCSV},
	{"JSON", exchange.ReadJSON, exchange.WriteJSON},
}

// blinks is a key as Blink's list has it, without its fingerprint.
var blinks = contacts.Key{Trust: contacts.VerifiedManually}

// hostile are names that peers choose.
var hostile = []string{
	"=1+1", "+1", "-1", "@SUM(1)", "'=1", "''=1", "'", "''", "'Neill", " =1", "\t=1", "\r=1", "\n=1", "x;=1", "x;'=1", "x,+1", "x|-1", "x\t@1", "x\n=1", "x\";\"=1", "; \n =1",
	"＝1+1", "＋1", "－1", "＠x", "=1=2;=3", "=", "\"", "a\"b", "\"\"", ",", "a,b", "line\nline", "a\rb", "a\r", "\r", "\\", "<script>", "%s%n", "-- ", "\u202Eevil\u202C", "\u2028", "\x1b[2J",
	strings.Repeat("=", contacts.MaxDisplayName), strings.Repeat("ü", contacts.MaxDisplayName/2), "null", "}", "]", "Bob - work", "\uFEFF=1",
}

func peers(t testing.TB) []exchange.Entry {
	key := fingerprint(t, digits)
	all := []exchange.Entry{
		{Key: contacts.Key{Fingerprint: key}},
		{Address: "+1@example.org", Name: "Bob", Key: contacts.Key{Fingerprint: key, Trust: contacts.VerifiedSMP, VerifiedAt: later.Add(123456 * time.Microsecond), FirstSeen: then, LastSeen: later}},
		{Address: "tel:+12015550123", Key: contacts.Key{Fingerprint: key, Trust: contacts.Revoked, FirstSeen: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}},
	}
	for _, name := range hostile {
		address := name[:min(len(name), contacts.MaxAddress)]
		all = append(all, exchange.Entry{Name: name, Address: address, Key: contacts.Key{Fingerprint: key, Trust: contacts.VerifiedManually, Note: name}})
	}
	return all
}

func TestPeersRoundTrip(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			for _, entries := range [][]exchange.Entry{peers(t), nil} {
				var file bytes.Buffer
				require.NoError(t, form.write(&file, entries))
				again, err := form.read(bytes.NewReader(file.Bytes()))
				require.NoError(t, err)
				assert.Equal(t, entries, withoutLines(again))
				again, err = form.read(io.MultiReader(strings.NewReader("\uFEFF"), &file))
				require.NoError(t, err)
				assert.Equal(t, entries, withoutLines(again), "behind a byte order mark")
			}
		})
	}
}

func TestPeersAsWritten(t *testing.T) {
	key := fingerprint(t, digits)
	entries := []exchange.Entry{
		{Name: "Bob <3", Key: contacts.Key{Fingerprint: key, Trust: contacts.VerifiedManually}},
		{Address: "bob@example.org", Name: "=1;-1,\n2\r\n", Account: "me", Protocol: "p", Key: contacts.Key{Fingerprint: key, Trust: contacts.Revoked, FirstSeen: then, Note: "his phone"}},
	}
	for i, want := range []string{
		"fingerprint,description,address,trust,verifiedAt,firstSeen,lastSeen,note\r\n" +
			digits + ",Bob <3,,verified-manually,,,,\r\n" +
			digits + ",\"'=1;'-1,\n2\n\",bob@example.org,revoked,,1999-01-02T03:04:05Z,,his phone\r\n",
		"[\n" +
			`  {"description":"Bob \u003c3","fingerprint":"` + digits + `","trust":"verified-manually"},` + "\n" +
			`  {"address":"bob@example.org","description":"=1;-1,\n2\r\n","fingerprint":"` + digits + `","firstSeen":"1999-01-02T03:04:05Z","note":"his phone","trust":"revoked"}` + "\n]\n",
	} {
		var file bytes.Buffer
		require.NoError(t, forms[i].write(&file, entries))
		assert.Equal(t, want, file.String())
	}
}

// No cell begins with what a spreadsheet would run, whatever it takes for a separator.
func TestCSVHasNoFormulas(t *testing.T) {
	var file bytes.Buffer
	require.NoError(t, exchange.WriteCSV(&file, peers(t)))
	cells := strings.FieldsFunc(file.String(), func(r rune) bool { return strings.ContainsRune(",;|\t\r\n\"", r) })
	require.Greater(t, len(cells), 100)
	for _, cell := range cells {
		first, _ := utf8.DecodeRuneInString(strings.TrimSpace(cell))
		assert.NotContains(t, "=+-@＝＋－＠", string(first), "%q", cell)
	}
}

func TestPeersAreNotWritten(t *testing.T) {
	for _, form := range forms {
		for _, bad := range []exchange.Entry{
			{},
			{Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}, Trust: 9}},
			{Name: "\xff", Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}}},
			{Address: "a\x00", Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}}},
			{Name: strings.Repeat("x", contacts.MaxDisplayName+1), Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}}},
			{Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}, LastSeen: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		} {
			var file bytes.Buffer
			err := form.write(&file, []exchange.Entry{bad})
			var where *exchange.EntryError
			require.ErrorAs(t, err, &where)
			assert.Empty(t, file.String())
		}
		large := exchange.Entry{Name: strings.Repeat("x", contacts.MaxDisplayName), Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}}}
		all := make([]exchange.Entry, exchange.MaxBytes/contacts.MaxDisplayName)
		for i := range all {
			all[i] = large
		}
		var file bytes.Buffer
		require.ErrorIs(t, form.write(&file, all), exchange.ErrTooLarge)
		assert.Empty(t, file.String())
	}
}

var csvCases = []struct {
	name, file string
	entries    []exchange.Entry // without their key's fingerprint
	faults     []string
}{
	{"as Blink knows them", "fingerprint,description\n" + digits + ",Bob\n", []exchange.Entry{{Line: 2, Name: "Bob", Key: blinks}}, nil},
	{"another order", " trust ,fingerprint\r\nunverified," + digits, []exchange.Entry{{Line: 2}}, nil},
	{"digits in groups", "fingerprint,trust\n2ED5BA91 C0FFEE00 11223344 55667788 99AABBCC,verified-smp\n", []exchange.Entry{{Line: 2, Key: contacts.Key{Trust: contacts.VerifiedSMP}}}, nil},
	{"a time elsewhere", "fingerprint,trust,firstSeen\n" + digits + ",unverified,1999-01-02T05:04:05.0000001+02:00\n", []exchange.Entry{{Line: 2, Key: contacts.Key{FirstSeen: then}}}, nil},
	{"written by hand", "fingerprint,description\n" + digits + ",'Neill\n", []exchange.Entry{{Line: 2, Name: "'Neill", Key: blinks}}, nil},
	{"good among bad", "fingerprint,trust\nx,unverified\n" + digits + ",\n" + digits + ",unverified\n" + digits + "\n\"\n\n" + digits + ",trusted\n", []exchange.Entry{{Line: 4}}, []string{
		"line 2: fingerprint is not 40 hexadecimal digits, or all are 0", "line 3: trust is none of unverified, verified-smp, verified-manually and revoked", "line 5: wrong number of fields",
		"line 6: extraneous or missing \" in quoted-field",
	}},
	{"bad time", "fingerprint,lastSeen\n" + digits + ",yesterday\n" + digits + ",0000-01-01T00:00:00Z\n", nil, []string{
		"line 2: lastSeen is no time such as 2026-11-23T08:30:00Z", "line 3: Key is a time outside the years 1 to 9999",
	}},
	{"bad text", "fingerprint,description\n" + digits + ",\xff\n" + digits + ",\x00\n" + digits + "," + strings.Repeat("x", contacts.MaxDisplayName+1) + "\n", nil, []string{
		"line 2: Name is not UTF-8, or NUL", "line 3: Name is not UTF-8, or NUL", "line 4: Name is longer than 1024 bytes",
	}},
	{"no header", digits + ",Bob\n", nil, []string{"line 1: column 1 is unknown or stands twice"}},
	{"nothing", "", nil, []string{"line 1: no line with the names of the columns"}},
	{"no fingerprint", "description\nBob\n", nil, []string{"line 1: no column fingerprint"}},
	{"misspelt trust", "fingerprint,trsut\n" + digits + ",revoked\n", nil, []string{"line 1: column 2 is unknown or stands twice"}},
	{"a column twice", "fingerprint,trust,trust\n" + digits + ",revoked,unverified\n", nil, []string{"line 1: column 3 is unknown or stands twice"}},
	{"other separators", "fingerprint;description\n" + digits + ";Bob\n", nil, []string{"line 1: column 1 is unknown or stands twice"}},
}

const object = `{"fingerprint":"` + digits + `"`

var jsonCases = []struct {
	name, file string
	entries    []exchange.Entry // without their key's fingerprint
	faults     []string
}{
	{"as Blink knows them", `[` + object + `,"description":"Bob"}]`, []exchange.Entry{{Line: 1, Name: "Bob", Key: blinks}}, nil},
	{"nothing is known", "\n[ ]\n", nil, nil},
	{"good among bad", "[\n" + object + `,"trust":"unverified"},` + "\n7,\n\n{\"x\":1},\n" + `{"fingerprint":"x"},` + "\n" +
		object + `,"trust":null}` + "\n," + object + `,"trsut":"revoked"},` + "\nnull,\n" + object + `,"trust":"revoked"` + "\n}]",
		[]exchange.Entry{{Line: 2}, {Line: 10, Key: contacts.Key{Trust: contacts.Revoked}}}, []string{
			"line 3: not an object of strings, or too long", "line 5: not an object of strings, or too long", "line 6: fingerprint is not 40 hexadecimal digits, or all are 0",
			"line 7: trust is none of unverified, verified-smp, verified-manually and revoked", "line 8: unknown member", "line 9: Key.Fingerprint is missing",
		}},
	{"broken", "[" + object + "},\n{\"fingerprint\": \"x}]", []exchange.Entry{{Line: 1, Key: blinks}}, []string{"line 2: not JSON"}},
	{"no end", "[" + object + "}\n", []exchange.Entry{{Line: 1, Key: blinks}}, []string{"line 2: the array has no end, or more comes after it"}},
	{"more behind it", "[" + object + "}]\n\n[]", []exchange.Entry{{Line: 1, Key: blinks}}, []string{"line 3: the array has no end, or more comes after it"}},
	{"no comma", "[" + object + "}\n" + object + "}]", []exchange.Entry{{Line: 1, Key: blinks}}, []string{"line 2: not JSON"}},
	{"no array", object + "}", nil, []string{"line 1: not a JSON array"}},
	{"nothing", "", nil, []string{"line 1: not a JSON array"}},
	{"not UTF-8", "[\n\n\"\xff\"]", nil, []string{"line 3: not UTF-8"}},
	{"NUL", `[` + object + `,"address":"\u0000"}]`, nil, []string{"line 1: Address, Account or Protocol is not UTF-8, or NUL"}},
	{"very deep", strings.Repeat("[", 100_000), nil, []string{"line 1: not JSON"}},
}

// withDigits are the entries with the fingerprint that all of the files have.
func withDigits(t *testing.T, entries []exchange.Entry) (with []exchange.Entry) {
	for _, e := range entries {
		e.Key.Fingerprint = fingerprint(t, digits)
		with = append(with, e)
	}
	return with
}

func TestReadPeers(t *testing.T) {
	for i, cases := range [][]struct {
		name, file string
		entries    []exchange.Entry
		faults     []string
	}{csvCases, jsonCases} {
		for _, c := range cases {
			t.Run(forms[i].name+"/"+c.name, func(t *testing.T) {
				entries, err := forms[i].read(strings.NewReader(c.file))
				assert.Equal(t, withDigits(t, c.entries), entries)
				assert.Equal(t, c.faults, reasons(err))
				if c.faults != nil {
					var bad *exchange.LineError
					require.ErrorAs(t, err, &bad)
				}
			})
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	for _, c := range csvCases {
		f.Add([]byte(c.file))
	}
	fuzzPeers(f, 0)
}

func FuzzReadJSON(f *testing.F) {
	for _, c := range jsonCases[:len(jsonCases)-1] {
		f.Add([]byte(c.file))
	}
	fuzzPeers(f, 1)
}

// fuzzPeers reads what is given in one form, and writes and reads what is understood in both.
func fuzzPeers(f *testing.F, form int) {
	var all bytes.Buffer
	require.NoError(f, forms[form].write(&all, peers(f)))
	f.Add(all.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := forms[form].read(bytes.NewReader(data))
		require.LessOrEqual(t, len(reasons(err)), exchange.MaxFaults+1)
		entries = withoutLines(entries)
		for i := range entries {
			entries[i].Name = strings.ReplaceAll(entries[i].Name, "\r\n", "\n")
			entries[i].Address = strings.ReplaceAll(entries[i].Address, "\r\n", "\n")
			entries[i].Key.Note = strings.ReplaceAll(entries[i].Key.Note, "\r\n", "\n")
		}
		for _, form := range forms {
			var file bytes.Buffer
			require.NoError(t, form.write(&file, entries))
			again, err := form.read(&file)
			require.NoError(t, err)
			require.Equal(t, entries, withoutLines(again), form.name)
		}
	})
}
