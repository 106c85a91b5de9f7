package contacts

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// AddressError reports an address that [Normalize] refuses. It holds the reason, not the address.
type AddressError struct{ Reason string }

// Error tells the reason.
func (e *AddressError) Error() string { return "contacts: bad address: " + e.Reason }

func badAddress(format string, args ...any) error {
	return &AddressError{fmt.Sprintf(format, args...)}
}

// Normalize turns an address into the form that contacts are stored under, the address of record
// (RFC 3261 §10.3), so that each way to write an address finds the same contact:
//
//   - the schemes sip, sips, im and pres are dropped, and so are a password, the port, parameters
//     and header fields: "sip:alice:pw@Example.com:5070;transport=tcp" is "alice@example.com";
//   - the user part keeps its case; escapes that are not needed are undone, the others are written
//     in upper case ("%61lice" is "alice"), and letters beyond ASCII are escaped;
//   - the host is put in lower case and loses a final dot; IPv6 addresses stand in brackets, in
//     their shortest form;
//   - a tel URI stays one, and is brought into the form that RFC 3966 §4 compares: lower case (a
//     local number in upper case), no visual separators, and of the parameters ext and, with a local
//     number, phone-context. One with a parameter that must be understood (m-…, §5.4) is refused.
//
// The user part of a SIP URI is compared as it is, with "user=phone" too (RFC 3261 §10.3 drops that
// parameter): "+12015550123@example.com", "+1-201-555-0123@example.com" and "tel:+12015550123" are
// three contacts, because only the domain knows whether they are one. Of a public GRUU (RFC 5627
// §3.1.1) nothing is left but the address that it belongs to. A temporary GRUU (§3.1.2) hides that
// address on purpose, so each one is a contact of its own.
//
// The port is no part of an address of record: the same user at the same host on another port is
// the same contact. Whoever comes back on another port with another key is noticed that way.
//
// A name-addr such as `"Alice" <sip:alice@example.com>` is refused, and so are spaces, control
// characters (escaped ones too), and hosts beyond ASCII (write them as xn--). The error is an
// [*AddressError]. Normalize(Normalize(a)) is Normalize(a).
func Normalize(address string) (string, error) {
	if address == "" {
		return "", badAddress("empty")
	}
	if len(address) > MaxAddress {
		return "", badAddress("longer than %d bytes", MaxAddress)
	}
	if strings.ContainsAny(address, "<>\" ") {
		return "", badAddress("space, quotation mark or angle bracket: give the URI alone")
	}
	scheme, rest := cutScheme(address)
	normal, err := "", error(nil)
	if scheme == "tel" {
		normal, err = normalizeTel(rest)
	} else {
		normal, err = normalizeSIP(rest, scheme != "")
	}
	if err == nil && len(normal) > MaxAddress {
		return "", badAddress("longer than %d bytes", MaxAddress)
	}
	return normal, err
}

// cutScheme knows the schemes that can stand here; in any other address the colon belongs to
// something else.
func cutScheme(s string) (scheme, rest string) {
	before, after, found := strings.Cut(s, ":")
	if found {
		switch scheme = strings.ToLower(before); scheme {
		case "sip", "sips", "im", "pres", "tel":
			return scheme, after
		}
	}
	return "", s
}

func normalizeSIP(s string, scheme bool) (string, error) {
	user, host, found := strings.Cut(s, "@")
	if !found {
		return normalizeHost(s)
	}
	if strings.Contains(host, "@") {
		return "", badAddress("more than one @")
	}
	user, _, password := strings.Cut(user, ":")
	if password && !scheme {
		return "", badAddress("unknown scheme")
	}
	user, err := normalizeUser(user)
	if err != nil {
		return "", err
	}
	host, err = normalizeHost(host)
	if err != nil {
		return "", err
	}
	return user + "@" + host, nil
}

// normalizeUser brings the user part into one form (RFC 3261 §25.1, user).
func normalizeUser(s string) (string, error) {
	if s == "" {
		return "", badAddress("empty user")
	}
	if !utf8.ValidString(s) {
		return "", badAddress("the user is not UTF-8")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c, escaped := s[i], false
		if c == '%' {
			if c, escaped = unescape(s[i:]); !escaped {
				return "", badAddress("bad %% escape in the user")
			}
			i += 2
		}
		switch {
		case c < ' ' || c == 0x7f:
			return "", badAddress("control character in the user")
		case userChar(c):
			b.WriteByte(c)
		case escaped || c >= utf8.RuneSelf:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			return "", badAddress("character that cannot stand in the user")
		}
	}
	return b.String(), nil
}

