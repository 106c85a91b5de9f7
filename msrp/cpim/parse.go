package cpim

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// standard is the namespace of the headers that RFC 3862 defines itself (§3.4).
const standard = "urn:ietf:params:cpim-headers:"

// Parse reads a message/cpim entity. The Body of the result aliases b; nothing else does. The error
// is a [*SyntaxError] or [ErrTooLarge].
func Parse(b []byte) (*Message, error) {
	headers, lines, err := cutHeaders(b)
	if err != nil {
		return nil, err
	}
	p := parser{m: &Message{}, rest: headers}
	if !utf8.ValidString(headers) {
		return nil, &SyntaxError{lines, "the headers up to here are not UTF-8"}
	}
	if err := p.all(); err != nil {
		return nil, err
	}
	p.m.Body = b[len(headers):len(b):len(b)]
	return p.m, nil
}

// cutHeaders returns everything before the body: the message headers and the MIME headers, each with
// the blank line after them, and how many lines that is.
func cutHeaders(b []byte) (headers string, lines int, err error) {
	window := b[:min(len(b), MaxHeaderBytes)]
	end := 0
	for blank := 0; blank < 2; lines++ {
		i := bytes.IndexByte(window[end:], '\n')
		switch {
		case i < 0 && len(window) < len(b) || lines >= MaxHeaders+2:
			return "", 0, ErrTooLarge
		case i < 0:
			return "", 0, &SyntaxError{lines + 1, "the message ends within its headers"}
		case i == 0 || i == 1 && window[end] == '\r':
			blank++
		}
		end += i + 1
	}
	return string(b[:end]), lines, nil
}

// parser reads the header lines one by one.
type parser struct {
	m    *Message
	rest string
	line int
	// prefix is what a name without prefix has been given by the last NS without one, §3.4.
	prefix string
}

func (p *parser) fail(reason string) error { return &SyntaxError{p.line, reason} }

func (p *parser) all() error {
	if err := p.section(p.header); err != nil {
		return err
	}
	p.dropNamespaces()
	if err := p.section(p.contentHeader); err != nil {
		return err
	}
	return p.finishContent()
}

// section hands each line up to the next blank line to read.
func (p *parser) section(read func(line string) error) error {
	for {
		line, rest, _ := strings.Cut(p.rest, "\n")
		p.rest = rest
		p.line++
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			return nil
		}
		if hasControl(line) {
			return p.fail("control character")
		}
		if err := read(line); err != nil {
			return err
		}
	}
}

// header reads one message header (RFC 3862 §3).
func (p *parser) header(line string) error {
	name, rest, found := strings.Cut(line, ":")
	if !found || !validName(name) {
		return p.fail("no header name")
	}
	params, raw, ok := cutParams(rest)
	if !ok {
		return p.fail("bad parameters")
	}
	if name, ok = p.fullName(name); !ok {
		return p.fail("a header of RFC 3862 in another namespace")
	}
	raw = strings.TrimRight(raw, " \t")
	field := strings.TrimLeft(raw, " \t")
	switch name {
	case "From":
		if p.m.From.URI != "" {
			return p.fail("a second From")
		}
		return p.address(field, &p.m.From)
	case "To":
		p.m.To = append(p.m.To, Address{})
		return p.address(field, &p.m.To[len(p.m.To)-1])
	case "cc":
		p.m.CC = append(p.m.CC, Address{})
		return p.address(field, &p.m.CC[len(p.m.CC)-1])
	case "DateTime":
		return p.dateTime(field)
	case "NS":
		return p.namespace(field)
	case "Require", "Required": // Blink writes the second
		return p.require(field)
	}
	return p.text(name, params, raw)
}

// fullName gives a name its prefix, or takes it off where it stands for the namespace of RFC 3862. It
// reports false for a header of the RFC that a default namespace makes another one: not every reader
// would notice.
func (p *parser) fullName(name string) (string, bool) {
	prefix, local, found := strings.Cut(name, ".")
	switch {
	case found && p.m.namespace(prefix) == standard:
		return local, true
	case found || p.prefix == "" || name == "NS":
		return name, true
	}
	return p.prefix + "." + name, !own(name)
}

// text reads a subject, or a header that has no field of its own.
func (p *parser) text(name, params, raw string) error {
	value, ok := unescape(raw)
	if !ok {
		return p.fail("NUL")
	}
	if name == "Subject" {
		p.m.Subjects = append(p.m.Subjects, Subject{lang(params), value})
	} else {
		p.m.Headers = append(p.m.Headers, Header{name, params, value})
	}
	return nil
}

// address reads a URI in angle brackets, perhaps behind a name (RFC 3862 §4.1). A name without
// quotes may hold any text but an angle bracket.
func (p *parser) address(s string, a *Address) error {
	open := strings.LastIndexByte(s, '<')
	if open < 0 || !strings.HasSuffix(s, ">") || !validURI(s[open+1:len(s)-1]) {
		return p.fail("no URI in angle brackets")
	}
	name, quoted := unquote(strings.TrimRight(s[:open], " \t"))
	if !quoted && strings.IndexByte(name, '<') >= 0 {
		return p.fail("two angle brackets")
	}
	name, ok := unescape(name)
	if !ok {
		return p.fail("NUL")
	}
	*a = Address{DisplayName: name, URI: s[open+1 : len(s)-1]}
	return nil
}

