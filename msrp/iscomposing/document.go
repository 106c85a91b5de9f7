package iscomposing

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MediaType is the content type of a document (RFC 3994 section 8.1).
const MediaType = "application/im-iscomposing+xml"

// Namespace is the XML namespace of the documents (RFC 3994 section 6).
const Namespace = "urn:ietf:params:xml:ns:im-iscomposing"

// Limits of a document.
const (
	MaxBytes   = 8 << 10   // its length when it is read
	MaxRefresh = time.Hour // its refresh interval: a longer one is read as this and cannot be written
)

// ErrTooLarge is returned for a document over [MaxBytes].
var ErrTooLarge = errors.New("iscomposing: document over the limit")

// SyntaxError tells why [Parse] could not read a document.
type SyntaxError struct {
	Reason string // what is wrong; never what the document says
}

// Error gives the reason.
func (e *SyntaxError) Error() string { return "iscomposing: " + e.Reason }

// FieldError tells which field of a [Document] or of [SenderOptions] is wrong.
type FieldError struct {
	Field  string // the field, such as "Refresh"
	Reason string // what is wrong with it; never the value
}

// Error names the field and the reason.
func (e *FieldError) Error() string { return "iscomposing: " + e.Field + ": " + e.Reason }

// Document is one status message.
type Document struct {
	// Active tells whether a message is being composed. The RFC's state "active" is read as true; "idle" and every state
	// that the RFC does not know are read as false, as section 3.5 demands. Default: idle.
	Active bool
	// LastActive is when the user last added or changed content (section 3.5). It is written in UTC. One that is no
	// date with a time zone is read as zero. Default: not told.
	LastActive time.Time
	// ContentType is what is being composed, a media type such as "text/plain" or its first half such as "audio", in printable
	// ASCII and at most 255 bytes. It is a hint; anything else is read as not told. Default: not told.
	ContentType string
	// Refresh is how long the state "active" holds without another document, in whole seconds (section 3.2). One that is
	// no positive number is read as zero. Default: not told, which a receiver takes for [DefaultRefresh].
	Refresh time.Duration
}

// contents are the elements of RFC 3994 section 6.1 as they stand in a document. Lists show what comes twice.
type contents struct {
	State       []string `xml:"urn:ietf:params:xml:ns:im-iscomposing state"`
	LastActive  []string `xml:"urn:ietf:params:xml:ns:im-iscomposing lastactive"`
	ContentType []string `xml:"urn:ietf:params:xml:ns:im-iscomposing contenttype"`
	Refresh     []string `xml:"urn:ietf:params:xml:ns:im-iscomposing refresh"`
}

// Parse reads a document. Elements and attributes that the RFC does not define are skipped (section 3.5), the order of the elements
// does not matter. The result shares nothing with b. The error is a [*SyntaxError] or [ErrTooLarge].
func Parse(b []byte) (*Document, error) {
	switch {
	case len(b) > MaxBytes:
		return nil, ErrTooLarge
	case !utf8.Valid(b):
		return nil, &SyntaxError{"not UTF-8"}
	}
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
	root, err := element(d)
	switch {
	case err != nil:
		return nil, err
	case root == nil || root.Name != xml.Name{Space: Namespace, Local: "isComposing"}:
		return nil, &SyntaxError{"no isComposing element"}
	}
	var c contents
	if err := d.DecodeElement(&c, root); err != nil {
		return nil, &SyntaxError{"not well-formed XML"}
	}
	switch second, err := element(d); {
	case err != nil:
		return nil, err
	case second != nil:
		return nil, &SyntaxError{"a second root element"}
	}
	return c.document()
}

// element finds the next element, or none. Nothing but comments, processing instructions and white space may stand before it.
func element(d *xml.Decoder) (*xml.StartElement, error) {
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, &SyntaxError{"not well-formed XML"}
		}
		switch t := token.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.Directive:
			return nil, &SyntaxError{"a document type declaration"}
		case xml.CharData:
			if trim(string(t)) != "" {
				return nil, &SyntaxError{"text outside the root element"}
			}
		}
	}
}

func (c *contents) document() (*Document, error) {
	for _, values := range [][]string{c.State, c.LastActive, c.ContentType, c.Refresh} {
		if len(values) > 1 {
			return nil, &SyntaxError{"an element twice"}
		}
	}
	if len(c.State) == 0 {
		return nil, &SyntaxError{"no state"}
	}
	m := &Document{
		Active:      only(c.State) == "active",
		LastActive:  dateTime(only(c.LastActive)),
		ContentType: only(c.ContentType),
		Refresh:     seconds(only(c.Refresh)),
	}
	if !validContentType(m.ContentType) {
		m.ContentType = ""
	}
	return m, nil
}

// only returns the one value, if there is any.
func only(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return trim(values[0])
}

// trim takes off what XML calls white space.
func trim(s string) string { return strings.Trim(s, " \t\r\n") }

// dateTime reads an xs:dateTime that tells its time zone.
func dateTime(s string) (t time.Time) {
	if t.UnmarshalText([]byte(s)) != nil || !validTime(t) {
		return time.Time{}
	}
	return t.UTC()
}

func validTime(t time.Time) bool { return 0 <= t.UTC().Year() && t.UTC().Year() <= 9999 }

// seconds reads an xs:positiveInteger, which may have any number of digits.
func seconds(s string) time.Duration {
	s = strings.TrimPrefix(s, "+")
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil || n > int(MaxRefresh/time.Second) {
		return MaxRefresh
	}
	return time.Duration(n) * time.Second
}

// validContentType tells whether s can be shown and written as it is. It may be empty.
func validContentType(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= 255 && trim(s) == s
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Append appends the document as it goes on the wire to dst and returns the longer slice. On error it returns dst as it was; the
// error is a [*FieldError]. What Append writes, [Parse] reads.
func Append(dst []byte, m *Document) ([]byte, error) {
	switch {
	case !validTime(m.LastActive):
		return dst, &FieldError{"LastActive", "outside the years 0 to 9999"}
	case !validContentType(m.ContentType):
		return dst, &FieldError{"ContentType", "no media type"}
	case !validRefresh(m.Refresh):
		return dst, &FieldError{"Refresh", "not in whole seconds up to an hour"}
	}
	state, lastActive, refresh := "idle", "", ""
	if m.Active {
		state = "active"
	}
	if !m.LastActive.IsZero() {
		lastActive = m.LastActive.UTC().Format(time.RFC3339Nano)
	}
	if m.Refresh > 0 {
		refresh = strconv.Itoa(int(m.Refresh / time.Second))
	}
	dst = append(dst, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<isComposing xmlns=\""+Namespace+"\">\n"...)
	dst = appendElement(dst, "state", state)
	dst = appendElement(dst, "lastactive", lastActive)
	dst = appendElement(dst, "contenttype", escape.Replace(m.ContentType))
	dst = appendElement(dst, "refresh", refresh)
	return append(dst, "</isComposing>\n"...), nil
}

func appendElement(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return append(dst, "  <"+name+">"+text+"</"+name+">\n"...)
}

func validRefresh(d time.Duration) bool { return 0 <= d && d <= MaxRefresh && d%time.Second == 0 }
