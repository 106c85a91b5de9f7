// Package hop is the connection to the neighbour on an MSRP path: it finds the next hop and dials it (RFC 4976 section 8 on DNS, section 9.2 on TLS), accepts
// from the previous one, and lets go of either. Package msrp and the relay server both go through it.
//
// # Concurrency
//
// The functions are safe for concurrent use if the functions given to them are.
//
// # Limits
//
// Find returns at most 8 addresses. Dial has 30 s for the connection with its TLS handshake. Find takes as long as its context and the resolver let it.
//
// # Security
//
// A certificate is verified for the name that the caller gives, the host of the URI, and never for a name that came from DNS (RFC 4976 section 9.2).
package hop
