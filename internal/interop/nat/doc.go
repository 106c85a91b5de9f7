// Package nat holds tests in which two clients that cannot reach each other chat through a relay of ours (RFC 4976), with TLS: once because there is
// no route between them, and once because each is behind a router that translates addresses, as at home. Every machine of these networks is a Linux
// network namespace with a program of its own: the test binary plays the relay and the clients. In the same test the clients try to reach each other
// directly, and fail.
//
// The tests need root, iproute2 and nftables (Debian: iproute2, nftables). Without them they skip, or fail when CI is set.
//
// # Concurrency
//
// There is nothing to call in this package.
//
// # Limits
//
// Networks are IPv4 only. Addresses come from the ranges for documentation and for private use.
//
// # Security
//
// Nothing is changed outside the namespaces, which have no names and end with the programs in them, also where the test is killed.
package nat
