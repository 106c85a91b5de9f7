package relay

import (
	"bytes"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// respond answers a request, if its sender wants an answer (RFC 4975 section 7.2).
func (c *conn) respond(f *msrp.Frame, code int) error {
	if is(f.FailureReport, "no") || code == msrp.StatusOK && is(f.FailureReport, "partial") || string(f.Method) == msrp.MethodReport {
		return nil
	}
	c.touch(c)
	return c.owe(response(f, code, nil), owedBytes)
}

// response is the answer to a request: that to a SEND goes to the hop before only, any other all the way (RFC 4976 sections 6.4.1 and 6.4.3).
func response(f *msrp.Frame, code int, header []msrp.Header) []byte {
	back := f.FromPath
	if string(f.Method) == msrp.MethodSend {
		back, _, _ = bytes.Cut(back, []byte{' '})
	}
	own, _, _ := bytes.Cut(f.ToPath, []byte{' '})
	return encode(&msrp.Frame{
		TransactionID: f.TransactionID, Status: code, Comment: []byte(msrp.StatusText(code)), ToPath: back, FromPath: own, Header: header,
	})
}

// encode makes a frame of what has come out of frames. Where that cannot be, nothing is sent.
func encode(f *msrp.Frame) []byte {
	f.Continuation = msrp.Complete
	b, _ := msrp.AppendFrame(buffer.New(headSize(f)), f, nil)
	return b
}

// headSize is about the length of a frame without its body, and rather more.
func headSize(f *msrp.Frame) int {
	n := 200 + len(f.ToPath) + len(f.FromPath) + len(f.MessageID) + len(f.ContentType) + len(f.StatusHeader) + len(f.Comment)
	for _, h := range f.Header {
		n += len(h.Name) + len(h.Value) + 4
	}
	return n
}

func is(value []byte, word string) bool { return bytes.EqualFold(value, []byte(word)) }
