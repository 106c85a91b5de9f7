// Package siptest helps to test programs that use package sip, without a socket and without waiting: a network in memory, on which agents of package sip
// call each other, and a peer that does what the test tells it to.
//
// A [Network] has hosts with IP addresses. A [Host] is the Dialer of an agent's options, and Attach lets the agent listen there: two hosts and two agents make
// a pair. Hosts can be unplugged and their streams cut; Network.Datagrams loses, repeats, delays and reorders what goes by UDP.
//
// A [Peer] is the other end as bare messages, for what no well-behaved agent does: it sends requests and responses made from short texts (RFC 3261 §7), or any
// bytes, and hands over what it receives as a [Message].
//
// All of it works inside a testing/synctest bubble, where the timers of RFC 3261 pass at once: nothing here blocks on anything but
// time and the program's own goroutines. The goroutines of a Peer end with it.
//
// The package does not import package sip, so that the tests of that package can use it too.
//
// # Concurrency
//
// Network, Host and what they open are safe for concurrent use. Of a Peer those methods that wait for a message are for the goroutine of the test, because
// they end it; all others are safe for concurrent use.
//
// # Limits
//
// A stream holds 64 KiB that are written and not read; then Write waits, as on a TCP connection whose peer does not read. A socket for datagrams holds 1024 of
// them and loses further ones. A Peer holds 1024 messages and then reads no more; a message has at most 1 MiB of body.
//
// # Security
//
// It is for tests: nothing is encrypted or checked. TLS runs over a Network as over any other.
package siptest
