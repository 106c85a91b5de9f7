package sip

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// Limits of the SDP parser. A description beyond them is refused as a whole.
const (
	maxSDP        = 16 << 10 // bytes of a description
	maxSDPLine    = 4 << 10  // bytes of a line
	maxSDPLines   = 512      // lines of a description
	maxMediaLines = 32       // m-lines of a description
)

var errSDP = errors.New("sip: malformed SDP")

// A description is what offer and answer need of an SDP body (RFC 8866). The parser is our own because a strict
// one, such as pion/sdp, refuses the whole body for one media line that it does not know, while RFC 3264 §6 wants
// such a line answered with port 0 and the others kept.
type description struct {
	timing     string // t=, which the answer repeats (RFC 3264 §6)
	connection string // c= of the session
	attributes []attribute
	media      []mediaLine
}

// A mediaLine is an m-line with the attributes below it, as they were written.
type mediaLine struct {
	media, port, protocol, formats string
	connection                     string // c= of the line, empty for that of the session
	attributes                     []attribute
}

type attribute struct{ name, value string }

// parseSDP reads a description. It takes LF for CRLF, a missing last line end, and lines of any type; it refuses
// what breaks a limit, control characters, and what does not look like SDP.
func parseSDP(body []byte) (*description, error) {
	if len(body) > maxSDP {
		return nil, fmt.Errorf("%w: longer than %d bytes", errSDP, maxSDP)
	}
	d := new(description)
	for n := 1; len(body) > 0; n++ {
		var line []byte
		line, body, _ = bytes.Cut(body, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if n > maxSDPLines {
			return nil, fmt.Errorf("%w: more than %d lines", errSDP, maxSDPLines)
		}
		if n == 1 && string(line) != "v=0" {
			return nil, fmt.Errorf("%w: the first line is not v=0", errSDP)
		}
		if err := d.line(string(line)); err != nil {
			return nil, fmt.Errorf("%w at line %d", err, n)
		}
	}
	if len(d.media) == 0 {
		return nil, fmt.Errorf("%w: no media line", errSDP)
	}
	return d, nil
}

func (d *description) line(line string) error {
	switch {
	case line == "":
		return nil
	case len(line) > maxSDPLine:
		return fmt.Errorf("%w: longer than %d bytes", errSDP, maxSDPLine)
	case len(line) < 2 || line[1] != '=':
		return fmt.Errorf("%w: not a type and a value", errSDP)
	case strings.IndexByte("acmt", line[0]) < 0:
		return nil // not read
	case !isText(line):
		return fmt.Errorf("%w: not text", errSDP)
	}
	switch value := line[2:]; line[0] {
	case 'm':
		return d.mediaLine(value)
	case 'a':
		_, attributes := d.level()
		name, value, _ := strings.Cut(value, ":")
		*attributes = append(*attributes, attribute{strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)})
	case 'c':
		connection, _ := d.level()
		*connection = cmp.Or(*connection, value) // the first, as with attributes
	case 't':
		d.timing = cmp.Or(d.timing, value)
	}
	return nil
}

// level is where a line belongs: to the media line before it, or to the session.
func (d *description) level() (connection *string, attributes *[]attribute) {
	if n := len(d.media); n > 0 {
		return &d.media[n-1].connection, &d.media[n-1].attributes
	}
	return &d.connection, &d.attributes
}

func (d *description) mediaLine(value string) error {
	if len(d.media) == maxMediaLines {
		return fmt.Errorf("%w: more than %d media lines", errSDP, maxMediaLines)
	}
	f := strings.Fields(value)
	if len(f) < 4 {
		return fmt.Errorf("%w: incomplete media line", errSDP)
	}
	d.media = append(d.media, mediaLine{
		media: f[0], port: f[1], protocol: f[2], formats: strings.Join(f[3:], " "),
	})
	return nil
}

// attribute finds an attribute of a media line. Of several with the same name the first one counts.
func (m *mediaLine) attribute(name string) (value string, ok bool) { return find(m.attributes, name) }

// inherited finds an attribute of a media line, and takes that of the session where the line has none.
func (d *description) inherited(m *mediaLine, name string) (value string, ok bool) {
	if value, ok = m.attribute(name); ok {
		return value, ok
	}
	return find(d.attributes, name)
}

func find(as []attribute, name string) (value string, ok bool) {
	if all := findAll(as, name); len(all) > 0 {
		return all[0], true
	}
	return "", false
}

func findAll(as []attribute, name string) (values []string) {
	for _, a := range as {
		if a.name == name {
			values = append(values, a.value)
		}
	}
	return values
}
