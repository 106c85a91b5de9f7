// Package msrp is the Message Session Relay Protocol of RFC 4975: chat messages between two endpoints, over a connection whose two
// ends have exchanged their paths beforehand, usually in the SDP of a SIP call. It knows nothing of SIP: it takes and gives paths.
//
// An Endpoint listens and dials. Each Session has a URI of its own, which goes to the peer; Connect takes the peer's path and which
// of the two opens the connection. Then Send and Receive carry whole messages, cut into chunks and put together again as needed,
// and a Delivery tells what became of a sent one.
//
//	e, err := msrp.New(nil)
//	err = e.Serve(listener)
//	s, err := e.NewSession(nil)
//	// tell s.LocalPath() to the peer, learn the peer's path
//	err = s.Connect(ctx, remote, msrp.Active)
//	d, err := s.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte("hello")})
//	err = d.Wait(ctx)
//
// Below that, Decoder and AppendFrame read and write single frames, for relays, gateways and test tools.
//
// # Concurrency
//
// Endpoint, Session and Delivery are safe for concurrent use; a Decoder is not. The read loop of a connection never waits for the
// application: what finds no room in a session's inbox is refused on the wire with 413, which the sender's Delivery reports.
//
// # Limits
//
// A frame's head is bounded by Limits, a message by Options.MaxMessage, what waits for Receive by Options.InboxMessages and InboxBytes. A
// session keeps at most 16 unfinished incoming messages, together no larger than MaxMessage, each for 2 minutes after its last
// chunk. It sends at most 32 requests or 320 KiB without a response; a response has 30 s (RFC 4975 section 7.1.1), a success report
// 10 minutes. A connection on which 1 MiB of responses or one frame for 30 s cannot be written is closed, and so is an accepted one that
// names no session within 30 s, or that is the 257th such.
//
// # Security
//
// Session URIs have 128 random bits: who does not know the URI cannot reach the session, and RFC 4975 section 14.1 rests on that. Both paths of
// every request and the transaction ID and path of every response are checked, and a session stays with its first connection. MSRP
// over plain TCP is neither confidential nor authentic. Fields that could break out of their line are refused on both ways.
package msrp
