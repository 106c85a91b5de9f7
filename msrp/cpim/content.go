package cpim

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
	"unicode/utf8"
)

// Decode returns the body without its Content-Transfer-Encoding (RFC 2045 §6): Body itself, unless
// that is base64 or quoted-printable. The error is a [*FieldError].
func (m *Message) Decode() ([]byte, error) {
	encoding := ""
	for _, h := range m.ContentHeaders {
		if strings.EqualFold(h.Name, "Content-Transfer-Encoding") {
			encoding = strings.ToLower(h.Value)
		}
	}
	var r io.Reader
	switch encoding {
	case "", "7bit", "8bit", "binary":
		return m.Body, nil
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, bytes.NewReader(m.Body))
	case "quoted-printable":
		r = quotedprintable.NewReader(bytes.NewReader(m.Body))
	default:
		return nil, &FieldError{"ContentHeaders", "unknown Content-Transfer-Encoding"}
	}
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, &FieldError{"Body", "does not follow its Content-Transfer-Encoding"}
	}
	return body, nil
}

// Text returns the decoded body as text in UTF-8, by the charset parameter of its ContentType: utf-8
// (which Blink spells utf8), us-ascii or iso-8859-1. A body without charset is taken for UTF-8, which
// holds the default us-ascii of RFC 2046 §4.1.2. The error is a [*FieldError].
func (m *Message) Text() (string, error) {
	body, err := m.Decode()
	if err != nil {
		return "", err
	}
	_, params, err := mime.ParseMediaType(m.ContentType)
	if err != nil {
		return "", &FieldError{"ContentType", "no media type"}
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8", "us-ascii":
		if !utf8.Valid(body) {
			return "", &FieldError{"Body", "is not in its charset"}
		}
		return string(body), nil
	case "iso-8859-1":
		var text strings.Builder
		for _, c := range body {
			text.WriteRune(rune(c))
		}
		return text.String(), nil
	}
	return "", &FieldError{"ContentType", "unknown charset"}
}
