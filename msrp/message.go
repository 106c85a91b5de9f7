package msrp

import "io"

// Message is one instant message, whole: what Send takes and Receive gives.
type Message struct {
	// ID is the Message-ID: 4 to 32 letters, digits or any of . - + % = (RFC 4975 section 9). Send makes one with 128 random bits if it is empty.
	ID string
	// ContentType is the body's media type with its parameters, "text/plain;charset=utf-8" for example. Required for a body.
	ContentType string
	// Body is the content in bytes, of any length; a receiver bounds it by Options.MaxMessage.
	Body []byte
	// Reader is the body instead of Body, when it is too large for memory or not all there yet. Send reads it to its end before it returns. A received
	// message has it if its body is over Options.StreamAbove; it then gives the body as it arrives, and Close gives up the rest. After the last byte it
	// returns io.EOF, and only if the message is whole; else ErrAborted, ErrClosed after Close, or an error that wraps io.ErrUnexpectedEOF for a session that
	// has ended, ErrTimeout for a sender that fell silent for 2 minutes, ErrTooLarge for a reader that was too slow, or ErrMalformed for chunks that contradict
	// each other. What came before the end of the session stays readable. Default nil.
	Reader io.Reader
	// Size is the length of what Reader will give, in bytes; of a received message that is what its sender says. Default 0: unknown.
	Size int64
	// Header has further headers of the message, as they go on the wire with each chunk: Content-Disposition and other MIME headers, for example. Default none.
	Header []Header
	// SuccessReport asks the receiver for a report when it has the whole message (RFC 4975 section 7.1.1). Default no.
	SuccessReport bool
	// FailureReport says what the sender wants to hear of failures. Default Yes.
	FailureReport FailureReport

	from string // of a received one: its From-Path, where that is not written like the path that Connect was told
}

// Close gives up what has not been read of a received message with a Reader, and frees it; what still comes is refused with 413. It does nothing for other
// messages, a second time, or for a Reader of the caller's. It never waits, and it may run beside Read, which then returns ErrClosed. The error is always nil.
func (m *Message) Close() error {
	if st, ok := m.Reader.(*stream); ok {
		return st.Close()
	}
	return nil
}

// FailureReport is the Failure-Report header (RFC 4975 section 7.1.1).
type FailureReport uint8

// The three values of the Failure-Report header.
const (
	Yes     FailureReport = iota // a response to every chunk, and reports of later failures
	Partial                      // reports of failures; a Delivery does not wait for responses
	No                           // nothing: only a success report can tell that the message arrived
)

var failureReports = [...]string{Yes: "yes", Partial: "partial", No: "no"}

// String returns the header's value, "invalid" for a value that is none of the three.
func (r FailureReport) String() string {
	if r > No {
		return "invalid"
	}
	return failureReports[r]
}

func parseFailureReport(b []byte) FailureReport {
	switch {
	case equalName(b, "no"):
		return No
	case equalName(b, "partial"):
		return Partial
	}
	return Yes
}
