package msrp

import (
	"encoding/binary"
	"math/bits"
)

// What each byte may be, by RFC 4975 section 9.
var (
	identChars = bytesOf(func(c byte) byte {
		return is(alphanum(rune(c)) || c == '.' || c == '-' || c == '+' || c == '%' || c == '=')
	})
	tokenChars = bytesOf(tokenChar) // the lower case of each byte that can stand in a token, 0 for every other
)

func bytesOf(f func(c byte) byte) (t [256]byte) {
	for i := range t {
		t[i] = f(byte(i))
	}
	return t
}

func is(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func tokenChar(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c == 0x21, c >= 0x23 && c <= 0x27, c == 0x2a, c == 0x2b, c == 0x2d, c == 0x2e, c >= '0' && c <= '9', c >= 0x5e && c <= 0x7e:
		return c
	}
	return 0
}

// control returns the place of the first control character of b at or behind i, tabs not counted; len(b) if there is none.
// It takes eight bytes at a time.
func control(b []byte, i int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		del := x ^ 0x7f*each
		found := ((x-' '*each)&^x | (del-each)&^del) & high // the lowest bit is right, higher ones may be set for nothing
		if found == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(found) / 8
		if b[i] != '\t' {
			return i
		}
		i++
	}
	for i < len(b) && (b[i] >= ' ' && b[i] != 0x7f || b[i] == '\t') {
		i++
	}
	return i
}

// validText tells whether b can stand in a header line: no control character but the tab, so no CR, LF or NUL.
func validText(b []byte) bool { return control(b, 0) == len(b) }

// validValue tells whether b comes back as it is when it stands in a header line.
func validValue(b []byte) bool {
	return validText(b) && (len(b) == 0 || !blank(b[0]) && !blank(b[len(b)-1]))
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// validName tells whether b can name a header: a token that begins with a letter (RFC 4975 section 9, hname).
func validName(b []byte) bool { return len(b) > 0 && tokenLen(b) == len(b) && letter(b[0]) }

func tokenLen(b []byte) int {
	n := 0
	for n < len(b) && tokenChars[b[n]] != 0 {
		n++
	}
	return n
}

func letter(c byte) bool { return c|' ' >= 'a' && c|' ' <= 'z' }

// validMethod tells whether b is made of capital letters alone.
func validMethod(b []byte) bool {
	for _, c := range b {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return len(b) > 0
}

// validTransactionID tells whether b is an ident, as Message-IDs are, too.
func validTransactionID(b []byte) bool {
	n := identLen(b)
	return n == len(b) && n >= minTransactionID && n <= maxTransactionID
}

func identLen(b []byte) int {
	n := 0
	for n < len(b) && identChars[b[n]] != 0 {
		n++
	}
	return n
}

// equalName compares without regard to the case of ASCII letters.
func equalName(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i, c := range b {
		if c != name[i] && (!letter(c) || c|' ' != name[i]|' ') {
			return false
		}
	}
	return true
}

// trim takes blanks off both ends. Unlike bytes.Trim it never returns nil, which would pass for an absent header.
func trim(b []byte) []byte {
	for len(b) > 0 && blank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && blank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}
