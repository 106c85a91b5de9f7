package exchange_test

import (
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts/exchange"
)

// Files of the greatest size that are made to take up memory or time: reading them takes a few times their size.
func TestHostileFiles(t *testing.T) {
	const most = 12 * exchange.MaxBytes
	fill := func(head, piece string) string {
		return head + strings.Repeat(piece, (exchange.MaxBytes-len(head))/len(piece))
	}
	members := []byte("[{")
	for i := 0; len(members) < exchange.MaxBytes-20; i++ {
		members = append(strconv.AppendInt(append(members, '"'), int64(i), 36), `":"",`...)
	}
	for _, c := range []struct {
		name string
		read func(io.Reader) ([]exchange.Entry, error)
		file string
	}{
		{"CSV, many columns", exchange.ReadCSV, fill("fingerprint", ",")},
		{"CSV, a wide row", exchange.ReadCSV, fill("fingerprint,note\n", ",")},
		{"CSV, no end of a text", exchange.ReadCSV, fill("fingerprint,note\n\"", "x\n")},
		{"CSV, many rows", exchange.ReadCSV, fill("fingerprint\n", "x\n")},
		{"JSON, many members", exchange.ReadJSON, string(members) + `"":""}]`},
		{"JSON, deep", exchange.ReadJSON, fill("", "[")},
		{"JSON, many values", exchange.ReadJSON, fill("[", "0,")},
		{"JSON, a long text", exchange.ReadJSON, fill("[\"", "x")},
		{"libotr, tabs", exchange.ReadLibotr, fill("", "\t")},
		{"libotr, many lines", exchange.ReadLibotr, fill("", "\t\n")},
		{"Blink, dictionaries in each other", exchange.ReadBlink, fill(openSet, "\x94\x8c\x00}s")},
		{"Blink, texts", exchange.ReadBlink, fill(openSet, "\x8c\x00")},
		{"Blink, classes with a long name", exchange.ReadBlink, "\x80\x04X\x00\x00\x40\x00" + strings.Repeat("x", 4<<20) + "\x94" + strings.Repeat("h\x00h\x00\x93", 4000)},
		{"Blink, peers", exchange.ReadBlink, fill(openSet+chatModule+"OTRTrustedPeer\n\x94\x8c\x00\x85\x94", "h\x00h\x01Rss")},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			entries, err := c.read(strings.NewReader(c.file))
			runtime.ReadMemStats(&after)
			require.Error(t, err)
			assert.Empty(t, entries)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(most))
		})
	}
}
