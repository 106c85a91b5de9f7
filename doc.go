// Package otrchat is off-the-record chat over SIP and MSRP, ready to be put into an application: a Client places and takes chats, each of
// which is an EncryptedChat that encrypts by itself where the peer can, tells what a lock icon shows, verifies the peer with a shared secret, and
// warns when a contact's key has changed.
//
//	client, err := otrchat.New(&otrchat.Options{Address: "sip:alice@example.com", Key: key})
//	_, err = client.Listen(ctx, "tcp", "192.0.2.1:5060", "192.0.2.1:2855")
//	chat, err := client.Call(ctx, "sip:bob@example.com")
//	delivery, err := chat.Send(ctx, "hello")
//	for event, err := range chat.Events(ctx) { … }
//
// It joins packages that each can be used alone: sip sets up the call, msrp carries the messages (RFC 4975), otrsession encrypts them (OTR
// version 3), contacts remembers the keys, notify warns the user.
//
// # Registration
//
// Client.Register tells the registrar of our domain where we are, and Options.SIP has what else there is to say of SIP: an outbound proxy, TLS, an instance
// ID. Calls then come over the connection that was opened for that. Who is not registered is called at the address of Listen.
//
// # Relays
//
// With Options.Relay every chat goes through an MSRP relay (RFC 4976), over a connection of its own or over one for all, and no socket is opened for MSRP:
// messages get through to who sits behind a NAT. The peer needs no relay, and may have another one. Without a way through the relay there is no
// chat (ErrRelay); a chat whose way is lost asks the relay for another one and moves there by a re-INVITE, or ends where
// the relay or the peer does not go along. What was on its way meanwhile is lost, as its Delivery tells.
//
// # Policies
//
// Opportunistic asks every peer for encryption and goes on in plain text with one that does not answer. Always never lets a text leave
// unencrypted. Never uses no OTR. A policy saved with a contact goes before that of the Client, and a change of it reaches the chats that are up, wherever it was made, if
// the store is a contacts.Watcher; so does a change of trust in a key. With a conference (isfocus in its Contact, RFC
// 4579) OTR is neither started nor answered, whatever the policy; with Always nothing can be sent there.
//
// # Concurrency
//
// Client, Invitation, EncryptedChat and Delivery are safe for concurrent use. Events are pulled with Receive or Events by one goroutine
// per chat. Who never takes them stops receiving when the queue is full; sending goes on.
//
// # Limits
//
// 256 events or 16 MiB wait for Receive, and behind them what msrp's inbox holds (1,024 messages, 16 MiB); what comes on top of that is refused on the wire, and
// the sender is told. A text may be about 3 MiB when encrypted (otrsession.DefaultMaxMessage), or what the peer's max-size says. A peer has
// Options.OTRTimeout to answer a request for encryption, and 30 s to connect for MSRP; how long a relay may take stands at msrp.Endpoint.DialRelay. At
// most 16 notifications are delivered at a time, each within a minute, and 64 wait, as notify.Queue says. Each address that the chat was encrypted with once
// takes a place in Options.Contacts, and callers choose theirs: a program that answers every call can be made to fill the store, which then remembers no new
// contact. Each chat with one tells so (notify.ContactsUnavailable).
//
// # Security
//
// What OTR gives and does not give is in SECURITY.md. The address of a caller is the caller's own word: only a verified key proves it. Trust in
// a key changes only by SetVerified, a completed SMP, or in the contact store. One who answers the peer's own SMP question has not verified the peer, who may have asked
// what everybody knows. A new key of a known contact is announced once, in the chat and to Options.Notifier, and stays visible as Changed until
// it is verified; it is announced again if the process ended before Options.Notifier had been told. The text of a message goes to no notification unless
// Options.NotifyMessages says so. After the peer ended encryption, or became a conference in an encrypted chat, nothing is sent until the user decides; and a text
// that was given while the chat was encrypted never leaves in plain text. The signalling (who talks to whom, when) and the sizes
// of messages are visible to the network, and so is MSRP's and SIP's plain TCP. A relay is verified by Options.TLS, but TLS ends there: it sees what the network
// sees without TLS, all of a chat that is not encrypted by OTR and when how much is sent of one that is.
package otrchat
