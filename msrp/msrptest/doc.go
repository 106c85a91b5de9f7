// Package msrptest helps to test programs that use package msrp, without a socket and without waiting: a network in memory, two sessions
// connected on it, a record of what crossed, lines on which things go wrong, and a peer that does what the test tells it to.
//
// Pair is the short way to two sessions. What the tested program dials and listens on its own goes over a Network, which is an msrp.Dialer
// and gives out listeners. Every connection on it is a Wire of two Lines, one for each direction. A Line tells what was written to it
// (Bytes, Frames) and can be made to fail: Faults split, delay, change and cut what passes, Hold keeps it back. A Peer stands on
// the other side of a session and sends any frame, or bytes that are none; PeerOn puts one on any other connection, where Auth makes it a client of
// a relay. The frames and paths are those of RFC 4975, and of RFC 4976 where there is a relay.
//
// All of it works inside a testing/synctest bubble, where the timeouts of msrp pass at once: nothing here blocks on anything but
// time and the program's own goroutines, and no goroutine belongs to a Network, Wire or Peer.
//
// # Concurrency
//
// Network, Wire, Line and the connections are safe for concurrent use. A Peer may be read and written at the same time, by one goroutine each.
//
// # Limits
//
// A Line holds 64 KiB that are written and not read; then Write waits, as on a TCP connection whose peer does not read. It keeps the first 1 MiB of what was
// written, which Network.Record changes. A Network keeps its Wires, so it is for one test and not for a whole program. A frame that a Peer or Frames reads is
// in memory whole.
//
// # Security
//
// It is for tests: nothing is encrypted or checked. TLS runs over a Network as over any other (tls.NewListener around its listeners, msrp.Options.TLS).
// A Line records what is written to it, messages and session URIs too.
package msrptest
