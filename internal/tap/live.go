package tap

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// appendLive appends b as a terminal may show it: a line that names the two sides, then the lines of b, indented, with
// control characters and bytes that are not UTF-8 replaced by a dot.
func appendLive(dst []byte, from, to string, b []byte) []byte {
	dst = append(dst, from+" → "+to+"\n"...)
	for line := range bytes.Lines(b) {
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		dst = append(dst, "    "...)
		for _, r := range string(line) {
			if r == utf8.RuneError || !unicode.IsPrint(r) {
				r = '.'
			}
			dst = utf8.AppendRune(dst, r)
		}
		dst = append(dst, '\n')
	}
	return append(dst, '\n')
}
