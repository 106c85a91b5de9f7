package cpim

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// MediaType is the content type of the envelope (RFC 3862 §2.1).
const MediaType = "message/cpim"

// IMDN is the namespace of the headers that ask for notifications of delivery and display, such as
// Message-ID and Disposition-Notification (RFC 5438 §6.1).
const IMDN = "urn:ietf:params:imdn"

// Limits of one message, both when reading and when writing.
const (
	MaxHeaderBytes = 16 << 10 // bytes of all headers and the blank lines after them
	MaxHeaders     = 100      // header lines
)

// ErrTooLarge is returned for a message over [MaxHeaderBytes] or [MaxHeaders].
var ErrTooLarge = errors.New("cpim: headers over the limit")

// SyntaxError tells where [Parse] could not go on.
type SyntaxError struct {
	Line   int    // the header line, from 1, blank lines counted
	Reason string // what is wrong with it; never the line itself
}

// Error names the line and the reason.
func (e *SyntaxError) Error() string { return fmt.Sprintf("cpim: line %d: %s", e.Line, e.Reason) }

// FieldError tells which field of a [Message] cannot be written or decoded.
type FieldError struct {
	Field  string // the field, such as "From.URI" or "Headers"
	Reason string // what is wrong with it; never the value
}

// Error names the field and the reason.
func (e *FieldError) Error() string { return "cpim: " + e.Field + ": " + e.Reason }

// Message is one message/cpim entity.
type Message struct {
	From Address   // the sender, RFC 3862 §4.1; default: no From header
	To   []Address // the recipients, §4.2; default: none
	CC   []Address // courtesy copies, §4.3; default: none
	// DateTime is when the message was sent, §4.4, in the zone that the sender wrote. One that is no
	// RFC 3339 time is read as zero. Default: zero, no DateTime header.
	DateTime time.Time
	Subjects []Subject // the subject, once for each language, §4.5; default: none
	// NS declares the prefixes of other headers, §4.6. Where a message has headers in another default
	// namespace, Parse gives them a prefix and lists it here, so that a name without prefix is always
	// one of RFC 3862. Default: none.
	NS []Namespace
	// Require names headers that a recipient must recognize or else must not process the message,
	// with prefix, §4.7. Parse leaves the decision to the caller, who finds the namespace of a name with
	// Resolve. Default: none.
	Require []string
	// Headers are all other headers, in their order. Reading drops those whose prefix no NS
	// declares: they have no meaning (§3.4). Default: none.
	Headers []Header

	// ContentType is the media type of the body with its parameters, as it stands in the MIME
	// header. Parse sets text/plain where there is none (RFC 2045 §5.2). Append requires it.
	ContentType string
	// ContentHeaders are the other headers of the MIME part. Default: none.
	ContentHeaders []ContentHeader
	// Body is the content, byte for byte as it stands after the blank line, still in its
	// Content-Transfer-Encoding; see Decode. Default: empty.
	Body []byte
}

// Address is a party: a URI and perhaps a name (RFC 3862 §4.1).
type Address struct {
	DisplayName string // UTF-8; default: none
	URI         string // an absolute URI in ASCII, such as "sip:alice@example.com" or "im:…"
}

// Subject is the subject in one language.
type Subject struct {
	Lang string // a language tag such as "fr", RFC 3862 §3.3; default: not told
	Text string // UTF-8, without escapes, with no space at its end
}

// Namespace binds a prefix to the URI that tells where a header is defined (RFC 3862 §3.4).
type Namespace struct {
	Prefix string // without the dot
	URI    string // an absolute URI, such as "urn:ietf:params:imdn"
}

// Header is a header that has no field of its own in [Message].
type Header struct {
	Name   string // with its prefix, such as "imdn.Message-ID"; case matters (RFC 3862 §3.1)
	Params string // parameters as on the wire, without the first semicolon; default: none
	Value  string // UTF-8, without escapes, with no space at its end
}

// ContentHeader is a header of the MIME part.
type ContentHeader struct {
	Name  string // case does not matter
	Value string // one line
}

// Header returns the value of the first header with that name in the namespace: Header("", "Foo")
// finds Foo, and Header(IMDN, "Message-ID") finds Message-ID behind whatever prefix the message binds
// to that URI. Case matters (RFC 3862 §2.2).
func (m *Message) Header(namespace, name string) (value string, ok bool) {
	for _, h := range m.Headers {
		if uri, local, ok := m.Resolve(h.Name); ok && uri == namespace && local == name {
			return h.Value, true
		}
	}
	return "", false
}

// Resolve tells what a name of Headers or Require means: the URI of its namespace, empty for that of RFC
// 3862, and the name without its prefix. It reports false for a prefix that NS does not declare.
func (m *Message) Resolve(name string) (namespace, local string, ok bool) {
	prefix, local, found := strings.Cut(name, ".")
	if !found {
		return "", name, true
	}
	namespace = m.namespace(prefix)
	return namespace, local, namespace != ""
}

// namespace returns the URI that the prefix stands for, or nothing.
func (m *Message) namespace(prefix string) string {
	for _, ns := range m.NS {
		if ns.Prefix == prefix {
			return ns.URI
		}
	}
	return ""
}
