package relay

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
)

const maxUsername = 256 // bytes

var errAttempt = errors.New("relay: an AUTH that makes no sense")

// attempt is what an AUTH says.
type attempt struct {
	origin
	*digest.Credentials        // nil: there are none
	holder              string // whom nonces are given to
	uri                 string // what the credentials are for, as it was hashed
	expires             int    // seconds; Unknown: no time is asked for
}

// readAttempt reads an AUTH. The error is digest.ErrUnsupported for credentials of a kind that the relay does not take; anything else makes no sense.
// There is an attempt in any case, with its holder.
func readAttempt(o origin, f *msrp.Frame) (*attempt, error) {
	a := &attempt{origin: o, holder: o.holder(f), uri: last(f.ToPath), expires: msrp.Unknown}
	seconds, ok, err := f.Expires()
	if err != nil {
		return a, err
	}
	if ok {
		a.expires = seconds
	}
	value, ok, err := authorization(f)
	if !ok || err != nil {
		return a, err
	}
	if a.Credentials, err = digest.ParseCredentials(string(value)); err != nil {
		return a, err
	}
	n := len(a.Username)
	if n == 0 || n > maxUsername || !plain(a.Username) {
		return a, errAttempt
	}
	return a, a.useURI()
}

// authorization returns the value of the header, of which there may be one.
func authorization(f *msrp.Frame) (value string, ok bool, err error) {
	for _, h := range f.Header {
		if !strings.EqualFold(string(h.Name), "Authorization") {
			continue
		}
		if ok {
			return "", false, errAttempt
		}
		value, ok = string(h.Value), true
	}
	return value, ok, nil
}

// useURI takes the client's spelling of the URI, which must be that of the last URI of To-Path (RFC 4976 section 9.1, RFC 7616 section 3.4.6).
func (a *attempt) useURI() error {
	if a.URI == "" || a.URI == a.uri {
		return nil
	}
	theirs, err := msrp.ParseURI(a.URI)
	ours, err2 := msrp.ParseURI(a.uri)
	if err != nil || err2 != nil || !theirs.Equal(ours) {
		return errAttempt
	}
	a.uri = a.URI
	return nil
}

func (a *attempt) algorithm() Algorithm {
	if a.Algorithm == "" {
		return MD5 // RFC 7616 section 3.4
	}
	return Algorithm(a.Algorithm)
}

// holder is whom a nonce is given to: the connection, and behind another relay, which may have several connections, the client's URI.
func (o origin) holder(f *msrp.Frame) string {
	if o.relay {
		return "client " + last(f.FromPath)
	}
	return "connection " + strconv.FormatUint(o.conn, 10)
}

// last is the last URI of a path.
func last(path []byte) string {
	return string(path[bytes.LastIndexByte(path, ' ')+1:])
}

// plain tells whether s can stand in a header, and in a log.
func plain(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}
