// Package relay is an MSRP relay (RFC 4976) to embed in a program or to run alone. Clients open a connection to it, authenticate with AUTH, and are given
// a URI that leads through the relay to them, however their NAT or firewall treats connections from outside. The relay forwards what comes for such a URI to its
// client, and what the client sends through it to the next hop: another client of its own, another relay, or an endpoint.
//
//	r, err := relay.New(&relay.Options{Host: "relay.example.com", Authenticator: users})
//	err = r.Serve(tls.NewListener(l, config))
//	…
//	err = r.Shutdown(ctx)
//
// It looks at nothing but the heads of the frames and keeps no message: a frame is passed on when it is whole, one of more than 64 KiB in chunks of that size.
//
// # Concurrency
//
// A Relay is safe for concurrent use. A connection has one goroutine that reads, a second one while there is something to write, and one more for each AUTH
// that waits for the Authenticator.
//
// # Limits
//
// Options bound connections, sessions and bytes that wait; each has a default. A connection that has neither authenticated nor
// had a request forwarded within 30 s is closed.
//
// # Security
//
// The relay is never an open one: it forwards a request only if its first URI is one that was given to a client, and only from that client or towards it
// (RFC 4976 section 6.4). The URIs have 128 random bits: who does not know one cannot reach its client. No log line and no error holds a session URI, a nonce
// or anything of a message.
package relay
