package sip

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

const maxRoutes = 32 // Record-Route header fields of a message

// message is what requests and responses have in common beyond gosip.Message.
type message interface {
	gosip.Message
	Headers() []gosip.Header
	ContentType() *gosip.ContentTypeHeader
}

// isClean reports whether no header field holds a control character and there are not too many routes. sipgo splits
// lines at CRLF only, and what we take over into our own requests must not smuggle a line to the next one.
func isClean(m message) bool {
	return !scanned(m).control && count(m, "Record-Route") <= maxRoutes
}

// A scan looks at text, piece by piece, that nobody needs as a whole.
type scan struct {
	size    int
	control bool // there is a control character
}

// WriteString implements io.StringWriter.
func (m *scan) WriteString(s string) (int, error) {
	m.size += len(s)
	m.control = m.control || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
	return len(s), nil
}

// scanned looks at the header fields of a message.
func scanned(msg message) *scan {
	m := new(scan)
	for _, h := range msg.Headers() {
		h.StringWrite(m)
	}
	return m
}

// named yields the header fields with this name, in the order of the message. sipgo's GetHeaders makes a string of most names that it passes.
func named(m message, name string) iter.Seq[gosip.Header] {
	return func(yield func(gosip.Header) bool) {
		for _, h := range m.Headers() {
			if has := h.Name(); len(has) == len(name) && strings.EqualFold(has, name) && !yield(h) {
				return
			}
		}
	}
}

// count is how many header fields have this name.
func count(m message, name string) int {
	n := 0
	for range named(m, name) {
		n++
	}
	return n
}

func header(name, value string) gosip.Header { return gosip.NewHeader(name, value) }

// headerValue is the value of the first header field with this name, "" where there is none.
func headerValue(m message, name string) string {
	for h := range named(m, name) {
		return strings.TrimSpace(h.Value())
	}
	return ""
}

// seconds reads delta-seconds (RFC 3261 §25.1).
func seconds(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// listed returns the elements of a header field that is a list of tokens, in lower case.
func listed(m message, name string) []string {
	var tokens []string
	for h := range named(m, name) {
		for t := range strings.SplitSeq(h.Value(), ",") {
			if t = strings.ToLower(strings.TrimSpace(t)); t != "" {
				tokens = append(tokens, t)
			}
		}
	}
	return tokens
}

// split cuts a header field at sep, where that stands neither in a quoted string nor between angle brackets.
func split(s string, sep byte) []string {
	var (
		parts                      []string
		quoted, escaped, bracketed bool
		start                      int
	)
	for i := range len(s) {
		switch c := s[i]; {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<' || c == '>':
			bracketed = c == '<'
		case c == sep && !bracketed:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

func callID(m gosip.Message) string {
	if h := m.CallID(); h != nil {
		return h.Value()
	}
	return ""
}

func fromTag(m gosip.Message) string {
	if h := m.From(); h != nil {
		return param(h.Params, "tag")
	}
	return ""
}

func toTag(m gosip.Message) string {
	if h := m.To(); h != nil {
		return param(h.Params, "tag")
	}
	return ""
}

func branch(m gosip.Message) string {
	if h := m.Via(); h != nil {
		return param(h.Params, "branch")
	}
	return ""
}

// param finds a parameter whatever the case of its name and the blanks around it.
func param(ps gosip.HeaderParams, name string) string {
	for _, p := range ps {
		if strings.EqualFold(strings.TrimSpace(p.K), name) {
			return strings.TrimSpace(p.V)
		}
	}
	return ""
}

// hasParam finds a parameter whatever the case of its name and the blanks around it.
func hasParam(ps gosip.HeaderParams, name string) bool {
	return slices.ContainsFunc(ps, func(p gosip.HeaderKV) bool { return strings.EqualFold(strings.TrimSpace(p.K), name) })
}

// removeParam removes a parameter whatever the case of its name, and reports whether it was there.
func removeParam(ps *gosip.HeaderParams, name string) bool {
	n := len(*ps)
	*ps = slices.DeleteFunc(*ps, func(p gosip.HeaderKV) bool { return strings.EqualFold(strings.TrimSpace(p.K), name) })
	return len(*ps) < n
}

// contact returns the address in the first Contact header field, and whether any Contact has isfocus (RFC 4579
// §4). sipgo keeps the blanks and the case of parameter names.
func contact(m message) (target gosip.Uri, focus, ok bool) {
	for h := range named(m, "Contact") {
		c, isContact := h.(*gosip.ContactHeader)
		if !isContact {
			continue
		}
		if !ok && !c.Address.Wildcard {
			target, ok = requestURI(c.Address), true
		}
		focus = focus || hasParam(c.Params, "isfocus")
	}
	return target, focus, ok
}
