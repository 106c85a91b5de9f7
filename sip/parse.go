package sip

import (
	"bytes"

	gosip "github.com/emiago/sipgo/sip"
)

// maxParams bounds the parameters of a URI and of a header field: sipgo's parser compares each with all before it.
const maxParams = 512

// An unreadable header field is missing where its value is needed.
type unreadable struct{ gosip.Header }

// headerParsers are sipgo's. What they cannot read, or what has too many parameters, is unreadable. For sipgo it would be the end of the connection,
// which a proxy may share among many peers.
func headerParsers() gosip.HeadersParser {
	parsers := make(gosip.HeadersParser)
	for name, parse := range gosip.DefaultHeadersParser() {
		parsers[name] = func(field []byte, text string) (gosip.Header, error) {
			if countParams([]byte(firstValue(name, text))) > maxParams {
				return unreadable{header(string(field), text)}, nil
			}
			h, err := parse(field, text)
			if err != nil && err.Error() != "comma detected" { // the type that tells sipgo of a list is its own
				return unreadable{header(string(field), text)}, nil
			}
			return h, err
		}
	}
	for _, name := range []string{"content-length", "l"} { // it says where the next message begins
		parsers[name] = gosip.DefaultHeadersParser()[name]
	}
	return parsers
}

// firstValue is what sipgo parses of a header field at a time: of Contact each value of a list, of others all.
func firstValue(name, text string) string {
	quoted, bracketed := false, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '<' || c == '>'):
			bracketed = c == '<'
		case c == ',' && !quoted && !bracketed && (name == "contact" || name == "m"):
			return text[:i]
		}
	}
	return text
}

// countParams is about how many parameters sipgo may find in s: a quoted value ends one, too.
func countParams(s []byte) int {
	return bytes.Count(s, []byte(";")) + bytes.Count(s, []byte("&")) + bytes.Count(s, []byte(`"`))/2
}

// isParsable reports whether the first line of a datagram may go to sipgo's parser.
func isParsable(b []byte) bool {
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	return countParams(line) <= maxParams
}
