package msrp

import (
	"crypto/rand"
	"encoding/base32"
	"net/netip"
	"strconv"
	"strings"

	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// URI is an MSRP or MSRPS URI (RFC 4975 section 6), for example msrp://192.0.2.1:2855/9s83k;tcp.
type URI struct {
	Secure    bool   // msrps: the connection to this hop runs over TLS
	Userinfo  string // before the @, without it; empty for most
	Host      string // name or address; an IPv6 address without its brackets
	Port      uint16 // 0: absent, then 2855 is dialled (section 6)
	SessionID string // may contain / + and =; empty in some relay URIs
	Transport string // "tcp" in every MSRP of today
	Params    string // further parameters as they stood, each with its leading semicolon
}

// DefaultPort is dialled for a URI without a port (RFC 4975 section 15 registers it).
const DefaultPort = 2855

// ParseURI reads one URI. It accepts what the peers out there write; the error wraps ErrMalformed and does not hold the URI,
// which is a secret (RFC 4975 section 14.1).
func ParseURI(s string) (URI, error) {
	var u URI
	if len(s) > maxURI {
		return u, malformed("URI of %d bytes", len(s))
	}
	if i := strings.IndexFunc(s, notVisible); i >= 0 {
		return u, malformed("byte %#02x in a URI", s[i])
	}
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case ok && strings.EqualFold(scheme, "msrp"):
	case ok && strings.EqualFold(scheme, "msrps"):
		u.Secure = true
	default:
		return u, malformed("URI scheme")
	}
	rest, params, ok := strings.Cut(rest, ";")
	if !ok {
		return u, malformed("URI without a transport")
	}
	u.Transport, u.Params = params, ""
	if i := strings.IndexByte(params, ';'); i >= 0 {
		u.Transport, u.Params = params[:i], params[i:]
	}
	if u.Transport == "" || strings.IndexFunc(u.Transport, notAlphanum) >= 0 {
		return u, malformed("URI transport")
	}
	authority, session, slash := strings.Cut(rest, "/")
	u.SessionID = session
	if slash && session == "" || strings.IndexFunc(session, notSessionChar) >= 0 {
		return u, malformed("session-id")
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		u.Userinfo, authority = authority[:i], authority[i+1:]
	}
	return u, u.parseHostPort(authority)
}

func (u *URI) parseHostPort(s string) error {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return malformed("port")
		}
		u.Port = uint16(n)
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
		if a, err := netip.ParseAddr(host); err != nil || !a.Is6() || a.Zone() != "" {
			return malformed("IPv6 address")
		}
	} else if strings.IndexFunc(host, notHostChar) >= 0 {
		return malformed("host")
	}
	if host == "" {
		return malformed("no host")
	}
	u.Host = host
	return nil
}

// Append appends the URI's text to dst. A URI from ParseURI gives text that parses to the same URI again. It checks nothing; Connect does.
func (u URI) Append(dst []byte) []byte {
	dst = append(dst, "msrp"...)
	if u.Secure {
		dst = append(dst, 's')
	}
	dst = append(dst, "://"...)
	if u.Userinfo != "" {
		dst = append(append(dst, u.Userinfo...), '@')
	}
	if strings.Contains(u.Host, ":") {
		dst = append(append(append(dst, '['), u.Host...), ']')
	} else {
		dst = append(dst, u.Host...)
	}
	if u.Port != 0 {
		dst = strconv.AppendUint(append(dst, ':'), uint64(u.Port), 10)
	}
	if u.SessionID != "" {
		dst = append(append(dst, '/'), u.SessionID...)
	}
	dst = append(append(dst, ';'), u.Transport...)
	return append(dst, u.Params...)
}

// String returns the URI's text.
func (u URI) String() string { return string(u.Append(nil)) }

// Equal compares two URIs as RFC 4975 section 6.1 demands: scheme, host and transport without regard to case, addresses
// as addresses, a port only with the same explicit port, the session-id exactly. Userinfo and further parameters do not count, nor does needless
// percent-encoding in the host.
func (u URI) Equal(v URI) bool {
	return u.Secure == v.Secure && u.Port == v.Port && u.SessionID == v.SessionID &&
		strings.EqualFold(u.Transport, v.Transport) && equalHost(u.Host, v.Host)
}

func equalHost(a, b string) bool {
	a, b = decodeHost(a), decodeHost(b)
	x, err := netip.ParseAddr(a)
	y, err2 := netip.ParseAddr(b)
	if err == nil && err2 == nil {
		return x == y
	}
	return strings.EqualFold(a, b)
}

// decodeHost decodes the percent-encoded characters that need not be encoded.
func decodeHost(host string) string {
	if !strings.Contains(host, "%") {
		return host
	}
	var b strings.Builder
	for i := 0; i < len(host); i++ {
		if end := i + 3; host[i] == '%' && end <= len(host) {
			c, err := strconv.ParseUint(host[i+1:end], 16, 8)
			if err == nil && (alphanum(rune(c)) || strings.IndexByte("-._~", byte(c)) >= 0) {
				b.WriteByte(byte(c))
				i = end - 1
				continue
			}
		}
		b.WriteByte(host[i])
	}
	return b.String()
}

// hostport is what to dial.
func (u URI) hostport() string { return hop.Address(u.Host, u.Port) }

// newSessionID has 128 random bits; RFC 4975 section 14.1 wants 80.
func newSessionID() string {
	var b [16]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// Path is the way to an endpoint, first hop first, the endpoint itself last (RFC 4975 section 8.2, the SDP attribute "path").
type Path []URI

// ParsePath reads URIs with one blank between them, 16 at most, and nothing else: where one reader saw two URIs and another one, requests could be led astray.
// The error wraps ErrMalformed and does not hold the path.
func ParsePath(s string) (Path, error) {
	fields := strings.SplitN(strings.Trim(s, " "), " ", maxHops+1)
	if len(fields) > maxHops {
		return nil, malformed("path of %d URIs", len(fields))
	}
	p := make(Path, 0, len(fields))
	for _, f := range fields {
		u, err := ParseURI(f)
		if err != nil {
			return nil, err
		}
		p = append(p, u)
	}
	return p, nil
}

// Append appends the path's text to dst.
func (p Path) Append(dst []byte) []byte {
	for i, u := range p {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = u.Append(dst)
	}
	return dst
}

// String returns the path's text.
func (p Path) String() string { return string(p.Append(nil)) }

// Strings returns the text of each URI, for a layer that carries paths as []string.
func (p Path) Strings() []string {
	s := make([]string, len(p))
	for i, u := range p {
		s[i] = u.String()
	}
	return s
}

// Equal compares two paths URI by URI.
func (p Path) Equal(q Path) bool {
	if len(p) != len(q) {
		return false
	}
	for i := range p {
		if !p[i].Equal(q[i]) {
			return false
		}
	}
	return true
}

func notVisible(r rune) bool  { return r <= ' ' || r >= 0x7f }
func notAlphanum(r rune) bool { return !alphanum(r) }
func alphanum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
func notHostChar(r rune) bool { return !alphanum(r) && !strings.ContainsRune("-._~%!$&'()*+,=", r) }
func notSessionChar(r rune) bool {
	return !alphanum(r) && !strings.ContainsRune("-._~+=/%@!$&'()*,:", r)
}
