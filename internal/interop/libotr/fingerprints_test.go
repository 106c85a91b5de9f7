package libotr

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/exchange"
	"github.com/otrchat/otrchat/internal/interop/foreign"
)

//go:embed fingerprints/libotr_fingerprints.c
var fingerprintsSource []byte

// fingerprints is the program that calls libotr's functions on fingerprints files.
type fingerprints struct {
	t       *testing.T
	program string
}

func newFingerprints(t *testing.T) fingerprints {
	return fingerprints{t, build(t, "libotr_fingerprints", fingerprintsSource)}
}

// known is a fingerprint of a user, and whether it is trusted, as libotr or we understand a file.
type known struct{ user, account, protocol, fingerprint, trust string }

// make lets libotr make a file, with the trust "-" for none.
func (f fingerprints) make(all []known) (path string) {
	f.t.Helper()
	path = filepath.Join(f.t.TempDir(), "otr.fingerprints")
	var input bytes.Buffer
	for _, k := range all {
		trust := "-"
		if k.trust != "-" {
			trust = hex.EncodeToString([]byte(k.trust))
		}
		fmt.Fprintf(&input, "%x\t%x\t%x\t%s\t%s\n", k.user, k.account, k.protocol, k.fingerprint, trust)
	}
	cmd := exec.Command(f.program, "make", path)
	cmd.Stdin = &input
	foreign.Run(f.t, patience, cmd)
	return path
}

// read returns what libotr understands of each file, in order. The trust is "verified", "smp" or empty.
func (f fingerprints) read(files ...[]byte) [][]known {
	f.t.Helper()
	dir := f.t.TempDir()
	args := []string{"read"}
	for i, file := range files {
		path := filepath.Join(dir, fmt.Sprint(i))
		require.NoError(f.t, os.WriteFile(path, file, 0o600))
		args = append(args, path)
	}
	var all [][]known
	var one []known
	for line := range strings.Lines(string(foreign.Run(f.t, patience, exec.Command(f.program, args...)))) {
		if line == ".\n" {
			all, one = append(all, sorted(one)), nil
			continue
		}
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(f.t, fields, 6)
		k := known{unhex(f.t, fields[0]), unhex(f.t, fields[1]), unhex(f.t, fields[2]), fields[3], ""}
		switch {
		case fields[4] == hex.EncodeToString([]byte("smp")):
			k.trust = "smp"
		case fields[5] == "1":
			k.trust = "verified"
		}
		one = append(one, k)
	}
	require.Len(f.t, all, len(files))
	return all
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return string(b)
}

func sorted(all []known) []known {
	slices.SortFunc(all, func(a, b known) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}

// ours are the entries as known.
func ours(entries []exchange.Entry) []known {
	words := map[contacts.Trust]string{contacts.VerifiedManually: "verified", contacts.VerifiedSMP: "smp"}
	var all []known
	for _, e := range entries {
		all = append(all, known{e.Address, e.Account, e.Protocol, hex.EncodeToString(e.Key.Fingerprint[:]), words[e.Key.Trust]})
	}
	return sorted(all)
}

// understood returns what we understand of a file, and the file without the lines that we refuse, with the reasons.
func understood(t *testing.T, file []byte) (entries []known, rest []byte, refused []string) {
	t.Helper()
	all, err := exchange.ReadLibotr(bytes.NewReader(file))
	bad := make(map[int]bool)
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			line, ok := e.(*exchange.LineError)
			require.True(t, ok, "%v", e)
			bad[line.Line], refused = true, append(refused, line.Reason)
		}
	} else {
		require.NoError(t, err)
	}
	number := 0
	for line := range strings.Lines(string(file)) {
		if number++; !bad[number] {
			rest = append(rest, line...)
		}
	}
	return ours(all), rest, refused
}

const (
	digits = "2ed5ba91c0ffee00112233445566778899aabbcc"
	other  = "00112233445566778899aabbccddeeff00112233"
)

// inLibotr are fingerprints of several accounts and protocols, with trust of each kind.
var inLibotr = []known{
	{"bob@example.org", "alice@example.org", "prpl-simple", digits, "-"},
	{"bob@example.org", "alice@example.org", "prpl-simple", other, "verified"},
	{"bob@example.org", "alice@work.example", "prpl-simple", digits, "smp"},
	{"bob@example.org", "alice@jabber.example/home", "prpl-jabber", digits, "verified"},
	{"bob@jabber.example/desk", "alice@jabber.example/home", "prpl-jabber", other, "smp"},
	{"carol", "alice@irc.example", "prpl-irc", other, ""},
	{"jürgen müller", "alice", "prpl-novell", digits, "verified"},
}