// dateTime reads an RFC 3339 time. The header is advice: one that cannot be read costs nobody the
// message.
func (p *parser) dateTime(s string) error {
	if !p.m.DateTime.IsZero() {
		return p.fail("a second DateTime")
	}
	t, err := time.Parse(time.RFC3339, strings.ToUpper(s))
	if _, offset := t.Zone(); err == nil && offset/3600 < 24 && offset/3600 > -24 {
		p.m.DateTime = t
	}
	return nil
}

// namespace reads a prefix and its URI (RFC 3862 §4.6).
func (p *parser) namespace(s string) error {
	prefix, uri, found := strings.Cut(s, "<")
	prefix, uri = strings.TrimRight(prefix, " \t"), strings.TrimSuffix(uri, ">")
	if !found || !strings.HasSuffix(s, ">") || !validURI(uri) || strings.Contains(uri, "#") {
		return p.fail("no absolute URI in angle brackets")
	}
	if prefix == "" {
		p.prefix = p.prefixOf(uri)
		return nil
	}
	switch known := p.m.namespace(prefix); {
	case !validToken(prefix):
		return p.fail("bad namespace prefix")
	case known == "":
		p.m.NS = append(p.m.NS, Namespace{prefix, uri})
	case known != uri:
		return p.fail("a prefix with two namespaces")
	}
	return nil
}

// prefixOf returns the prefix of a namespace and declares one where there is none. The namespace of RFC
// 3862 needs none.
func (p *parser) prefixOf(uri string) string {
	if uri == standard {
		return ""
	}
	for _, ns := range p.m.NS {
		if ns.URI == uri {
			return ns.Prefix
		}
	}
	for i := 1; ; i++ {
		prefix := "ns" + strconv.Itoa(i)
		if p.m.namespace(prefix) == "" {
			p.m.NS = append(p.m.NS, Namespace{prefix, uri})
			return prefix
		}
	}
}

// require reads a list of header names (RFC 3862 §4.7).
func (p *parser) require(s string) error {
	for name := range strings.SplitSeq(s, ",") {
		name = strings.Trim(name, " \t")
		if !validName(name) {
			return p.fail("no header name")
		}
		name, _ = p.fullName(name)
		p.m.Require = append(p.m.Require, name)
	}
	return nil
}

// lang finds the language among a header's parameters (RFC 3862 §3.3).
func lang(params string) string {
	for param := range strings.SplitSeq(params, ";") {
		if tag, found := strings.CutPrefix(param, "lang="); found && validLang(tag) {
			return tag
		}
	}
	return ""
}

// dropNamespaces removes the prefixes of RFC 3862's own namespace, which no header needs any more, and
// headers whose prefix stands for no namespace.
func (p *parser) dropNamespaces() {
	p.m.NS = without(p.m.NS, func(ns Namespace) bool { return ns.URI == standard })
	p.m.Headers = without(p.m.Headers, func(h Header) bool {
		_, _, ok := p.m.Resolve(h.Name)
		return !ok
	})
}

// without removes what drop picks, and leaves nil where nothing is left.
func without[E any](all []E, drop func(E) bool) []E {
	if all = slices.DeleteFunc(all, drop); len(all) == 0 {
		return nil
	}
	return all
}

// contentHeader reads one line of the MIME headers: a header, or more of the last one (RFC 5322
// §2.2.3).
func (p *parser) contentHeader(line string) error {
	all := p.m.ContentHeaders
	value := strings.Trim(line, " \t")
	if line[0] == ' ' || line[0] == '\t' {
		if len(all) == 0 {
			return p.fail("more of a header that did not begin")
		}
		last := &all[len(all)-1].Value
		*last = strings.Trim(*last+" "+value, " ")
		return nil
	}
	name, value, found := strings.Cut(line, ":")
	if !found || !validFieldName(name) {
		return p.fail("no header name")
	}
	p.m.ContentHeaders = append(all, ContentHeader{name, strings.Trim(value, " \t")})
	return nil
}

// validFieldName tells whether s is a field-name of RFC 5322 §3.6.8.
func validFieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return s != ""
}

// finishContent moves Content-Type to its field and drops empty headers, once all are unfolded.
func (p *parser) finishContent() error {
	second := false
	p.m.ContentHeaders = without(p.m.ContentHeaders, func(h ContentHeader) bool {
		if h.Value != "" && strings.EqualFold(h.Name, "Content-Type") {
			second = second || p.m.ContentType != ""
			p.m.ContentType = h.Value
			return true
		}
		return h.Value == ""
	})
	if second {
		return p.fail("a second Content-Type")
	}
	if p.m.ContentType == "" {
		p.m.ContentType = "text/plain"
	}
	return nil
}
