// Package rfc2782 puts the SRV records of a domain into the order in which its servers are tried (RFC 2782). Packages sip and msrp share it, whose
// resolvers may return records in any order.
//
// # Concurrency
//
// Order may be called from any goroutine, if draw may.
//
// # Limits
//
// Its time grows with the square of the number of records, which whoever asks DNS has to bound: an answer over TCP holds less than 4,000.
//
// # Security
//
// Which of several servers is asked is the draw's matter, nothing else: whether it is the right one is for TLS to tell.
package rfc2782
