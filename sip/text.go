package sip

import (
	"errors"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	gosip "github.com/emiago/sipgo/sip"
)

// maxText bounds, in bytes, each piece of text that goes into a header field or comes out of one.
const maxText = 256

// isText reports whether s can stand in a header field: UTF-8 without control characters, so that no CR,
// LF or NUL can start a header field of its own.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// printable takes what a peer wrote and makes it safe to show and to log: control characters and bytes that
// are not UTF-8 are dropped, and the length is bounded.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

// A shownError is an error whose text may hold what a peer wrote, the names in its certificate for example.
type shownError struct{ error }

func (e shownError) Error() string { return printable(e.error.Error()) }

func (e shownError) Unwrap() error { return e.error }

var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quote escapes a display name for use inside a quoted-string (RFC 3261 §25.1).
func quote(s string) string { return quoted.Replace(s) }

// unquote undoes quote.
func unquote(s string) string {
	var b strings.Builder
	escaped := false
	for _, r := range s {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		escaped = false
		b.WriteRune(r)
	}
	return b.String()
}

var (
	errURI       = errors.New(`not a SIP URI such as "sip:alice@example.com"`)
	errURIScheme = errors.New("only sip and sips URIs are supported")
)

// parseURI parses a SIP URI that the user of this package gave us, strictly: visible ASCII without
// delimiters of header fields, no header part, no password.
func parseURI(s string) (gosip.Uri, error) {
	var u gosip.Uri
	if len(s) > maxText || strings.ContainsFunc(s, notURIChar) {
		return u, errURI
	}
	scheme, _, ok := strings.Cut(s, ":")
	if !ok {
		return u, errURI
	}
	if !strings.EqualFold(scheme, "sip") && !strings.EqualFold(scheme, "sips") {
		return u, errURIScheme
	}
	if err := gosip.ParseUri(s, &u); err != nil {
		return u, errURI
	}
	if !isHost(strings.Trim(u.Host, "[]")) || u.Wildcard || u.HierarhicalSlashes || u.Password != "" || u.Port < 0 || u.Port > 65535 {
		return u, errURI
	}
	return u, nil
}

func notURIChar(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune("<>\"\\^`{|}?,", r)
}

// isHost reports whether s is an IP address without a zone, or has the form of a domain name (RFC 1035 §2.3.4).
func isHost(s string) bool {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Zone() == ""
	}
	s = strings.TrimSuffix(s, ".")
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 || strings.ContainsFunc(label, notHostChar) {
			return false
		}
	}
	return true
}

func notHostChar(r rune) bool {
	return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// addressOfRecord writes a URI as the address that a contact is known by: without parameters, headers and
// password, the host in lower case.
func addressOfRecord(u gosip.Uri) string {
	if raw := u.Raw(); raw != "" { // tel: and other schemes
		raw, _, _ = strings.Cut(raw, ";")
		return printable(u.Scheme + ":" + raw)
	}
	return printable((&gosip.Uri{
		Scheme: u.Scheme, User: u.User, Host: strings.ToLower(u.Host), Port: u.Port,
	}).String())
}
