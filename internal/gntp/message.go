package gntp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Types of messages. Those that begin with "-" are responses.
const (
	Register = "REGISTER" // announces an application and the kinds of its notifications
	Notify   = "NOTIFY"
	OK       = "-OK"
	Error    = "-ERROR" // has the headers Error-Code and Error-Description
)

// ResourceScheme begins the value of a header that stands for a [Resource]; its ID follows.
const ResourceScheme = "x-growl-resource://"

const (
	version  = "GNTP/1.0"
	crlf     = "\r\n"
	blank    = crlf + crlf
	maxKinds = 1000
)

// ErrMalformed is a message that does not follow the protocol.
var ErrMalformed = errors.New("gntp: malformed message")

// Message is a request or a response.
type Message struct {
	Type      string
	Sections  []Section // the headers; in a REGISTER one section more for each kind of notification
	Resources []Resource
}

// Section is a list of headers that ends with a blank line.
type Section []Header

// Header is one line. A value may hold "\n", which means a line break, but no "\r" or NUL.
type Header struct{ Name, Value string }

// Resource is binary data that headers refer to by ResourceScheme and its ID.
type Resource struct {
	ID   string
	Data []byte
}

// Value returns the value of the first header with the name, regardless of case, or "".
func (s Section) Value(name string) string {
	for _, h := range s {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Head returns the first section, which is empty where a message has none.
func (m *Message) Head() Section {
	if len(m.Sections) == 0 {
		return nil
	}
	return m.Sections[0]
}

// Append appends the message to dst, authenticated and encrypted with k. A nil k does neither. What could break out of its line is an error
// that wraps ErrMalformed and names the header.
func (m *Message) Append(dst []byte, k *Key) ([]byte, error) {
	if m.Type == Error {
		k = nil // never encrypted: its reason may be that the request could not be decrypted
	}
	dst = append(dst, version+" "+m.Type+" "...)
	dst = append(k.appendInfo(dst, strings.HasPrefix(m.Type, "-")), crlf...)
	var text []byte
	for i, section := range m.Sections {
		if i > 0 {
			text = append(text, crlf...)
		}
		var err error
		if text, err = section.append(text); err != nil {
			return nil, err
		}
	}
	dst = append(dst, k.encrypt(text)...)
	if k.encrypts() {
		dst = append(dst, crlf...)
	}
	dst = append(dst, crlf...)
	for _, r := range m.Resources {
		if !isToken(r.ID) {
			return nil, fmt.Errorf("%w: identifier of a resource", ErrMalformed)
		}
		data := k.encrypt(r.Data)
		dst = append(dst, "Identifier: "+r.ID+crlf+"Length: "+strconv.Itoa(len(data))+blank...)
		dst = append(append(dst, data...), blank...)
	}
	return dst, nil
}

func (s Section) append(dst []byte) ([]byte, error) {
	for _, h := range s {
		if !isToken(h.Name) {
			return nil, fmt.Errorf("%w: name of a header", ErrMalformed)
		}
		if strings.ContainsAny(h.Value, "\r\x00") {
			return nil, fmt.Errorf("%w: value of %s", ErrMalformed, h.Name)
		}
		dst = append(dst, h.Name+": "+h.Value+crlf...)
	}
	return dst, nil
}

// isToken tells whether s can be the name of a header or of a resource.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7F || c == ':' {
			return false
		}
	}
	return s != ""
}
