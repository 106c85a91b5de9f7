package cpim

import (
	"bytes"
	"strings"
	"time"
)

// Append appends the message, as it goes on the wire, to dst and returns the longer slice. On error
// it returns dst as it was; the error is a [*FieldError] or [ErrTooLarge]. What Append writes,
// [Parse] reads.
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
	if !validURI(a.URI) {
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
	if y := t.Year(); y < 0 || y > 9999 {
		w.fail("DateTime", "outside the years 0 to 9999")
	}
	w.b = append(w.b, "DateTime: "...)
	w.b = t.AppendFormat(w.b, time.RFC3339Nano)
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
		case !validURI(ns.URI) || ns.URI == standard:
			w.fail("NS", "bad URI")
		case w.m.namespace(ns.Prefix) != ns.URI:
			w.fail("NS", "a prefix with two namespaces")
		}
		w.line("NS: ", ns.Prefix, " <", ns.URI, ">")
	}
}

func (w *writer) require() {
	for _, name := range w.m.Require {
		if !validName(name) {
			w.fail("Require", "bad header name")
		}
		w.line("Require: ", name)
	}
}

func (w *writer) headers() {
	for _, h := range w.m.Headers {
		prefix, _, found := strings.Cut(h.Name, ".")
		params, _, ok := cutParams(";" + h.Params)
		switch {
		case !validName(h.Name):
			w.fail("Headers", "bad header name")
		case found && w.m.namespace(prefix) == "":
			w.fail("Headers", "a prefix that NS does not declare")
		case own(h.Name):
			w.fail("Headers", h.Name+" has a field of its own")
		case !ok || params != h.Params || !validLine(params):
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

// header writes a header with any text. Spaces at its ends would be lost, so they are escaped.
func (w *writer) header(field string, h Header) {
	if !validText(h.Value) {
		w.fail(field, "not UTF-8, or NUL")
	}
	w.b = append(w.b, h.Name...)
	w.b = append(w.b, ':')
	if h.Params != "" {
		w.b = append(w.b, ';')
		w.b = append(w.b, h.Params...)
	}
	w.b = append(w.b, ' ')
	text, tail := h.Value, ""
	if strings.HasPrefix(text, " ") {
		w.b, text = append(w.b, `\u0020`...), text[1:]
	}
	if strings.HasSuffix(text, " ") {
		text, tail = text[:len(text)-1], `\u0020`
	}
	w.b = appendText(w.b, text, false)
	w.line(tail)
}

// content writes the MIME headers (RFC 3862 §2.4).
func (w *writer) content() {
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
