// Package tshark captures what a test sends over loopback and lets Wireshark's dissectors judge it: every SIP message
// (RFC 3261), SDP body (RFC 4566) and MSRP frame (RFC 4975) must be complete, and none malformed.
//
//	rec := tshark.Capture(t)
//	… talk …
//	frames := tshark.Dissect(t, rec.Stop(), tshark.Ports{SIP: []int{5060}, MSRP: []int{2855}})
//
// Two things about tshark's MSRP dissector (version 4.0) shape this package. It knows no MSRP port and goes by the SDP
// it has seen, so [Dissect] names the ports. And it looks at the first frame of a TCP segment only: it joins segments
// until a frame is complete, but a second frame in the same segment, or the beginning of one, is passed over without
// a word. Dissect therefore joins the TCP streams itself, cuts them at the end-lines, and gives tshark a capture in
// which every frame begins a segment. Bytes between frames, an end-line that never comes, and lost packets are errors.
// SIP needs no such help. It also takes every line of a body that begins with seven dashes for the end-line, and hands bodies of some types to other
// dissectors, which complain on their own account: a test sends bodies without either.
//
// # Concurrency
//
// Several captures may run at once. A [Recording] belongs to the goroutine of its test.
//
// # Limits
//
// A capture holds at most 64 MiB; a test that reaches that fails. MSRP over TLS is not dissected.
//
// # Security
//
// Capturing needs the right to do so, on Linux root or CAP_NET_RAW; without it the test is skipped, or fails when CI is
// set. Without ports the filter takes all TCP and UDP of the loopback interface, also that of other programs; the file
// lies in the test's temporary folder and goes with it.
package tshark
