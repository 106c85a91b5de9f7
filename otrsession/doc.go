// Package otrsession holds off-the-record conversations: encrypted,
// authenticated, deniable and forward secret chat between two people.
//
// It speaks the Off-the-Record Messaging protocol version 3, and version 2 on
// request, as specified at
// https://otr.cypherpunks.ca/Protocol-v3-4.1.1.html, including the Socialist
// Millionaires' Protocol (SMP) by which two users make sure of each other's keys
// with a shared secret. The cryptography is that of github.com/coyim/otr3, which
// is under the GPL version 3: a program that links this package is distributed
// under its terms.
//
// A [Session] does no I/O. Texts and the peer's messages go in, a [Step] comes
// out: messages for the peer, perhaps a text for the user, and events:
//
//	step, err := session.Decrypt(message)
//	if err != nil {
//		return err
//	}
//	for _, m := range step.Send {
//		transport.Send(m)
//	}
//	for _, e := range step.Events {
//		…
//	}
//	if step.HasMessage {
//		show(step.Plaintext, step.Encrypted)
//	}
//
// A [Key] is made once for each user and kept in a file (see [SaveKey] and
// [LoadKey]), in the format of libotr, so that it can move between this package
// and Pidgin, irssi or profanity.
//
// # Concurrency
//
// All methods of a Session are safe for concurrent use; each holds the
// session's own lock for as long as it computes. The messages of a conversation
// carry counters and must reach the peer in the order in which the calls made
// them: a caller makes Encrypt and the hand-over to its transport one step. A
// Session starts no goroutine and no timer. Keys never change and can be shared.
//
// Rough costs, on one core of 2026: 65 ms for a new key, 8 ms a side for a key
// exchange, 2.5 ms for each message sent, 2.5 ms for each received and 5 ms
// more when it brings new keys, as an answer does, 55 ms a side for SMP.
//
// # Limits
//
// A message is at most Options.MaxMessage long (4 MiB unless set), put together
// from at most 65,535 fragments, each of which may wait Options.FragmentTimeout
// (2 minutes unless set) for the next. One incomplete message is kept at a time;
// its memory is freed with the next message at the latest. Messages of the key
// exchange are limited to 4,096 bytes, SMP questions that we ask to 4,096 bytes,
// and SMP messages to two in one data message. A Session keeps no message once
// the call that handled it has returned.
//
// Text ends at a NUL byte in OTR, so Encrypt refuses text with one. Every
// encrypted message is padded with a TLV; a peer that does not expect one
// after a body of a type other than text can choke on it.
//
// # Security
//
// OTR version 3 rests on primitives of its time: DSA with 1,024 bits, SHA-1 in
// fingerprints and MACs, Diffie-Hellman with 1,536 bits, AES-128. It is not
// post-quantum and not FIPS 140.
//
// Encryption alone says nothing about who the peer is: anybody on the way can
// be the peer of a key exchange. Compare the Fingerprint of EventEncrypted with
// the one that the user verified, or run SMP. A peer can make a new key exchange
// at any time, with another key; EventEncrypted then comes again, before any
// text under the new key, and an SMP result always belongs to the Fingerprint
// in its event.
//
// A Session never puts a text of the user's on the wire in clear. It never
// repeats a text either: otr3 would keep every text for a resend, to whoever
// completes the next key exchange, so this package wipes them. Text that comes
// in clear is marked as such (Step.Encrypted), with EventUnencrypted when it
// comes in the middle of an encrypted conversation.
//
// Data messages are authenticated, and what is in them checked, before otr3
// sees them; a key exchange runs apart from the conversation that is in use. A
// panic inside otr3 becomes ErrBroken, and the session refuses everything from
// then on. No error and no event holds a key, a secret or a text that was
// encrypted. A peer's questions and error reports are free of control
// characters, but whatever they say is the peer's word.
//
// Keys lie in files in clear, as with every OTR program: SaveKey makes them
// 0600, LoadKey refuses others. Nothing but Key.Export and SaveKey writes a
// private key: for fmt, loggers and JSON encoders a Key is its fingerprint or
// nothing.
//
// The pinned otr3 writes lines like "Unsupported wipe kind: int" to standard
// output with Go 1.24 and later; a program that minds asks for its fix with
// go get github.com/coyim/otr3@2db8f2c31b07.
package otrsession
