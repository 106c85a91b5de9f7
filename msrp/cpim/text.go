package cpim

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape undoes the escapes of RFC 3862 §2.3. As §2.3.1 says, a backslash that begins none of them is
// dropped, with the last character of the text too. Half a surrogate pair becomes U+FFFD. It reports
// false for an escaped NUL.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b = append(b, s[i])
			i++
			continue
		}
		r, n := escape(s[i:])
		switch {
		case n == 0:
			i++
			if i < len(s) {
				b = append(b, s[i])
				i++
			}
			continue
		case r == 0:
			return "", false
		}
		b = utf8.AppendRune(b, r)
		i += n
	}
	return string(b), true
}

// escaped are the characters with an escape of their own, letters what stands behind its backslash.
const escaped, letters = "\b\t\n\r\"'\\", `btnr"'\`

// escape reads the escape that s, which begins with a backslash, begins with and returns its length, 0
// if there is none.
func escape(s string) (r rune, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(letters, s[1]); i >= 0 {
		return rune(escaped[i]), 2
	}
	high, ok := hexEscape(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(high) {
		return high, 6
	}
	if low, ok := hexEscape(s[6:]); ok {
		if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
			return r, 12
		}
	}
	return utf8.RuneError, 6
}

// hexEscape reads the form \uxxxx.
func hexEscape(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(v), err == nil
}

// unquote takes the quotation marks off a String of RFC 3862 §3.6; anything else it returns as it is.
func unquote(s string) (inner string, quoted bool) {
	if len(s) < 2 || s[0] != '"' {
		return s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			if i == len(s)-1 {
				return s[1:i], true
			}
			return s, false
		}
	}
	return s, false
}

const hexDigits = "0123456789abcdef"

// appendText appends s with the escapes that RFC 3862 §2.3.1 demands and no others: for control
// characters and backslashes, and for the quotation mark where quote is set.
func appendText(dst []byte, s string, quote bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case '\b' <= c && c <= '\n', c == '\r', c == '\\', c == '"' && quote:
			dst = append(dst, '\\', letters[strings.IndexByte(escaped, c)])
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// validText tells whether s can be written as a text, perhaps with escapes.
func validText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// validLine tells whether s can stand in a line as it is.
func validLine(s string) bool { return utf8.ValidString(s) && !hasControl(s) }

// hasControl tells whether s holds a control character other than the tab.
func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

func alpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func digit(c byte) bool { return '0' <= c && c <= '9' }

// validName tells whether s is a Header-name of RFC 3862 §3.6: a Name, perhaps behind a prefix.
func validName(s string) bool {
	prefix, name, found := strings.Cut(s, ".")
	return validToken(prefix) && (!found || validToken(name))
}

// validToken tells whether s is a Name of RFC 3862 §3.6.
func validToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alpha(c) && !digit(c) && strings.IndexByte("!#$%&'*+-^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// absoluteURI tells whether s is an absolute URI without fragment, to the letter (RFC 2396 §3, with the
// square brackets of RFC 2732).
func absoluteURI(s string) bool {
	if !validURI(s) || strings.ContainsAny(s, "#{}|^`") {
		return false
	}
	for {
		_, rest, found := strings.Cut(s, "%")
		if !found {
			return true
		}
		if len(rest) < 2 || !hex(rest[0]) || !hex(rest[1]) {
			return false
		}
		s = rest
	}
}

func hex(c byte) bool { return digit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// validURI tells whether s has a scheme and is otherwise printable ASCII without what could end it early.
// That is all that is asked of what comes in.
func validURI(s string) bool {
	scheme, rest, _ := strings.Cut(s, ":")
	if rest == "" || !alpha(s[0]) {
		return false
	}
	for i := range len(scheme) {
		if c := scheme[i]; !alpha(c) && !digit(c) && strings.IndexByte("+-.", c) < 0 {
			return false
		}
	}
	for i := range len(rest) {
		if c := rest[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"\\", c) >= 0 {
			return false
		}
	}
	return true
}

// validLang tells whether s is a language tag (RFC 3066 §2.1).
func validLang(s string) bool {
	first := true
	for tag := range strings.SplitSeq(s, "-") {
		if len(tag) < 1 || len(tag) > 8 {
			return false
		}
		for i := range len(tag) {
			if !alpha(tag[i]) && (first || !digit(tag[i])) {
				return false
			}
		}
		first = false
	}
	return true
}

// cutParams splits what follows a header's colon into its parameters, without the first semicolon,
// and its value, without the one space before it (RFC 3862 §3.6). The parameters end at the first
// space outside a quoted string.
func cutParams(s string) (params, value string, ok bool) {
	if !strings.HasPrefix(s, ";") {
		if s != "" && (s[0] == ' ' || s[0] == '\t') {
			s = s[1:]
		}
		return "", s, true
	}
	s = s[1:]
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\t':
			return "", "", false
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ' ' && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", !quoted
}

// validParams tells whether s is a list of parameters by RFC 3862 §3.6, without the first semicolon.
func validParams(s string) bool {
	for {
		name, value, found := strings.Cut(s, "=")
		n := paramValue(value)
		if !found || !validToken(name) || n == 0 || name == "lang" && !validLang(value[:n]) {
			return false
		}
		if n == len(value) {
			return true
		}
		if value[n] != ';' {
			return false
		}
		s = value[n+1:]
	}
}

// paramValue returns how long the Token or String is that s begins with, 0 if there is none. Control
// characters and UTF-8 are checked elsewhere.
func paramValue(s string) int {
	if !strings.HasPrefix(s, `"`) {
		if i := strings.IndexAny(s, "()<>@,;:\\\"/[]?={} "); i >= 0 {
			return i
		}
		return len(s)
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			_, n := escape(s[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		}
	}
	return 0
}
