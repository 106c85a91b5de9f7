// Package libotr drives libotr, the reference implementation of OTR in C, for
// tests. [Start] compiles a small program of ours (peer/libotr_peer.c) against
// the libotr of the machine, and runs it; a [Peer] is one conversation in it.
// It makes no difference to a Peer how messages travel: a test carries them by
// hand, or through MSRP. A second program (fingerprints/libotr_fingerprints.c)
// reads and writes fingerprints files by libotr's own functions, for our tests
// of contacts/exchange.
//
// A test without a C compiler or libotr's headers (Debian: libotr5-dev) is
// skipped, or fails when CI is set.
//
// # Concurrency
//
// The methods of a Peer may be called from any goroutine, one at a time goes
// to the program. They fail the test with FailNow, which belongs into the test's
// own goroutine: from others, call them only where a failure may end in a
// complaint of package testing.
//
// # Limits
//
// A command may take 30 seconds. Texts and messages end at a NUL byte, as
// everywhere in libotr, and may have 16 MiB.
//
// # Security
//
// The program's keys are made from quick, not strong, random numbers. They are
// good for tests and nothing else.
package libotr
