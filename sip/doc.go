// Package sip is a SIP user agent (RFC 3261) for one kind of call: an MSRP session, agreed with offer and answer
// (RFC 3264, RFC 4975 §8).
package sip
