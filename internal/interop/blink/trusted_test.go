package blink

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/exchange"
	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// pickled is what Blink writes for the peers.
func pickled(t *testing.T, protocol int, peers []exchange.Entry) []byte {
	t.Helper()
	args := []string{"-I", "testdata/trusted.py", fmt.Sprint(protocol)}
	for _, e := range peers {
		args = append(args, fmt.Sprintf("%x", e.Key.Fingerprint[:]), e.Name)
	}
	return foreign.Run(t, time.Minute, exec.Command(foreign.Need(t, "python3"), args...))
}

func TestReadBlink(t *testing.T) {
	names := []string{"Bob", "", "Jürgen Müller", "你好 🙂", "Bob", "=1+1", "two\nlines",
		strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("ü", contacts.MaxDisplayName/2),
	}
	for i := range 1200 { // Python writes a thousand at a time, and remembers with other opcodes from the 256th on
		names = append(names, fmt.Sprint("number ", i))
	}
	var peers []exchange.Entry
	for i, name := range names {
		peers = append(peers, exchange.Entry{Line: i + 1, Name: name, Key: contacts.Key{Fingerprint: contacts.Fingerprint{1, byte(i >> 8), byte(i)}, Trust: contacts.VerifiedManually}})
	}
	for protocol := 2; protocol <= 5; protocol++ {
		for _, n := range []int{1, len(peers)} {
			entries, err := exchange.ReadBlink(bytes.NewReader(pickled(t, protocol, peers[:n])))
			require.NoError(t, err, "protocol %d", protocol)
			assert.Equal(t, peers[:n], entries)
		}
		entries, err := exchange.ReadBlink(bytes.NewReader(pickled(t, protocol, nil)))
		require.NoError(t, err)
		assert.Empty(t, entries)
	}
}

// The oldest protocols are those of Blink with Python 2: they are refused, not misread.
func TestReadBlinkOfOldPython(t *testing.T) {
	for protocol := range 2 {
		_, err := exchange.ReadBlink(bytes.NewReader(pickled(t, protocol, []exchange.Entry{{Name: "Bob", Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}}}})))
		require.ErrorContains(t, err, "not a set of trusted peers as Blink writes it")
	}
}

// A list in JSON goes through Python's reader and writer, as a script for Blink would use it.
func TestJSONThroughPython(t *testing.T) {
	var list bytes.Buffer
	peers := []exchange.Entry{{
		Name: "Jürgen <3 \u2028=1", Address: "j@example.org", Key: contacts.Key{Fingerprint: contacts.Fingerprint{1, 2, 3}, Trust: contacts.VerifiedSMP},
	}}
	require.NoError(t, exchange.WriteJSON(&list, peers))
	cmd := exec.Command(foreign.Need(t, "python3"), "-I", "-c", `import json, sys
json.dump([dict(fingerprint=p['fingerprint'], description=p['description']) for p in json.load(sys.stdin)], sys.stdout)`)
	cmd.Stdin = &list
	entries, err := exchange.ReadJSON(bytes.NewReader(foreign.Run(t, time.Minute, cmd)))
	require.NoError(t, err)
	assert.Equal(t, []exchange.Entry{{Line: 1, Name: peers[0].Name, Key: contacts.Key{Fingerprint: peers[0].Key.Fingerprint, Trust: contacts.VerifiedManually}}}, entries)
}

// Python's csv module reads the cells that we write, with their apostrophes, and what it writes we read as it was.
func TestCSVThroughPython(t *testing.T) {
	var list bytes.Buffer
	peers := []exchange.Entry{
		{Name: "=1+1;-1, \"quoted\"\nsecond line", Address: "+1@example.org", Key: contacts.Key{Fingerprint: contacts.Fingerprint{1}, Trust: contacts.Revoked, Note: "Jürgen's"}},
		{Line: 0, Name: "'", Key: contacts.Key{Fingerprint: contacts.Fingerprint{2}, Trust: contacts.VerifiedSMP, VerifiedAt: time.Date(2026, 11, 23, 8, 30, 0, 1000, time.UTC)}},
	}
	require.NoError(t, exchange.WriteCSV(&list, peers))
	cmd := exec.Command(foreign.Need(t, "python3"), "-I", "-X", "utf8", "-c", `import csv, io, sys
rows = list(csv.reader(io.TextIOWrapper(sys.stdin.buffer, newline='')))
assert rows[1][1].startswith("'="), rows
csv.writer(io.TextIOWrapper(sys.stdout.buffer, newline=''), quoting=csv.QUOTE_ALL).writerows(rows)
`)
	cmd.Stdin = &list
	entries, err := exchange.ReadCSV(bytes.NewReader(foreign.Run(t, time.Minute, cmd)))
	require.NoError(t, err)
	for i := range entries {
		entries[i].Line = 0
	}
	assert.Equal(t, peers, entries)
}
