// Package sipp holds tests that call sipp and are called by it: a SIP program that we did not write and that
// plays scenarios of ours. Each test writes its scenario step by step, beside what our side does meanwhile. They skip where sipp
// (Debian package sip-tester) is missing, and fail there when CI is set.
//
// # Concurrency
//
// There is nothing to call in this package.
//
// # Limits
//
// sipp is used for signalling alone: no MSRP connection is made.
//
// # Security
//
// Everything listens on 127.0.0.1.
package sipp
