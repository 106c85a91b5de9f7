package plain

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// Line returns s as one line of at most limit bytes: white space and line breaks become one space, none at either end.
// What is cut off leaves "…", within the bound.
func Line(s string, limit int) string { return squeeze(s, limit, 0) }

// Text is [Line] for several lines: where white space holds a line break it becomes "\n", or "\n\n" if it holds more.
func Text(s string, limit int) string { return squeeze(s, limit, 2) }

// Cut returns s in valid UTF-8 and at most limit bytes; what is cut off leaves "…", within the bound. It removes nothing else.
func Cut(s string, limit int) string {
	if len(s) <= limit && utf8.ValidString(s) {
		return s
	}
	head := []byte(s[:min(len(s), max(limit, 0)+1)]) // one byte more, for shorten to see that there is more
	return shorten(bytes.ToValidUTF8(head, []byte("\uFFFD")), limit)
}

// squeeze writes white space as at most breaks line breaks, or else one space, and leaves out what is not to be seen.
func squeeze(s string, limit, breaks int) string {
	var out []byte
	space, lines, last := false, 0, rune(0)
	for i, r := range s {
		if len(out) > limit || i > 4*limit {
			return shorten(append(out, ellipsis...), limit)
		}
		switch {
		case unicode.IsSpace(r):
			space = true
			if isBreak(r) && (r != '\n' || last != '\r') {
				lines++
			}
		case hidden(r):
		default:
			if len(out) > 0 && space {
				out = appendSpace(out, min(lines, breaks))
			}
			out = utf8.AppendRune(out, visible(r))
			space, lines = false, 0
		}
		last = r
	}
	return shorten(out, limit)
}

func appendSpace(out []byte, lines int) []byte {
	if lines == 0 {
		return append(out, ' ')
	}
	return append(out, "\n\n"[:lines]...)
}

func isBreak(r rune) bool {
	return '\n' <= r && r <= '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

func hidden(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// visible replaces noncharacters, which XML does not allow.
func visible(r rune) rune {
	if unicode.Is(unicode.Noncharacter_Code_Point, r) {
		return utf8.RuneError
	}
	return r
}

// shorten cuts b, which is valid UTF-8, between two characters if it is longer than limit.
func shorten(b []byte, limit int) string {
	if len(b) <= limit {
		return string(b)
	}
	if limit < len(ellipsis) {
		return ""
	}
	end := limit - len(ellipsis)
	for !utf8.RuneStart(b[end]) {
		end--
	}
	return string(b[:end]) + ellipsis
}
