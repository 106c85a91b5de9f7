// Package gntp reads and writes messages of the Growl Notification Transport Protocol 1.0, by which programs hand notifications to a server
// that shows them. docs/gntp.md says what of it is done. It knows nothing of connections: a [Message] is bytes that [Message.Append] makes
// and [ReadRequest] or [ReadResponse] reads; a [Key], made of a password, authenticates and encrypts one request and its response.
//
// It is a package of its own because package notify/growl, a client, and the tests, which play servers, both need it.
//
// # Concurrency
//
// Messages and Keys are plain values: any number of goroutines may read them at the same time.
//
// # Limits
//
// What is read has a bound in bytes, given by the caller; nothing is allocated in proportion to a declared length. A request announces at most
// 1,000 kinds of notifications. Keep-alive (the header Connection) is not supported: one connection carries one request and its response.
//
// # Security
//
// The protocol is of 2008, and weak: the key is two rounds of a plain hash of the password, and its hash stands in the clear, so whoever sees a
// message can try passwords at the speed of the hash. CBC has no authentication, so whoever can change bytes on the way can change what a
// message says, and a message that was seen can be sent again. Responses prove nothing about who sent them. MD5, SHA1, DES and 3DES are there
// because the protocol has them. Salts and initialization vectors are random, and new for each message. No error holds a byte of a message or
// of a password.
package gntp
