// Package relay is an MSRP relay (RFC 4976) to embed in a program or to run alone. Clients open a connection to it, authenticate with AUTH, and are given
// a URI that leads through the relay to them, however their NAT or firewall treats connections from outside. The relay forwards what comes for such a URI to its
// client, and what the client sends through it to the next hop: another client of its own, another relay, or an endpoint.
//
//	r, err := relay.New(&relay.Options{Host: "relay.example.com", Authenticator: users})
//	err = r.Serve(tls.NewListener(l, config))
//	…
//	err = r.Shutdown(ctx)
//
// It looks at nothing but the heads of the frames and keeps no message: a frame is passed on when it is whole, one of more than 64 KiB in chunks of that size.
//
// # Concurrency
//
// A Relay is safe for concurrent use. A connection has one goroutine that reads, a second one while there is something to write, and two more for each
// AUTH that waits for the Authenticator, of which there may be 4, or 64 on another relay's connection, where more are answered with 408. Who reads from a connection never waits for the network, with these exceptions, in each of which
// only the connection waits that causes it: for room at the next hop, 20 s at most, if the connection sends to no other and is not another relay's; for Options.Rate; and for the peer to read
// more than 256 KiB of our answers, 5 s at most. A next hop takes requests while it is being dialled.
//
// # Limits
//
// Options bound connections, sessions, rates and bytes that wait; each has a default. A connection that has neither authenticated nor
// had a request forwarded within 30 s is closed, and so is one without either after 3 requests that were refused or 16 AUTHs, and a client's after 3 wrong passwords,
// but none of these if it is another relay's, known by Options.Relays.
// When there are too many connections, the oldest of those without either makes room for a new one, else about the least recently used of those that are no client's.
//
// What finds no room at the next hop is refused with 413, unless its sender can wait for it. Requests of one sender on their way without an answer of the next hop are 256 at most, those of one user about 64 for each of Options.MaxSessions, those towards one connection 1,024, or 8,192 towards
// another relay: others have to find room too. From 64 SENDs or 320 KiB on the sender gets its answers with those of the next hop, after 20 s at most. A connection
// is closed on which a Write takes longer than 30 s, or 64 KiB of a frame longer than 2 minutes to come; connecting to the next hop has 30 s. A path has 2 KiB at most, a transaction ID or Message-ID 32 bytes. Of a
// session 64 peers are remembered that are to be found on one connection alone, of a connection 128 KiB of ways, 4 MiB with another relay. Of responses and
// reports that nobody reads 512 KiB wait on a connection: reports are dropped when half of that waits, and who sends on without reading any is cut off.
//
// An idle client costs about 10 KiB, with TLS about 20 KiB, without what the operating system needs. While frames pass a connection borrows up to 64 KiB to read them,
// which counts nowhere; what is read of frames that are not whole counts in Options.MaxQueueBytes.
//
// The Authenticator is asked 64 times at a time at most, and has 5 s. A nonce is good for 5 minutes. The counts of 65,536 nonces are kept, and of as
// many users and addresses with wrong passwords, and as many addresses that users came in from: 8 MiB at most.
//
// # Security
//
// The relay is never an open one: it forwards a request only if its first URI is one that was given to a client, and only from that client or towards it
// (RFC 4976 section 6.4). The URIs have 128 random bits: who does not know one cannot reach its client. No log line and no error holds a session URI, a nonce
// or anything of a message.
//
// A client speaks for itself alone, and its URI is good for the connection on which it has authenticated, or for the connections of the relay that it is behind. A peer
// without a relay is answered on its own connection, and no second connection can take its place while that lasts. Paths that lead through the relay more than once in
// and once out are refused, so that nothing goes round. An msrps URI takes nothing that has come without TLS, and nothing goes to another relay without TLS unless Options.AllowTCP
// is set; next hops are verified by the host of their URI. What the relay dials for a client goes through Options.Permit, by address and not by name, and no user can
// have it dial more than Options.MaxSessions hosts at a time. Transaction IDs have 80 random bits that only the two ends of a connection know, so no body can hold the end
// of its own frame.
//
// Clients authenticate by Digest (RFC 7616) with the quality of protection "auth", without hashed user names. A nonce serves its own connection
// alone, or behind another relay its own client, and each count with it once: credentials that were overheard open nothing. A user that does not
// exist looks like a wrong password, and takes as long as the Authenticator does for it.
//
// Who guesses has to wait, for a status 403. From one address a user has 10 wrong passwords at once and one more every 30 s, an address (IPv6: a /64)
// 50 for all users together and one more every 5 s, and a user from all addresses together 50 and one more every 10 s. That last count does not hold
// for addresses that the user has come in from before, since the Relay began, so who guesses from elsewhere locks no user out of its usual places;
// from a new one it may have to wait as long as the guessing goes on. Behind another relay the relay's address stands for its users', and only they
// are counted. What guesses from very many addresses can still find is a weak password: have none.
package relay