// What libotr wrote, we read; what we write, libotr reads; and what libotr read and wrote again is still the same.
func TestFingerprintsRoundTrip(t *testing.T) {
	f := newFingerprints(t)
	file, err := os.ReadFile(f.make(inLibotr))
	require.NoError(t, err)
	entries, err := exchange.ReadLibotr(bytes.NewReader(file))
	require.NoError(t, err)
	want := slices.Clone(inLibotr)
	want[0].trust = ""
	assert.Equal(t, sorted(want), ours(entries))

	var written bytes.Buffer
	require.NoError(t, exchange.WriteLibotr(&written, entries))
	assert.Equal(t, string(file), written.String(), "to the byte")
	assert.Equal(t, sorted(want), f.read(written.Bytes())[0])

	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	require.NoError(t, os.WriteFile(from, written.Bytes(), 0o600))
	foreign.Run(t, patience, exec.Command(f.program, "copy", from, to))
	copied, err := os.Open(to)
	require.NoError(t, err)
	defer copied.Close()
	again, err := exchange.ReadLibotr(copied)
	require.NoError(t, err)
	assert.Equal(t, sorted(want), ours(again))
}

// From libotr's file into a store, and from the store into a file of libotr's.
func TestFingerprintsThroughAStore(t *testing.T) {
	f := newFingerprints(t)
	file, err := os.Open(f.make(inLibotr))
	require.NoError(t, err)
	defer file.Close()
	entries, err := exchange.ReadLibotr(file)
	require.NoError(t, err)
	store := contacts.NewMemory()
	report, err := exchange.Import(t.Context(), store, entries)
	require.NoError(t, err)
	assert.Equal(t, 3, report.Added)
	assert.Equal(t, 2, len(report.Refused), "a nickname, and a name")
	bob, err := store.Load(t.Context(), "sip:bob@example.org")
	require.NoError(t, err)
	assert.Len(t, bob.Keys, 2)

	exported, err := exchange.Export(t.Context(), store)
	require.NoError(t, err)
	for i := range exported {
		exported[i].Account, exported[i].Protocol = "alice@example.org", "prpl-simple"
	}
	var written bytes.Buffer
	require.NoError(t, exchange.WriteLibotr(&written, exported))
	assert.Equal(t, sorted([]known{
		{"bob@example.org", "alice@example.org", "prpl-simple", digits, "verified"},
		{"bob@example.org", "alice@example.org", "prpl-simple", other, "verified"},
		{"bob@jabber.example", "alice@example.org", "prpl-simple", other, "smp"},
	}), f.read(written.Bytes())[0])
}

// oddFiles are what libotr takes although it is odd, and what it does not; we refuse the lines with a reason.
var oddFiles = []struct {
	name, file string
	libotr     int    // how many fingerprints libotr understands
	refused    string // why we refuse the line that we refuse, or nothing
}{
	{"trust missing", "b\tm\tp\t" + digits + "\n", 1, ""},
	{"trust empty", "b\tm\tp\t" + digits + "\t\n", 1, ""},
	{"another word", "b\tm\tp\t" + digits + "\tVerified\n", 1, ""},
	{"a space as trust", "b\tm\tp\t" + digits + "\t \n", 1, ""},
	{"upper case", "b\tm\tp\t" + strings.ToUpper(digits) + "\tsmp\n", 1, ""},
	{"CRLF", "b\tm\tp\t" + digits + "\r\nc\tm\tp\t" + digits + "\tsmp\r\nd\tm\tp\t" + digits + "\t\r\n", 3, ""},
	{"blank lines", "\n\r\n\nb\tm\tp\t" + digits + "\n\n", 1, ""},
	{"spaces stay", " b \t m\tp \t" + digits + "\n", 1, ""},
	{"twice", "b\tm\tp\t" + digits + "\tverified\nb\tm\tp\t" + strings.ToUpper(digits) + "\n", 1, ""},
	{"twice, verified last", "b\tm\tp\t" + digits + "\nb\tm\tp\t" + digits + "\tsmp\n", 1, ""},
	{"the same key of others", "b\tm\tp\t" + digits + "\nc\tm\tp\t" + digits + "\nb\tn\tp\t" + digits + "\nb\tm\tq\t" + digits + "\n", 4, ""},
	{"as long as may be", strings.Repeat("b", 500) + "\t" + strings.Repeat("m", 999-500-4-41) + "\tp\t" + digits + "\n", 1, ""},
	{"trust in another encoding", "b\tm\tp\t" + digits + "\tgepr\xfcft\n", 1, ""},
	{"nothing", "", 0, ""},

	{"three fields", "b\tm\t" + digits + "\n", 0, "four or five fields"},
	{"no fields", digits + "\n", 0, "four or five fields"},
	{"one digit too few", "b\tm\tp\t" + digits[1:] + "\n", 0, "40 hexadecimal digits"},
	{"one digit too many", "b\tm\tp\t" + digits + "0\n", 0, "40 hexadecimal digits"},
	{"groups", "b\tm\tp\t2ed5ba91 c0ffee00 11223344 55667788 99aabbcc\n", 0, "40 hexadecimal digits"},
	{"no end", "b\tm\tp\t" + digits, 0, "no end"},
	{"no end behind a trust", "b\tm\tp\t" + digits + "\tver", 0, "no end"},
	{"longer than libotr's lines", strings.Repeat("b", 950) + "\tm\tp\t" + digits + "\tverified\n", 0, "longer than 999 bytes"},
	{"NUL before the digits", "b\tm\x00\tp\t" + digits + "\n", 0, "NUL"},
	{"NUL in the trust", "b\tm\tp\t" + digits + "\t\x00verified\n", 0, "NUL"},

	{"a long line ends in a whole one", strings.Repeat("b", 999) + "c\tm\tp\t" + digits + "\tverified\n", 1, "longer than 999 bytes"},
	{"more fields", "b\tm\tp\t" + digits + "\tverified\tx\n", 1, "four or five fields"},
	{"no digits", "b\tm\tp\t" + "xyz" + digits[3:] + "\n", 1, "40 hexadecimal digits"},
	{"a space among 40", "b\tm\tp\t " + digits[1:] + "\n", 1, "40 hexadecimal digits"},
	{"nothing but 0", "b\tm\tp\t" + strings.Repeat("0", 40) + "\n", 1, "40 hexadecimal digits"},
	{"CR before the trust", "b\tm\tp\t" + digits + "\t\rverified\n", 1, "carriage return"},
	{"CR behind the digits", "b\tm\tp\t" + digits + "\rverified\n", 1, "carriage return"},
	{"CR in the user", "b\rc\tm\tp\t" + digits + "\n", 1, "carriage return"},
	{"two CR", "b\tm\tp\t" + digits + "\r\r\n", 1, "carriage return"},
	{"CR without LF", "b\tm\tp\t" + digits + "\r", 1, "no end"},
	{"NUL behind the digits", "b\tm\tp\t" + digits + "\n\x00", 1, "no end"},
	{"no user", "\tm\tp\t" + digits + "\n", 1, "is empty"},
	{"no account", "b\t\tp\t" + digits + "\n", 1, "is empty"},
	{"no protocol", "b\tm\t\t" + digits + "\n", 1, "is empty"},
	{"escape", "b\x1b[2J\tm\tp\t" + digits + "\n", 1, "control character"},
	{"byte order mark", "\uFEFFb\tm\tp\t" + digits + "\n", 1, "control character"},
	{"another encoding", "j\xfcrgen\tm\tp\t" + digits + "\n", 1, "not UTF-8"},
	{"a user that is no address", strings.Repeat("b", 513) + "\tm\tp\t" + digits + "\n", 1, "longer than 512 bytes"},
}