// unescape reads the escape that s begins with: a percent sign and two hexadecimal digits.
func unescape(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	high, low := strings.IndexByte(hexDigits, lower(s[1])), strings.IndexByte(hexDigits, lower(s[2]))
	return byte(high<<4 | low), high >= 0 && low >= 0
}

const hexDigits = "0123456789abcdef"

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= lower(c) && lower(c) <= 'z'
}

// userChar is unreserved and user-unreserved of RFC 3261 §25.1.
func userChar(c byte) bool {
	return alphanumeric(c) || strings.IndexByte("-_.!~*'()&=+$,;?/", c) >= 0
}

// normalizeHost takes what follows the @: host, port, parameters, header fields.
func normalizeHost(s string) (string, error) {
	host, tail, err := cutHost(s)
	if err != nil {
		return "", err
	}
	port, err := cutPort(tail)
	if err != nil {
		return "", err
	}
	if rest := tail[len(port):]; !printable(rest) {
		return "", badAddress("character that cannot stand in a parameter")
	}
	return host, nil
}

// cutHost splits a host in its normal form from what follows it.
func cutHost(s string) (host, tail string, err error) {
	if strings.HasPrefix(s, "[") {
		inner, tail, found := strings.Cut(s[1:], "]")
		addr, err := netip.ParseAddr(inner)
		if !found || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", "", badAddress("bad IPv6 address")
		}
		return "[" + addr.String() + "]", tail, nil
	}
	end := strings.IndexAny(s, ":;?")
	if end < 0 {
		end = len(s)
	}
	host = strings.TrimSuffix(s[:end], ".")
	if host == "" {
		return "", "", badAddress("empty host")
	}
	for i := range len(host) {
		if !alphanumeric(host[i]) && strings.IndexByte("-._", host[i]) < 0 {
			return "", "", badAddress("character that cannot stand in a host (write international names as xn--)")
		}
	}
	if strings.Contains("."+host+".", "..") {
		return "", "", badAddress("empty label in the host")
	}
	return strings.ToLower(host), s[end:], nil
}

// cutPort returns the port that tail begins with, colon included, or nothing.
func cutPort(tail string) (string, error) {
	end := strings.IndexAny(tail, ";?")
	if end < 0 {
		end = len(tail)
	}
	port := tail[:end]
	if port == "" {
		return "", nil
	}
	digits := strings.TrimPrefix(port, ":")
	if digits == port || len(digits) < 1 || len(digits) > 5 || strings.Trim(digits, "0123456789") != "" {
		return "", badAddress("bad port")
	}
	return port, nil
}

// printable tells whether s holds nothing but what parameters and header fields of a URI may hold.
func printable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`<>"\`, c) >= 0 {
			return false
		}
	}
	return true
}

// normalizeTel takes what follows "tel:" (RFC 3966 §3).
func normalizeTel(s string) (string, error) {
	number, params, _ := strings.Cut(s, ";")
	number, err := normalizeNumber(number)
	if err != nil {
		return "", err
	}
	if !printable(params) {
		return "", badAddress("character that cannot stand in a parameter")
	}
	ext, phoneContext := "", ""
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.ToLower(p), "=")
		if strings.HasPrefix(name, "m-") {
			return "", badAddress("tel parameter that must be understood and is not")
		}
		if name == "ext" || strings.HasPrefix(value, "+") {
			value = stripSeparators(value)
		}
		value = strings.TrimRight(value, ".")
		switch {
		case value == "":
		case name == "ext":
			ext = ";ext=" + value
		case name == "phone-context" && number[0] != '+':
			phoneContext = ";phone-context=" + value
		}
	}
	return "tel:" + number + ext + phoneContext, nil
}

func normalizeNumber(s string) (string, error) {
	number := strings.ToUpper(stripSeparators(s))
	digits := strings.TrimPrefix(number, "+")
	allowed := "0123456789"
	if digits == number {
		allowed += "ABCDEF*#" // a local number, RFC 3966 §5.1.5
	}
	if digits == "" || strings.Trim(digits, allowed) != "" {
		return "", badAddress("bad telephone number")
	}
	return number, nil
}

// stripSeparators drops the visual separators of RFC 3966 §5.1.1.
func stripSeparators(s string) string {
	return strings.NewReplacer("-", "", ".", "", "(", "", ")", "").Replace(s)
}
