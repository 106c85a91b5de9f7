package msrp

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Add appends a header to f.Header. AppendFrame refuses it if it could break out of its line, or has a field of its own in Frame.
func (f *Frame) Add(name, value string) {
	f.Header = append(f.Header, Header{[]byte(name), []byte(value)})
}

// Value returns the value of the first header in f.Header with this name, in any case; nil if there is none. WWW-Authenticate, Authorization and
// Authentication-Info (RFC 4976 section 4) are read with it, and Content-Disposition and the other MIME headers.
func (f *Frame) Value(name string) []byte {
	for _, h := range f.Header {
		if equalName(h.Name, name) {
			return h.Value
		}
	}
	return nil
}

// values returns the value of each header in f.Header with this name.
func (f *Frame) values(name string) (values []string) {
	for _, h := range f.Header {
		if equalName(h.Name, name) {
			values = append(values, string(h.Value))
		}
	}
	return values
}

// Expires returns how many seconds an AUTH asks for or was given (RFC 4976 section 4); ok is false without such a header.
// The error wraps ErrMalformed.
func (f *Frame) Expires() (seconds int, ok bool, err error) { return f.seconds("Expires") }

// MinExpires returns the least Expires in seconds that a relay accepts, from its 423 (RFC 4976 section 4); ok is false without such a header.
// The error wraps ErrMalformed.
func (f *Frame) MinExpires() (seconds int, ok bool, err error) { return f.seconds("Min-Expires") }

// MaxExpires returns the largest Expires in seconds that a relay accepts, from its 423 (RFC 4976 section 4); ok is false without such a header.
// The error wraps ErrMalformed.
func (f *Frame) MaxExpires() (seconds int, ok bool, err error) { return f.seconds("Max-Expires") }

func (f *Frame) seconds(name string) (int, bool, error) {
	v, err := f.single(name)
	if v == nil || err != nil {
		return 0, false, err
	}
	n, ok := parseCount(v, false)
	if !ok || n > math.MaxInt32 {
		return 0, false, malformed("%s", name)
	}
	return int(n), true, nil
}

// UsePath returns the path through a relay, from its response to an AUTH (RFC 4976 section 4): what an endpoint gives out, with its own URI behind
// it. It is nil without such a header. The error wraps ErrMalformed and does not hold the path.
func (f *Frame) UsePath() (Path, error) {
	v, err := f.single("Use-Path")
	if v == nil || err != nil {
		return nil, err
	}
	return ParsePath(string(v))
}

// UseNickname returns the nickname that a NICKNAME asks for (RFC 7701 section 7.1), empty to give it up; ok is false without such a header.
// It may come without its quotes: Blink's does. The error wraps ErrMalformed.
func (f *Frame) UseNickname() (name string, ok bool, err error) {
	v, err := f.single("Use-Nickname")
	if v == nil || err != nil {
		return "", false, err
	}
	name = string(v)
	if strings.HasPrefix(name, `"`) {
		if name, ok = unquote(name); !ok {
			return "", false, malformed("Use-Nickname")
		}
	}
	if !utf8.ValidString(name) {
		return "", false, malformed("Use-Nickname is not UTF-8")
	}
	return name, true, nil
}

// single is Value for a header of which there may be one.
func (f *Frame) single(name string) (value []byte, err error) {
	for _, h := range f.Header {
		if equalName(h.Name, name) {
			if value != nil {
				return nil, malformed("two %s headers", name)
			}
			value = h.Value
		}
	}
	return value, nil
}

// Quote returns s as a quoted-string (RFC 4975 section 9), for the value of Use-Nickname and the parameters of Authorization. What no header can hold,
// such as a line end, stays in it for AppendFrame to refuse.
func Quote(s string) string { return `"` + quoter.Replace(s) + `"` }

var quoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// unquote reads what is a quoted-string from its first byte to its last.
func unquote(s string) (string, bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), i == len(s)-1
		case s[i] == '\\':
			if i++; i == len(s) {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", false
}

// cloneHeader takes headers out of a Decoder's buffer.
func cloneHeader(header []Header) []Header {
	if len(header) == 0 {
		return nil
	}
	all := make([]Header, len(header))
	for i, h := range header {
		all[i] = Header{slices.Clone(h.Name), slices.Clone(h.Value)}
	}
	return all
}