func TestOddFingerprints(t *testing.T) {
	f := newFingerprints(t)
	var files [][]byte
	for _, c := range oddFiles {
		_, rest, _ := understood(t, []byte(c.file))
		files = append(files, []byte(c.file), rest)
	}
	theirs := f.read(files...)
	for i, c := range oddFiles {
		t.Run(c.name, func(t *testing.T) {
			all, _, refused := understood(t, []byte(c.file))
			assert.Len(t, theirs[2*i], c.libotr)
			assert.Equal(t, theirs[2*i+1], all, "libotr understands the same of the lines that we do not refuse")
			if c.refused == "" {
				assert.Empty(t, refused)
				assert.Equal(t, theirs[2*i], all)
				return
			}
			require.Len(t, refused, 1)
			assert.Contains(t, refused[0], c.refused)
		})
	}
}

// Files with random faults: libotr understands the same as we of the lines that we do not refuse.
func TestDamagedFingerprints(t *testing.T) {
	f := newFingerprints(t)
	whole, err := os.ReadFile(f.make(inLibotr))
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(6, 11))
	var rests [][]byte
	var want [][]known
	lines, refusedLines, knownKeys := 0, 0, 0
	for range 500 {
		file := damaged(random, whole)
		all, rest, refused := understood(t, file)
		rests, want = append(rests, rest), append(want, all)
		lines, refusedLines, knownKeys = lines+bytes.Count(file, []byte("\n")), refusedLines+len(refused), knownKeys+len(all)
	}
	for i, theirs := range f.read(rests...) {
		require.Equal(t, theirs, want[i], "%q", rests[i])
	}
	assert.Greater(t, knownKeys, 1000)
	assert.Greater(t, refusedLines, 500)
	t.Logf("%d lines, %d refused, %d keys", lines, refusedLines, knownKeys)
}

// damaged puts up to eight faults into a copy of file.
func damaged(random *rand.Rand, file []byte) []byte {
	pieces := []string{"\t", "\n", "\r", "\r\n", "\x00", " ", "0", "F", "g", "\xff", "\ufeff", "\t\t", "smp", digits, strings.Repeat("x", 1000)}
	file = bytes.Clone(file)
	for range 1 + random.IntN(8) {
		at := random.IntN(len(file) + 1)
		end := min(at+random.IntN(3), len(file))
		piece := ""
		if random.IntN(4) > 0 {
			piece = pieces[random.IntN(len(pieces))]
		}
		file = slices.Replace(file, at, end, []byte(piece)...)
	}
	return file
}
