package sip

// Direction says which way messages go, as the attributes of that name do (RFC 8866 §6.7, RFC 4975 §8.9): seen from the side that
// sends the description. A side that is not to send puts nothing but reports and control messages into the session; the connection stays.
type Direction string

// The directions. Everything but SendRecv is hold, and only in a session that is up: an offer that opens one is SendRecv.
const (
	SendRecv Direction = ""         // both ways
	SendOnly Direction = "sendonly" // this side sends and does not want to hear
	RecvOnly Direction = "recvonly" // this side only listens, as the answer to SendOnly does
	Inactive Direction = "inactive" // neither way
)

func (d Direction) known() bool {
	return d == SendRecv || d == SendOnly || d == RecvOnly || d == Inactive
}

func (d Direction) sends() bool    { return d == SendRecv || d == SendOnly }
func (d Direction) receives() bool { return d == SendRecv || d == RecvOnly }

// answer is what a side that wants ours answers to an offered direction (RFC 3264 §6.1): it sends where the other
// side receives, and listens where the other side sends.
func (d Direction) answer(ours Direction) Direction {
	sends, receives := ours.sends() && d.receives(), ours.receives() && d.sends()
	switch {
	case sends && receives:
		return SendRecv
	case sends:
		return SendOnly
	case receives:
		return RecvOnly
	}
	return Inactive
}

// direction is that of a media line, or of the session where the line says nothing (RFC 8866 §6.7).
func (d *description) direction(m *mediaLine) Direction {
	for _, as := range [][]attribute{m.attributes, d.attributes} {
		for _, a := range as {
			switch v := Direction(a.name); {
			case a.name == "sendrecv":
				return SendRecv
			case v != SendRecv && v.known():
				return v
			}
		}
	}
	return SendRecv
}
