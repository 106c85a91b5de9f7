package exchange_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts/exchange"
)

// The parts of Blink's file, with opcodes of protocol 2 and later. What Python writes is in internal/interop/blink.
const (
	chatModule = "csipsimple.streams.msrp.chat\n"
	openSet    = "\x80\x04" + chatModule + "OTRTrustedPeerSet\n)\x81}" + "\x8c\x08__data__}"
	closeSet   = "sb."
)

func word(s string) string { return "\x8c" + string(rune(len(s))) + s }

// peerOf is one item of the set.
func peerOf(key, fingerprint, members string) string {
	return word(key) + chatModule + "OTRTrustedPeer\n" + word(fingerprint) + "\x85R}" + members + "bs"
}

func described(text string) string { return word("description") + word(text) + "s" }

var blinkCases = []struct {
	name, file string
	entries    []exchange.Entry // without their key's fingerprint
	faults     []string
}{
	{"one", openSet + peerOf(digits, digits, described("Bob")) + closeSet, []exchange.Entry{{Line: 1, Name: "Bob", Key: blinks}}, nil},
	{"more members", openSet + peerOf(digits, digits, described("Bob")+word("color")+word("red")+"s") + closeSet, []exchange.Entry{{Line: 1, Name: "Bob", Key: blinks}}, nil},
	{"none", openSet + closeSet, nil, nil},
	{"good among bad", openSet + peerOf("x", "x", described("Eve")) + peerOf("y", digits, described("Eve")) + word("z") + word("Eve") + "s" + peerOf(digits, digits, described("\x00")) +
		peerOf(strings.ToUpper(digits), strings.ToUpper(digits), described("Bob")) + closeSet,
		[]exchange.Entry{{Line: 5, Name: "Bob", Key: blinks}}, []string{
			"line 1: the fingerprint is not 40 hexadecimal digits, or all are 0", "line 2: no trusted peer", "line 3: no trusted peer", "line 4: Name is not UTF-8, or NUL",
		}},
}

// notBlink is what makes nothing: damaged files, other things that Python pickles, and programs that would do harm in Python or here.
var notBlink = map[string]string{
	"nothing":                      "",
	"protocol 0":                   "ccopy_reg\n_reconstructor\np0\n.",
	"protocol 1":                   "\x80\x01" + openSet[2:] + closeSet,
	"protocol 6":                   "\x80\x06" + openSet[2:] + closeSet,
	"a command":                    "\x80\x04cos\nsystem\n" + word("true") + "\x85R.",
	"a peer by a command":          openSet + word(digits) + "cos\nsystem\n" + word(digits) + "\x85R}" + described("Bob") + "bs" + closeSet,
	"a class by instance":          "\x80\x04(cos\nsystem\n" + word("true") + "o.",
	"another class":                "\x80\x04cbuiltins\nobject\n)\x81.",
	"the peer's class for the set": "\x80\x04" + chatModule + "OTRTrustedPeer\n)\x81.",
	"a set with arguments":         "\x80\x04" + chatModule + "OTRTrustedPeerSet\n" + word("x") + "\x85\x81.",
	"a peer without fingerprint":   openSet + word(digits) + chatModule + "OTRTrustedPeer\n)R}" + described("Bob") + "bs" + closeSet,
	"a peer without description":   openSet + peerOf(digits, digits, "") + closeSet,
	"a description that is none":   openSet + peerOf(digits, digits, word("description")+"}s") + closeSet,
	"a set without peers":          "\x80\x04" + chatModule + "OTRTrustedPeerSet\n)\x81}b.",
	"text":                         "\x80\x04" + word("hello") + ".",
	"a dictionary":                 "\x80\x04}.",
	"more behind it":               openSet + closeSet + ".",
	"more below it":                "\x80\x04}" + openSet[2:] + closeSet,
	"no end":                       strings.TrimSuffix(openSet+closeSet, "."),
	"end at once":                  ".",
	"items without a dictionary":   "\x80\x04(" + word("a") + word("b") + "u.",
	"items without a mark":         "\x80\x04}u.",
	"an odd number of items":       "\x80\x04}(" + word("a") + "u.",
	"a key that is no text":        "\x80\x04}}}s.",
	"an empty stack":               "\x80\x04sbR\x85\x81.",
	"nothing remembered":           "\x80\x04h\x07.",
	"remembers nothing":            "\x80\x04\x94.",
	"text longer than the file":    "\x80\x04X\xff\xff\xff\xff.",
	"a class without an end":       "\x80\x04cos",
}

func TestReadBlink(t *testing.T) {
	for _, c := range blinkCases {
		t.Run(c.name, func(t *testing.T) {
			entries, err := exchange.ReadBlink(strings.NewReader(c.file))
			assert.Equal(t, withDigits(t, c.entries), entries)
			assert.Equal(t, c.faults, reasons(err))
		})
	}
	for name, file := range notBlink {
		t.Run(name, func(t *testing.T) {
			entries, err := exchange.ReadBlink(strings.NewReader(file))
			assert.Empty(t, entries)
			var bad *exchange.LineError
			require.ErrorAs(t, err, &bad)
			assert.Equal(t, "not a set of trusted peers as Blink writes it", bad.Reason)
		})
	}
	_, err := exchange.ReadBlink(iotest.ErrReader(assert.AnError))
	require.ErrorIs(t, err, assert.AnError)
}

// What a file can make us keep has bounds, far from what Blink needs.
func TestReadBlinkIsBounded(t *testing.T) {
	for _, c := range []struct {
		name       string
		most       int
		down, back string
	}{
		{"stack", 4096 - 4, "(", "u"},
		{"dictionaries", exchange.MaxEntries, word("") + "}s", ""},
		{"memory", 8 * exchange.MaxEntries, "\x94", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			of := func(n int) *strings.Reader {
				return strings.NewReader(openSet + strings.Repeat(c.down, n) + strings.Repeat(c.back, n) + peerOf("", digits, described("Bob")) + closeSet)
			}
			_, err := exchange.ReadBlink(of(c.most - 1)) // one more is Bob's own, or his name's
			require.ErrorContains(t, err, "line 1: no trusted peer")
			_, err = exchange.ReadBlink(of(c.most + 1))
			require.ErrorContains(t, err, "not a set of trusted peers as Blink writes it")
		})
	}
}

// A dictionary that contains itself, and a set in itself, end too.
func TestReadBlinkCircle(t *testing.T) {
	for _, file := range []string{
		"\x80\x04}\x94" + word("__data__") + "h\x00s.",
		"\x80\x04" + chatModule + "OTRTrustedPeerSet\n)\x81\x94}\x94" + word("__data__") + "h\x01s" + "b.",
		"\x80\x04" + chatModule + "OTRTrustedPeerSet\n)\x81\x94}" + word("__data__") + "}" + word(digits) + "h\x00ss" + "b.",
	} {
		entries, err := exchange.ReadBlink(strings.NewReader(file))
		assert.Empty(t, entries)
		require.Error(t, err)
	}
}

func FuzzReadBlink(f *testing.F) {
	for _, c := range blinkCases {
		f.Add([]byte(c.file))
	}
	for _, file := range notBlink {
		if len(file) < 1000 {
			f.Add([]byte(file))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := exchange.ReadBlink(bytes.NewReader(data))
		require.LessOrEqual(t, len(reasons(err)), exchange.MaxFaults+1)
		require.NoError(t, exchange.WriteJSON(&bytes.Buffer{}, entries))
	})
}
