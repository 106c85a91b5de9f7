package msrp

// Limits bound what a peer can make a Decoder keep. A zero field takes its default.
type Limits struct {
	// HeadBytes bounds a frame's start line and headers together, in bytes. Default 16384.
	HeadBytes int
	// Headers bounds the number of header lines of a frame. Default 64.
	Headers int
}

const (
	defaultHeadBytes = 16 << 10
	defaultHeaders   = 64

	maxURI  = 1024 // bytes of one URI
	maxHops = 16   // URIs in one path

	maxOtherBody = 10_240 // bytes of body of a request other than SEND: RFC 4975 section 7.1

	minTransactionID = 4  // RFC 4975 section 9: ident
	maxTransactionID = 32 // RFC 4975 section 9: ident
)

func (l *Limits) withDefaults() Limits {
	var r Limits
	if l != nil {
		r = *l
	}
	if r.HeadBytes <= 0 {
		r.HeadBytes = defaultHeadBytes
	}
	if r.Headers <= 0 {
		r.Headers = defaultHeaders
	}
	return r
}
