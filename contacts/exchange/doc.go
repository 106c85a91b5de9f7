// Package exchange reads and writes what other programs remember of keys: the fingerprints file of libotr, which Pidgin and many others keep; the
// trusted peers of Blink, read from its own file; and lists of them in CSV and JSON. [Import] adds what a file knows to a store, [Export] makes
// entries of what a store knows.
//
// An [Entry] is one key of one contact. A reader gives all entries that it understands, and an error that says what it did not; between reading and
// importing a program can show them to its user, leave some out (slices.DeleteFunc by Account or Protocol, say) or mend them. Importing warns of
// nothing: a contact that comes with an imported key is known, and one that comes with another key has changed it.
// Whole contacts, with policies and notes, go from one store to another by [contacts.Store.All] and Save, with Revision 0.
//
// # libotr
//
// There is no specification of the file but libotr's source text (version 4.1.1, otrl_privkey_read_fingerprints_FILEp). A file means here what it means
// to libotr. But bad lines are reported, where libotr passes over them in silence, and these, which libotr reads in some way, are bad lines too:
//
//   - without an end at the end of the file, or of more than 999 bytes;
//   - with more than five fields, or a carriage return that is not at the end;
//   - with other characters than hexadecimal digits in the fingerprint, or none but 0;
//   - with an empty user name, account or protocol, or one with control characters, a byte order mark, or bytes that are not UTF-8, or with a user
//     name of more than 512 bytes.
//
// # Trusted peers
//
// Blink keeps a set of fingerprints that were verified, each with a description that its user gave (sipsimple.streams.msrp.chat.OTRTrustedPeerSet,
// pickled into the file otr.trusted): [ReadBlink] reads it. The lists in CSV and JSON hold that, and what a store knows besides. They have these
// columns, in CSV, or members, in JSON:
//
//	fingerprint   40 hexadecimal digits; written in lower case without spaces, as Blink compares them
//	description   Entry.Name
//	address       Entry.Address; Blink knows none, and Import refuses an entry without one: ask the user whose key it is. A key must not be taken for that of
//	              every contact who comes with it, or whoever was verified once could pass for another
//	trust         unverified, verified-smp, verified-manually or revoked; verified-manually where the list has no trust, since that is what Blink's set means
//	verifiedAt    when it was verified, as in 2026-11-23T08:30:00Z (RFC 3339)
//	firstSeen     when the contact was first seen with the key
//	lastSeen      and last
//	note          the user's own text about the key
//
// # Concurrency
//
// There is no state: every function may be called from any goroutine. An entry belongs to whoever holds it.
//
// # Limits
//
// A file has at most [MaxBytes] and [MaxEntries]; after [MaxFaults] bad lines reading ends. An entry in CSV or JSON has at most 64 KiB, and what a
// pickle can make is bounded. A file is read into memory as a whole, and written with one call. Import saves each contact once: with the file store,
// which writes its whole file each time, a thousand contacts take about 20 seconds.
//
// # Security
//
// Whoever can write the file decides which keys are verified: read only what your user chose, and show it to them first. Take from a file of libotr's
// only accounts whose contacts have the same addresses here: elsewhere anybody may be called bob@example.org. A file says who talks to
// whom: write it with mode 0600 (os.OpenFile with os.O_EXCL), into a private folder. Names and notes in it may come from peers and hold any character
// but NUL. ReadBlink runs nothing: of the program that a pickle is it knows text, dictionaries and Blink's two classes. An import never makes a
// revoked key good again, and forgets no key. Errors hold no text of the file.
package exchange
