package siptest

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
)

// A Message is a request or a response as plain text, read without judging it.
type Message struct {
	Method string   // of a request, empty for a response
	URI    string   // Request-URI of a request
	Status int      // status code of a response, 0 for a request
	Reason string   // reason phrase of a response
	Header []string // "Name: value" each, in the order of the wire, folded lines joined
	Body   string

	line  string
	reply func(string) // sends where it came from, or where it went
	via   string       // the transport, as Via has it
}

const (
	maxLine = 64 << 10
	maxBody = 1 << 20
)

var errMessage = errors.New("siptest: not a SIP message")

// compact holds the short forms of header field names (RFC 3261 §7.3.3 and later).
var compact = map[string]string{
	"a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition", "e": "content-encoding", "f": "from", "i": "call-id",
	"j": "reject-contact", "k": "supported", "l": "content-length", "m": "contact", "o": "event", "r": "refer-to", "s": "subject", "t": "to",
	"u": "allow-events", "v": "via", "x": "session-expires",
}

// Values returns the values of the header fields of a name, in the order of the wire; lists stay together. Compact forms and the case of letters make
// no difference.
func (m *Message) Values(name string) []string {
	var values []string
	for _, line := range m.Header {
		n, v, _ := strings.Cut(line, ":")
		if fullName(n) == fullName(name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

func fullName(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if full, ok := compact[name]; ok {
		return full
	}
	return name
}

// Value is the first of Values, or empty.
func (m *Message) Value(name string) string {
	if vs := m.Values(name); len(vs) > 0 {
		return vs[0]
	}
	return ""
}

// Address is the URI of the first header field of a name, From or Contact for example, without display name and parameters.
func (m *Message) Address(name string) string {
	address, _ := splitAddress(m.Value(name))
	return address
}

// Param is a parameter of the first header field of a name, the tag of To or the branch of Via for example; empty where there is none.
func (m *Message) Param(header, name string) string {
	_, params := splitAddress(m.Value(header))
	for p := range strings.SplitSeq(params, ";") {
		k, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(k), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// splitAddress divides a name-addr or addr-spec from the parameters of its header field.
func splitAddress(value string) (address, params string) {
	if i := strings.IndexByte(value, '<'); i >= 0 {
		address, params, _ = strings.Cut(value[i+1:], ">")
		return address, params
	}
	address, params, _ = strings.Cut(value, ";")
	return strings.TrimSpace(address), params
}

// Seq is the number in CSeq.
func (m *Message) Seq() int {
	n, _, _ := strings.Cut(m.Value("CSeq"), " ")
	seq, _ := strconv.Atoi(n)
	return seq
}

// CSeqMethod is the method in CSeq: what a response answers.
func (m *Message) CSeqMethod() string {
	_, method, _ := strings.Cut(m.Value("CSeq"), " ")
	return strings.TrimSpace(method)
}

// String is the start line.
func (m *Message) String() string { return m.line }

// Text is the whole message as it goes over the wire.
func (m *Message) Text() string {
	return m.String() + "\r\n" + strings.Join(m.Header, "\r\n") + "\r\n\r\n" + m.Body
}

// readMessage reads one message. Without a Content-Length the body is the rest where whole is set, as in a datagram, else empty. Empty lines before a
// message are keep-alives and skipped.
func readMessage(r *bufio.Reader, whole bool) (*Message, error) {
	m := new(Message)
	if err := m.readHead(r); err != nil {
		return nil, err
	}
	length, err := strconv.Atoi(m.Value("Content-Length"))
	switch {
	case err != nil && whole:
		body, err := io.ReadAll(r)
		m.Body = string(body)
		return m, err
	case err != nil:
		return m, nil
	case length < 0 || length > maxBody:
		return nil, errMessage
	}
	body := make([]byte, length)
	_, err = io.ReadFull(r, body)
	m.Body = string(body)
	return m, err
}

func (m *Message) readHead(r *bufio.Reader) error {
	for started := false; ; {
		line, err := r.ReadString('\n')
		if err != nil || len(line) > maxLine || len(m.Header) > 1000 {
			return errors.Join(errMessage, err)
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "" && started:
			return nil
		case line == "":
		case !started:
			started = true
			if err := m.start(line); err != nil {
				return err
			}
		case (line[0] == ' ' || line[0] == '\t') && len(m.Header) > 0:
			m.Header[len(m.Header)-1] += " " + strings.TrimSpace(line)
		default:
			m.Header = append(m.Header, line)
		}
	}
}

func (m *Message) start(line string) error {
	m.line = line
	first, rest, _ := strings.Cut(line, " ")
	second, third, ok := strings.Cut(rest, " ")
	if !strings.HasPrefix(first, "SIP/") {
		m.Method, m.URI = first, second
		if !ok {
			return errMessage
		}
		return nil
	}
	var err error
	m.Reason = third
	if m.Status, err = strconv.Atoi(second); err != nil {
		return errMessage
	}
	return nil
}
