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
//	err = s.Connect(ctx, remote, msrp.Active, nil)
//	d, err := s.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte("hello")})
//	err = d.Wait(ctx)
//
// Who cannot be reached, behind a NAT for example, asks an MSRP relay for a way through (RFC 4976): DialRelay connects and authenticates, and a session with
// SessionOptions.Relay tells the peer the relay's path and sends and receives over that connection. Package msrp/relay is such a relay.
//
//	r, err := e.DialRelay(ctx, &msrp.RelayOptions{URI: "msrps://example.com;tcp", Username: "alice", Password: password})
//	s, err := e.NewSession(&msrp.SessionOptions{Relay: r})
//
// Below that, Decoder and AppendFrame read and write single frames, for relays, gateways and test tools.
//
// # Concurrency
//
// Endpoint, Session, Relay, Delivery and what a received message reads from are safe for concurrent use; a Decoder is not. A connection has
// one goroutine, and a second one while there is something to write; one to a relay has another that renews what the relay has given, and a
// session has none of its own.
//
// The read loop never waits for the application: what finds no room in a session's inbox is refused on the wire with 413, which the sender's
// Delivery reports. With Options.StreamAbove there is one exception, for a connection that carries one session alone: see Limits. Else it
// waits for two things: while its connection carries no session yet, for the Connect of the session that a request with a body names (one
// without a body waits on the side, one for each session, and the connection goes on); and for a peer to read what we owe it, when that takes
// more than 512 KiB: 5 s at most, and not again before the peer has read.
//
// Close works at any moment, against a silent or slow peer too, and waits at most 100 ms for the last alert of a TLS connection.
//
// # Limits
//
// A frame's head is bounded by Limits, a message by Options.MaxMessage, what waits for Receive by Options.InboxMessages and InboxBytes. A
// session keeps at most 16 unfinished incoming messages, together no larger than MaxMessage and each in at most 64 parts, for 2 minutes after
// the last chunk; their senders are then told with a REPORT of 413. Of a refused message only its ID is kept, for the 16 latest; a frame that
// stops halfway for 2 minutes ends the connection.
//
// A session sends at most 32 requests or 320 KiB without a response, of which a chunk that may be ended early counts 10,000 bytes; a transfer
// reads no more than about 160 KiB ahead of what the connection takes, makes a response of ours wait for 5 s at most, and leaves no chunk open
// for longer than 30 s in which its Reader gives nothing: the peer would take the connection for broken. The head of a message is refused by
// Send if a receiver with the default Limits would refuse it: 16 KiB, 57 headers of the caller's. A response has 30 s from the last byte of
// the request (RFC 4975 section 7.1.1), a success report 10 minutes; 8,192 deliveries at a time wait for one, and 64 late failure reports for
// ReceiveReport.
//
// A connection is closed on which 1 MiB of responses and reports wait to be written, 32 KiB before it carries a session, or one frame cannot
// be written in 30 s and a second more for each 16 KiB. So is an accepted one that names no session within 30 s, or that is the 257th such,
// and one that is refused by its certificate within a second. A request waits 30 s for the Connect of its session. Dialling with its TLS
// handshake has 30 s. An idle session with its connection takes less than 16 KiB, without what TLS and the operating system need. Peers that
// are gone without a word are found by TCP keep-alive in about two and a half minutes.
//
// With Options.StreamAbove a longer message is not bounded in length; what its Reader has not read counts in InboxBytes. A reader slower than
// its sender slows the sender down. While more than half of InboxBytes waits, the 200 for a chunk is withheld, for 20 s at most and for 64
// chunks. When all of it waits and the connection carries no other session, the read loop pauses until there is room, or the session or the
// connection ends, or another session joins, or for 30 s in which nothing is taken out; during that time no response to our own requests is
// read either, and none times out. Beside other sessions, and after those 30 s, the message is refused with 413 and its Reader ends with an
// error that wraps ErrTooLarge.
//
// A chain has at most 8 relays, and so many URIs has a Use-Path, in at most 4 KiB. A relay is asked at most 6 times for one URI and has 30 s
// for each answer, and of a domain at most 8 addresses are tried, each for 10 s of connecting if there are more. A URI is renewed when 60 to
// 75 % of its time has passed; a relay that does not answer is asked again at least a second later, one that refuses is asked once more.
//
// # Security
//
// Session URIs have 128 random bits: who does not know the URI cannot reach the session, and RFC 4975 section 14.1 rests on that; so no error
// and no log line holds one, nor anything of a message. Both paths of every request and the transaction ID and path of every response are
// checked, and a session stays with its first connection. Fields that could break out of their line are refused on both ways.
// SessionOptions.MatchSessionID leaves the session-ids to tell a session's frames, which is all that is secret in the paths.
//
// MSRP over plain TCP is neither confidential nor authentic: SessionOptions.Secure demands TLS for the connection to the next hop and refuses
// any other, in both roles, but says nothing of the hops behind a relay. The active side verifies the host of the path and the issuer, or
// ConnectOptions.Fingerprints in their place, which both sides can demand: they are worth as much as the way on which the SDP came. Where
// Options.ShareConnections is set, only sessions that demand the same of a connection share it.
//
// A relay is verified by the host of its URI; without RelayOptions.AllowTCP neither it nor a URI that it gives may do without TLS. It is not
// sent the password, and gets a proof of it for one realm and one algorithm alone, those of its first challenge; a relay that others stand
// before has to prove in turn that it knows the password, the first one need not, since Kamailio does not. Relays see all that is not
// encrypted end to end. A session with a relay is reached through that alone.
package msrp
