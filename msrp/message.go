package msrp

// Message is one instant message, whole: what Send takes and Receive gives.
type Message struct {
	// ID is the Message-ID. Send makes one if it is empty.
	ID string
	// ContentType is the body's media type with its parameters, "text/plain;charset=utf-8" for example. Required for a body.
	ContentType string
	Body        []byte
	// SuccessReport asks the receiver for a report when it has the whole message (RFC 4975 section 7.1.1). Default no.
	SuccessReport bool
	// FailureReport says what the sender wants to hear of failures. Default Yes.
	FailureReport FailureReport
}

// FailureReport is the Failure-Report header (RFC 4975 section 7.1.1).
type FailureReport uint8

// The three values of the Failure-Report header.
const (
	Yes     FailureReport = iota // a response to every chunk, and reports of later failures
	Partial                      // responses and reports of failures only
	No                           // nothing: Send cannot tell whether the message arrived
)

var failureReports = [...]string{Yes: "yes", Partial: "partial", No: "no"}

// String returns the header's value.
func (r FailureReport) String() string { return failureReports[r] }

func parseFailureReport(b []byte) FailureReport {
	switch {
	case equalName(b, "no"):
		return No
	case equalName(b, "partial"):
		return Partial
	}
	return Yes
}
