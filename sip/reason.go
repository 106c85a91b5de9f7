package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// maxReasons bounds the values that we read of a message's Reason header fields.
const maxReasons = 8

// A Reason is why a request was sent, in a Reason header field (RFC 3326). It is an error: where the peer's BYE or CANCEL gave one,
// errors.As finds it in Call.Err and Invitation.Err, and where the context of Invite ends with one as its cause
// (context.WithCancelCause), the CANCEL carries it.
type Reason struct {
	Protocol string // whose number Cause is: "SIP" for a status code, "Q.850" for a cause of ISDN
	Cause    int    // 0 where none was given
	Text     string // for people; the peer's is without control characters and at most 256 bytes long
}

// answeredElsewhere is what the other phones of an address are told once one has taken the call (RFC 3326 §3.1).
var answeredElsewhere = &Reason{Protocol: "SIP", Cause: gosip.StatusOK, Text: "Call completed elsewhere"}

// Error gives the reason as the header field has it.
func (r *Reason) Error() string { return "reason " + r.String() }

// String gives the value of the header field.
func (r *Reason) String() string {
	s := r.Protocol
	if r.Cause != 0 {
		s += ";cause=" + strconv.Itoa(r.Cause)
	}
	if r.Text != "" {
		s += `;text="` + quote(r.Text) + `"`
	}
	return s
}

// Is makes errors.Is find ErrAnsweredElsewhere.
func (r *Reason) Is(target error) bool {
	return target == ErrAnsweredElsewhere && r.Protocol == "SIP" && r.Cause == gosip.StatusOK
}

func (r *Reason) header() gosip.Header { return header("Reason", r.String()) }

// check makes sure that a Reason of the application's can be written.
func (r *Reason) check() error {
	if !isToken(r.Protocol) || r.Cause < 0 || !isText(r.Text) || len(r.Text) > maxText {
		return errors.New("sip: a Reason that cannot be written")
	}
	return nil
}

// reasonFor is what we tell the peer when err ends a call or an INVITE of ours; nil where there is nothing to tell, or it cannot be
// written.
func reasonFor(err error) *Reason {
	var r *Reason
	switch {
	case errors.As(err, &r) && r.check() == nil:
		return r
	case errors.Is(err, ErrMedia): // RFC 3326 §3.2
		return &Reason{Protocol: "SIP", Cause: gosip.StatusNotAcceptableHere, Text: "Not Acceptable Here"}
	case errors.Is(err, ErrTimeout):
		return &Reason{Protocol: "SIP", Cause: gosip.StatusRequestTimeout, Text: "Request Timeout"}
	}
	return nil
}

// because adds the reason that the peer's request gave to err, the one with a SIP status code where there are several.
func because(err error, req *gosip.Request) error {
	var first *Reason
	for _, r := range reasons(req) {
		if first == nil || r.Protocol == "SIP" && first.Protocol != "SIP" {
			first = r
		}
	}
	if first == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, first)
}

// reasons reads the Reason header fields. A value that breaks the grammar is left out.
func reasons(req *gosip.Request) []*Reason {
	var rs []*Reason
	for h := range named(req, "Reason") {
		for _, value := range split(h.Value(), ',') {
			if r := parseReason(value); r != nil && len(rs) < maxReasons {
				rs = append(rs, r)
			}
		}
	}
	return rs
}

func parseReason(value string) *Reason {
	params := split(value, ';')
	r := &Reason{Protocol: printable(strings.TrimSpace(params[0]))}
	if !isToken(r.Protocol) {
		return nil
	}
	if strings.EqualFold(r.Protocol, "SIP") {
		r.Protocol = "SIP"
	}
	for _, p := range params[1:] {
		name, value, _ := strings.Cut(p, "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "cause":
			n, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return nil
			}
			r.Cause = int(n)
		case "text":
			r.Text = printable(unquote(strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`)))
		}
	}
	return r
}

// isToken reports whether s is a token (RFC 3261 §25.1).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}
