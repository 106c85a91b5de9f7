package digest

import (
	"cmp"
	"fmt"
	"strings"
)

const maxParams = 32

// params are the parameters of a header value, in order, their names in lower case.
type params []struct{ name, value string }

// parseScheme reads "Digest" and the parameters behind it.
func parseScheme(s string) (params, error) {
	scheme, rest, _ := strings.Cut(s, " ")
	if !strings.EqualFold(scheme, "Digest") {
		return nil, fmt.Errorf("%w: another scheme than Digest", ErrUnsupported)
	}
	return parseParams(rest)
}

// parseParams reads what is between commas: token "=" ( token / quoted-string ), with blanks around any of it.
func parseParams(s string) (p params, err error) {
	for rest := trim(s); ; rest = trim(rest[1:]) {
		if len(p) == maxParams {
			return nil, malformed("more than %d parameters", maxParams)
		}
		name, value, after, ok := cutParam(rest)
		switch {
		case !ok:
			return nil, malformed("parameter %d", len(p)+1)
		case p.has(name):
			return nil, malformed("parameter %d stands twice", len(p)+1)
		}
		p = append(p, struct{ name, value string }{name, value})
		if after == "" {
			return p, nil
		}
		if after[0] != ',' {
			return nil, malformed("no comma after parameter %d", len(p))
		}
		rest = after
	}
}

// cutParam cuts the first parameter off, and the blanks behind it.
func cutParam(s string) (name, value, rest string, ok bool) {
	n := tokenLen(s)
	name, rest = strings.ToLower(s[:n]), trim(s[n:])
	if n == 0 || !strings.HasPrefix(rest, "=") {
		return "", "", "", false
	}
	rest = trim(rest[1:])
	if strings.HasPrefix(rest, `"`) {
		value, rest, ok = cutQuoted(rest)
	} else {
		n = tokenLen(rest)
		value, rest, ok = rest[:n], rest[n:], n > 0
	}
	return name, value, trim(rest), ok
}

// cutQuoted cuts a quoted-string off and takes the backslashes out of it. Control characters have no place in a header.
func cutQuoted(s string) (value, rest string, ok bool) {
	var unquoted []byte // nil while there was no backslash
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && unquoted == nil:
			return s[1:i], s[i+1:], true
		case c == '"':
			return string(unquoted), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			if unquoted == nil {
				unquoted = append([]byte{}, s[1:i]...)
			}
			i++
		}
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", "", false
		}
		if unquoted != nil {
			unquoted = append(unquoted, s[i])
		}
	}
	return "", "", false
}

func (p params) has(name string) bool { _, ok := p.lookup(name); return ok }

func (p params) get(name string) string { value, _ := p.lookup(name); return value }

func (p params) lookup(name string) (value string, ok bool) {
	for i := range p {
		if p[i].name == name {
			return p[i].value, true
		}
	}
	return "", false
}

// tokenLen is the length of the token that s begins with (RFC 9110 section 5.6.2).
func tokenLen(s string) int {
	n := 0
	for n < len(s) && (alphanum(s[n]) || strings.IndexByte("!#$%&'*+-.^_`|~", s[n]) >= 0) {
		n++
	}
	return n
}

func alphanum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func trim(s string) string { return strings.Trim(s, " \t") }

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

// writer writes a header value, its parameters separated by exactly a comma and a blank: AG Projects' relay knows no other form.
type writer struct {
	strings.Builder
	separator string // before the next parameter
}

func (w *writer) token(name, value string) {
	w.WriteString(w.separator + name + "=" + value)
	w.separator = ", "
}

// quoted writes a value as a quoted-string. What no header can hold, such as a line end, stays in it for the caller's encoder to refuse.
func (w *writer) quoted(name, value string) { w.token(name, `"`+quoter.Replace(value)+`"`) }

// optional writes what is not empty.
func (w *writer) optional(name, value string) {
	if value != "" {
		w.quoted(name, value)
	}
}

var quoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// algorithm writes the parameter unless it is absent: a session variant always has it.
func (w *writer) algorithm(a Algorithm, isSession bool) {
	if isSession {
		a = cmp.Or(a, MD5) + session
	}
	if a != "" {
		w.token("algorithm", string(a))
	}
}
