// Package relaybench measures MSRP relays in one run, with the same load on the same machine: ours, Kamailio, and a plain TCP splice as the limit of what any
// relay could do. "make bench-relay" prints the table. Its tests run the same code for a moment, so that it goes on to work; they measure nothing.
//
// Every subject is a process of its own. The load comes from the test's process: pairs of clients, each with a connection to the subject and, but for the splice, AUTH by
// digest there. In each pair one sends whole messages, with at most 32 on their way, and the other answers each with 200. A message counts when it has arrived
// whole. The subjects take turns, so that what else happens on the machine happens to all of them, and the table has medians.
//
// Kamailio runs the script of its documentation. Between two clients of its own that sends every frame through a connection to itself, which is why there are also rows with a
// sender that needs no way of its own.
//
// # Concurrency
//
// There is nothing to call in this package.
//
// # Limits
//
// The load takes its share of the processors that the subjects run on; on few of them a fast relay looks slower than it is.
//
// # Security
//
// Everything listens on 127.0.0.1, and any user may AUTH with a password that stands here.
package relaybench
