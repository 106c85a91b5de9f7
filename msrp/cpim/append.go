package cpim

import (
	"bytes"
	"strings"
)

// Append appends the message, as it goes on the wire, to dst and returns the longer slice. On error
// it returns dst as it was; the error is a [*FieldError] or [ErrTooLarge]. What Append writes,
// [Parse] reads; Append refuses some of what Parse takes, such as URIs that are none to the letter.
func Append(dst []byte, m *Message) ([]byte, error) {
	w := writer{m: m, b: dst}
	w.addresses()
	w.dateTime()
	w.subjects()
	w.namespaces()
	w.require()
	w.headers()
	w.line()
	w.content()
	w.line()
	switch {
	case w.err != nil:
		return dst, w.err
	case tooLarge(w.b[len(dst):]):
		return dst, ErrTooLarge
	}
	return append(w.b, m.Body...), nil
}

// tooLarge tells whether Parse would find the headers too large.
func tooLarge(headers []byte) bool {
	return len(headers) > MaxHeaderBytes || bytes.Count(headers, []byte{'\n'}) > MaxHeaders+2
}

// writer appends headers and keeps the first error.
type writer struct {
	m   *Message
	b   []byte
	err error
}

func (w *writer) fail(field, reason string) {
	if w.err == nil {
		w.err = &FieldError{field, reason}
	}
}

// line ends a line with what s holds.
func (w *writer) line(s ...string) {
	for _, part := range s {
		w.b = append(w.b, part...)
	}
	w.b = append(w.b, '\r', '\n')
}

func (w *writer) addresses() {
	if w.m.From != (Address{}) {
		w.address("From: ", "From", w.m.From)
	}
	for _, a := range w.m.To {
		w.address("To: ", "To", a)
	}
	for _, a := range w.m.CC {
		w.address("cc: ", "CC", a)
	}
}

func (w *writer) address(start, field string, a Address) {
	if !absoluteURI(a.URI) {
		w.fail(field+".URI", "is no absolute URI")
	}
	if !validText(a.DisplayName) {
		w.fail(field+".DisplayName", "is not UTF-8 or holds NUL")
	}
	w.b = append(w.b, start...)
	if a.DisplayName != "" {
		w.b = append(w.b, '"')
		w.b = appendText(w.b, a.DisplayName, true)
		w.b = append(w.b, '"', ' ')
	}
	w.line("<", a.URI, ">")
}

func (w *writer) dateTime() {
	t := w.m.DateTime
	if t.IsZero() {
		return
	}
	if _, offset := t.Zone(); offset%60 != 0 { // as in the local times of old, which RFC 3339 cannot write
		t = t.UTC()
	}
	w.b = append(w.b, "DateTime: "...)
	b, err := t.AppendText(w.b)
	if err != nil {
		w.fail("DateTime", "no time of RFC 3339")
		return
	}
	w.b = b
	w.line()
}

func (w *writer) subjects() {
	for _, s := range w.m.Subjects {
		params := ""
		if s.Lang != "" {
			params = "lang=" + s.Lang
			if !validLang(s.Lang) {
				w.fail("Subjects", "bad language tag")
			}
		}
		w.header("Subjects", Header{"Subject", params, s.Text})
	}
}

func (w *writer) namespaces() {
	for _, ns := range w.m.NS {
		switch {
		case !validToken(ns.Prefix):
			w.fail("NS", "bad prefix")
		case !absoluteURI(ns.URI) || ns.URI == standard:
			w.fail("NS", "bad URI")
		case w.m.namespace(ns.Prefix) != ns.URI:
			w.fail("NS", "a prefix with two namespaces")
		}
		w.line("NS: ", ns.Prefix, " <", ns.URI, ">")
	}
}

func (w *writer) require() {
	for _, name := range w.m.Require {
		if _, _, ok := w.m.Resolve(name); !ok {
			w.fail("Require", "a prefix that NS does not declare")
		}
		if !validName(name) {
			w.fail("Require", "bad header name")
		}
		w.line("Require: ", name)
	}
}

func (w *writer) headers() {
	for _, h := range w.m.Headers {
		_, _, declared := w.m.Resolve(h.Name)
		switch {
		case !validName(h.Name):
			w.fail("Headers", "bad header name")
		case !declared:
			w.fail("Headers", "a prefix that NS does not declare")
		case own(h.Name):
			w.fail("Headers", h.Name+" has a field of its own")
		case h.Params != "" && (!validParams(h.Params) || !validLine(h.Params) || strings.Contains(h.Params, "\t")):
			w.fail("Headers", "bad parameters")
		}
		w.header("Headers", h)
	}
}

// own tells whether the header has a field of its own in Message.
func own(name string) bool {
	switch name {
	case "From", "To", "cc", "DateTime", "Subject", "NS", "Require", "Required":
		return true
	}
	return false
}

// header writes a header with any text, but for a space at its end: no line may end in one (RFC 3862
// §2.2), and a space may not be escaped (§2.3.1).
func (w *writer) header(field string, h Header) {
	if !validText(h.Value) {
		w.fail(field, "not UTF-8, or NUL")
	}
	if strings.HasSuffix(h.Value, " ") {
		w.fail(field, "ends in a space")
	}
	w.b = append(w.b, h.Name...)
	w.b = append(w.b, ':')
	if h.Params != "" {
		w.b = append(w.b, ';')
		w.b = append(w.b, h.Params...)
	}
	w.b = append(w.b, ' ')
	w.b = appendText(w.b, h.Value, false)
	w.line()
}

// content writes the MIME headers (RFC 3862 §2.4).
func (w *writer) content() {
	if !validMediaType(w.m.ContentType) {
		w.fail("ContentType", "no media type")
	}
	w.contentHeader("ContentType", ContentHeader{"Content-Type", w.m.ContentType})
	for _, h := range w.m.ContentHeaders {
		if strings.EqualFold(h.Name, "Content-Type") {
			w.fail("ContentHeaders", "Content-Type has a field of its own")
		}
		w.contentHeader("ContentHeaders", h)
	}
}

func (w *writer) contentHeader(field string, h ContentHeader) {
	if !validFieldName(h.Name) || strings.Trim(h.Value, " \t") == "" || !validLine(h.Value) {
		w.fail(field, "empty, not UTF-8, or control character")
	}
	w.line(h.Name, ": ", h.Value)
}

// validMediaType tells whether s begins with a type and a subtype (RFC 2045 §5.1). The parameters are
// the caller's.
func validMediaType(s string) bool {
	s, _, _ = strings.Cut(s, ";")
	kind, subtype, found := strings.Cut(strings.TrimRight(s, " "), "/")
	return found && validToken(strings.ReplaceAll(kind, ".", "")) && validToken(strings.ReplaceAll(subtype, ".", ""))
}
