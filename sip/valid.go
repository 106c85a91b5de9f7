package sip

import (
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// tidy repairs what sipgo's parser made of a message, before its transactions look at it. It keeps the blanks that may stand around the names and values
// of parameters (RFC 3261 §25.1), so that no tag and no branch would be found. It takes the rest of the header field for the name of a parameter whose
// value is quoted. And it takes a response with several Vias, which was meant for another (§8.1.3.3), for one with the first: without its branch that
// one is nobody's.
func tidy(m gosip.Message) {
	if req, ok := m.(*gosip.Request); ok {
		mendURI(&req.Recipient)
	}
	for _, h := range m.(message).Headers() {
		switch h := h.(type) {
		case *gosip.ViaHeader:
			mend(h.Params)
			trim(h.Params)
		case *gosip.FromHeader:
			trim(h.Params)
			mendURI(&h.Address)
		case *gosip.ToHeader:
			trim(h.Params)
			mendURI(&h.Address)
		case *gosip.ContactHeader:
			trim(h.Params)
			mendURI(&h.Address)
		case *gosip.RouteHeader:
			mendURI(&h.Address)
		case *gosip.RecordRouteHeader:
			mendURI(&h.Address)
		case *gosip.ReferToHeader:
			mendURI(&h.Address)
		case *gosip.ReferredByHeader:
			trim(h.Params)
			mendURI(&h.Address)
		}
	}
	if res, ok := m.(*gosip.Response); ok && count(res, "Via") > 1 {
		res.Via().Params.Remove("branch")
	}
}

func trim(ps gosip.HeaderParams) {
	for i := range ps {
		ps[i].K, ps[i].V = strings.TrimSpace(ps[i].K), strings.TrimSpace(ps[i].V)
	}
}

func mendURI(u *gosip.Uri) {
	mend(u.UriParams)
	mend(u.Headers)
}

// mend is for the parameters of URIs and of Via. Where a value is quoted, each name would be as long as the rest, and all of them too much to write.
func mend(ps gosip.HeaderParams) {
	for i, p := range ps {
		if name, _, found := strings.Cut(p.K, "="); found {
			ps[i].K = name
			if !strings.ContainsAny(p.V, " \t") { // sipgo quotes those that have any
				ps[i].V = `"` + p.V + `"`
			}
		}
	}
}

// once are the header fields of which a request has one at most: of two it would be unclear which is meant, and the next one on the way might take the
// other.
var once = []string{"From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type"}

// isMalformed reports whether a request lacks what every request must have (RFC 3261 §8.1.1), has it twice or unreadable, or has header fields in its Request-URI
// (§19.1.1).
func isMalformed(req *gosip.Request) bool {
	for _, name := range once {
		if count(req, name) > 1 {
			return true
		}
	}
	for _, h := range req.Headers() {
		if _, ok := h.(unreadable); ok {
			return true
		}
	}
	return fromTag(req) == "" || req.CSeq() == nil || req.CSeq().MethodName != req.Method || len(req.Recipient.Headers) > 0
}

// isSIP reports whether a URI is one of SIP.
func isSIP(u gosip.Uri) bool {
	return strings.EqualFold(u.Scheme, "sip") || strings.EqualFold(u.Scheme, "sips")
}
