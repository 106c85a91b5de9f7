// Package kamailio runs Kamailio as an MSRP relay (RFC 4976) for tests: [Start] on plain TCP, [StartTLS] on TLS, each a process of its own on a free port of
// 127.0.0.1. Any user may AUTH there with [Password], in the realm [Realm]. The configuration, kamailio.cfg, is that of Kamailio's documentation with a
// larger receive buffer and a longer write queue: without the first it refuses frames with the 10,000 bytes of body which we send through relays, and
// without the second it closes connections on which more than 32 KiB wait, after it has answered 200 for them.
//
// [StartProxy] runs it as the registrar and proxy of the SIP domain [Domain], on UDP, TCP, TLS and WebSockets, with digest on REGISTER and INVITE, and
// [StartEdge] as an edge proxy before one, with Path and outbound (RFC 3327, RFC 5626). That configuration is proxy.cfg. The tests of package sip that need
// them stand here too, and tests of a file whose name begins with proxy, registrar or edge are about them.
//
// A test on a machine without Kamailio (Debian: kamailio, kamailio-tls-modules, kamailio-websocket-modules, kamailio-outbound-modules) is skipped, or fails
// when CI is set.
//
// # Concurrency
//
// Relays and proxies are independent of each other; a [Relay] or [Proxy] may be used from several goroutines.
//
// # Limits
//
// Kamailio 5.6 relays no frame over 11,238 bytes, and forwards only to clients that have done AUTH with it, and to other relays. Behind another relay
// it answers AUTH to the hop before alone, which msrp/relay copes with. Before another one it takes a response back to the host and port of the
// client's URI, so that has to be the client's address on its connection. It gets 10 seconds to start.
//
// # Security
//
// It listens on 127.0.0.1 alone. With TLS it has a fresh certificate that is trusted through its Roots only.
package kamailio
