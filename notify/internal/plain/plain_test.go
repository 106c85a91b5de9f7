package plain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/notify/internal/plain"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var cases = []struct{ name, in, line, text string }{
	{"empty", "", "", ""},
	{"ordinary", "Bob's Käse, 90 % <b>", "Bob's Käse, 90 % <b>", "Bob's Käse, 90 % <b>"},
	{"white space", " \ta \u00a0\u3000 b\t", "a b", "a b"},
	{"tabs within", "a\tb \t c", "a b c", "a b c"},
	{"two returns", "a\r\rb\r\n\rc", "a b c", "a\n\nb\n\nc"},
	{"hidden at the beginning", strings.Repeat("\u202e", 100) + "a", "a", "a"},
	{"lines", "\na\nb\r\nc\rd\n", "a b c d", "a\nb\nc\nd"},
	{"paragraphs", "a\n\n \n\r\nb \n c", "a b c", "a\n\nb\nc"},
	{"other breaks", "a\vb\fc\u0085d\u2028e\u2029f", "a b c d e f", "a\nb\nc\nd\ne\nf"},
	{"controls", "\x1b[2Ja\x00b\x7fc\u009bd", "[2Jabcd", "[2Jabcd"},
	{"direction", "\u202ea\u202bb\u2066c\u2069d\u200ee\u200ff\u061cg", "abcdefg", "abcdefg"},
	{"joiners stay", "👩\u200d💻 می\u200cخواهم", "👩\u200d💻 می\u200cخواهم", "👩\u200d💻 می\u200cخواهم"},
	{"not UTF-8", "a\xffb\xc3", "a\uFFFDb\uFFFD", "a\uFFFDb\uFFFD"},
	{"noncharacters", "a\uFFFEb\uFFFFc\U0001FFFFd\uFDD0", "a\uFFFDb\uFFFDc\uFFFDd\uFFFD", "a\uFFFDb\uFFFDc\uFFFDd\uFFFD"},
	{"hidden between breaks", "a\n\u202e\nb", "a b", "a\n\nb"},
	{"hidden alone", "\u202e\x00", "", ""},
	{"too long", strings.Repeat("x", 101), strings.Repeat("x", 97) + "…", strings.Repeat("x", 97) + "…"},
	{"just long enough", strings.Repeat("x", 100), strings.Repeat("x", 100), strings.Repeat("x", 100)},
	{"cut between characters", strings.Repeat("ä", 51), strings.Repeat("ä", 48) + "…", strings.Repeat("ä", 48) + "…"},
	{"hidden without end", "a" + strings.Repeat("\u202e", 1<<18), "a…", "a…"},
	{"spaces without end", "a" + strings.Repeat("\n", 1<<18) + "b", "a…", "a…"},
}

func TestLineAndText(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.line, plain.Line(c.in, 100))
			assert.Equal(t, c.text, plain.Text(c.in, 100))
			assert.Equal(t, c.line, plain.Line(c.line, 100), "cleaning a second time changes nothing")
			assert.Equal(t, c.text, plain.Text(c.text, 100), "cleaning a second time changes nothing")
		})
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"kept as it is", "a\nb\u202e\x1b\t", "a\nb\u202e\x1b\t"},
		{"just long enough", "12345678", "12345678"},
		{"too long", "123456789", "12345…"},
		{"between characters", "1234ääää", "1234…"},
		{"not UTF-8", "a\xffb", "a\uFFFDb"},
		{"longer in UTF-8", "\xffa\xffb\xffc\xff", "\uFFFDa…"},
		{"half a character at the bound", "1234567ä", "12345…"},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, plain.Cut(c.in, 8)) })
	}
}

// No bound is exceeded, however small, and no text costs more than its bound.
func TestBounds(t *testing.T) {
	texts := []string{"", "ab", "äö", "\xff\xff\xff", "a b c d", strings.Repeat("ä \xff\u202e", 1<<17), strings.Repeat("\x00", 1<<20)}
	for _, f := range []func(string, int) string{plain.Line, plain.Text, plain.Cut} {
		for limit := -1; limit < 40; limit++ {
			for _, s := range texts {
				got := f(s, limit)
				assert.LessOrEqual(t, len(got), max(limit, 0))
				assert.True(t, utf8.ValidString(got))
			}
		}
	}
	huge := strings.Repeat("a\x00\u202e\n", 1<<18)
	for name, f := range map[string]func(string, int) string{"Line": plain.Line, "Text": plain.Text, "Cut": plain.Cut} {
		allocated := testing.AllocsPerRun(100, func() { f(huge, 100) })
		assert.LessOrEqual(t, allocated, 10.0, name)
	}
}

func FuzzLine(f *testing.F) {
	for _, c := range cases {
		f.Add(c.in[:min(len(c.in), 1000)], 100)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit %= 1 << 12
		line, text := plain.Line(s, limit), plain.Text(s, limit)
		for _, got := range []string{line, text} {
			assert.LessOrEqual(t, len(got), max(limit, 0))
			assert.True(t, utf8.ValidString(got))
			assert.Equal(t, strings.TrimSpace(got), got)
			assert.NotContains(t, got, "  ")
			assert.NotContains(t, got, "\n\n\n")
		}
		assert.NotContains(t, line, "\n")
		assert.Equal(t, text, plain.Text(text, max(limit, 0)))
	})
}

func TestHide(t *testing.T) {
	assert.Equal(t, "error: … “…”-… of Bobby", plain.Hide("error: Bob “Käse”-42 of Bobby", "Bob, Käse!", "", "42"))
	assert.Equal(t, "nothing is secret", plain.Hide("nothing is secret"))
}
