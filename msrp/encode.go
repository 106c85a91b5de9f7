package msrp

import (
	"bytes"
	"fmt"
	"strconv"
)

// AppendFrame appends one whole frame to dst: f, body and the end-line. A body needs a ContentType, and the reverse; only that of a SEND may
// be longer than 10,240 bytes (RFC 4975 section 7.1).
// Every field is checked, so that no line, header or end-line can be injected through one of them; what is wrong is an
// error that wraps ErrMalformed, and dst is returned as it was. It does not allocate when dst has room.
func AppendFrame(dst []byte, f *Frame, body []byte) ([]byte, error) {
	if err := f.check(body); err != nil {
		return dst, err
	}
	return appendFrame(dst, f, body), nil
}

// appendFrame is AppendFrame for fields that are known to be good.
func appendFrame(dst []byte, f *Frame, body []byte) []byte {
	dst = append(append(dst, "MSRP "...), f.TransactionID...)
	dst = append(dst, ' ')
	if f.IsRequest() {
		dst = append(dst, f.Method...)
	} else {
		dst = strconv.AppendInt(dst, int64(f.Status), 10)
		if len(f.Comment) > 0 {
			dst = append(append(dst, ' '), f.Comment...)
		}
	}
	dst = append(dst, "\r\nTo-Path: "...)
	dst = append(dst, f.ToPath...)
	dst = append(dst, "\r\nFrom-Path: "...)
	dst = append(dst, f.FromPath...)
	dst = appendHeader(dst, "\r\nMessage-ID: ", f.MessageID)
	dst = appendHeader(dst, "\r\nSuccess-Report: ", f.SuccessReport)
	dst = appendHeader(dst, "\r\nFailure-Report: ", f.FailureReport)
	if f.ByteRange != (ByteRange{}) {
		dst = f.ByteRange.append(append(dst, "\r\nByte-Range: "...))
	}
	dst = appendHeader(dst, "\r\nStatus: ", f.StatusHeader)
	for _, h := range f.Header {
		dst = append(append(dst, "\r\n"...), h.Name...)
		dst = append(append(dst, ": "...), h.Value...)
	}
	if f.HasBody() {
		dst = appendHeader(dst, "\r\nContent-Type: ", f.ContentType)
		dst = append(append(dst, "\r\n\r\n"...), body...)
	}
	return append(appendEnd(dst, f.TransactionID), byte(f.Continuation), '\r', '\n')
}

func appendHeader(dst []byte, name string, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	return append(append(dst, name...), value...)
}

func (f *Frame) check(body []byte) error {
	switch {
	case !validTransactionID(f.TransactionID):
		return malformed("transaction ID")
	case f.IsRequest() && (f.Status != 0 || !validMethod(f.Method)):
		return malformed("method")
	case !f.IsRequest() && (f.Status < 100 || f.Status > 999):
		return malformed("status code %d", f.Status)
	case !f.Continuation.valid():
		return malformed("continuation flag %q", byte(f.Continuation))
	case len(f.ToPath) == 0 || len(f.FromPath) == 0:
		return malformed("frame without To-Path or From-Path")
	case len(body) > 0 && !f.HasBody():
		return malformed("body without Content-Type")
	case !f.IsRequest() && f.HasBody():
		return malformed("response with a body")
	case len(body) > maxOtherBody && string(f.Method) != MethodSend:
		return malformed("body of %d bytes in a request that is no SEND", len(body))
	case f.ByteRange != (ByteRange{}) && !f.ByteRange.valid():
		return malformed("Byte-Range")
	case endLineIn(body, f.TransactionID):
		return malformed("the body holds the end-line of this transaction")
	}
	if !validText(f.Comment) {
		return malformed("control character in the comment")
	}
	for _, v := range [...][]byte{f.ToPath, f.FromPath, f.MessageID, f.SuccessReport, f.FailureReport, f.StatusHeader, f.ContentType} {
		if !validValue(v) {
			return malformed("control character in a header, or a blank at its beginning or end")
		}
	}
	return checkHeaders(f.Header)
}

// checkHeaders tells whether headers without a field of their own can go on the wire.
func checkHeaders(headers []Header) error {
	for _, h := range headers {
		if !validName(h.Name) || !validValue(h.Value) || hasField(h.Name) {
			return fmt.Errorf("%w: header %q", ErrMalformed, printable(h.Name))
		}
	}
	return nil
}

// hasField tells whether a header of this name belongs into a field of Frame.
func hasField(name []byte) bool {
	for _, n := range [...]string{"To-Path", "From-Path", "Message-ID", "Success-Report", "Failure-Report", "Byte-Range", "Status", "Content-Type"} {
		if equalName(name, n) {
			return true
		}
	}
	return false
}

// endLineIn finds what a receiver could take for the end of the frame (RFC 4975 section 7.1).
func endLineIn(body, id []byte) bool {
	for from := 0; ; from++ {
		i := bytes.Index(body[from:], id)
		if i < 0 {
			return false
		}
		if from += i; from >= len(dashes) && string(body[from-len(dashes):from]) == dashes {
			return true
		}
	}
}

const dashes = "-------" // before the transaction ID in an end-line
