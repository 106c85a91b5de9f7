// Package contacts remembers, for each contact, what off-the-record chat has to remember: the OTR
// policy, the keys that the contact was seen using, and whether the user verified them. It is what
// makes a changed key noticeable after a restart.
//
// A [Contact] is a plain value, stored under its address of record (RFC 3261 §10.3, see
// [Normalize]) in a [Store]. [Memory] is a store for one process; the package filestore keeps
// contacts in a file, sqlstore in a database, and storetest holds any other implementation to the
// contract; exchange reads and writes the files of other programs. [Update] is the usual way to
// change a contact: load, change, save, and start over if somebody else saved meanwhile. A store
// that is a [Watcher] tells what others changed.
//
// Fingerprints are those of OTR version 3: the SHA-1 of a public key, 20 bytes.
//
// # Concurrency
//
// Every Store may be used from any number of goroutines. A Contact is a value without locks: it
// belongs to whoever holds it, and shares no memory with the store. Watch runs on the goroutine of
// its loop and holds no lock there.
//
// # Limits
//
// [MaxAddress], [MaxDisplayName], [MaxNote], [MaxKeys] and [MaxKeyNote] bound one contact, [MaxContacts] the
// stores of this project. A contact over its bounds is refused with a [*FieldError]; a peer that
// comes with ever new keys makes [Contact.Learn] forget unverified keys, never verified or revoked
// ones. Each Watch of the stores here keeps the addresses and revisions of all contacts.
//
// # Security
//
// Trust changes only by [Contact.Verify], [Contact.Unverify], [Contact.Revoke] and
// [Contact.Forget], which are for acts of the user and completed SMP runs; seeing a key never makes
// it trusted. Normalize refuses what could make one address look like another to a log or a later
// parser. Errors hold no addresses, names or notes. A store says who talks to whom, so keep it as
// private as a key.
package contacts
