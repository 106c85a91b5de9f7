// Package filestore keeps contacts in one JSON file that a person can read and mend: a
// [contacts.Store] for one user's machine. The file has a version field and is replaced as a whole:
// a new file is written beside it, synced, and renamed over it, so that a crash at any moment
// leaves the old or the new contacts, never half of them.
//
// Beside the file, say contacts.json, stand contacts.json.lock (empty, and never removed),
// contacts.json.bak (the contacts before the last change), and while something is written
// contacts.json.tmp.
//
// A file that cannot be read, because it is damaged, was made by a newer version, or could have been
// written by somebody else, is never overwritten: every call fails with a [*FileError] that names the
// file and its backup, until a person has put it right.
//
// There is no RFC behind the format; addresses are those of [contacts.Normalize].
//
// # Concurrency
//
// A Store may be used from any number of goroutines, and any number of processes may use the same
// file: a lock file keeps their changes apart, and every call reads the file, so each sees what the
// others wrote. A Store holds nothing open between calls and runs no goroutine; there is nothing to
// close. Watch looks at the file every second, on the goroutine of its loop. The file must be on a
// local disk.
//
// # Limits
//
// [contacts.MaxContacts] contacts and [MaxFileBytes] bytes. Every call reads the whole file and every
// change writes it, and waits for the disk: fit for an address book, not for a server. A call that
// waits for the lock ends with its context. With [contacts.MaxContacts] contacts of two keys each a
// Load takes about 130 ms and a Save about 370 ms of a slow core; with a hundred contacts a
// hundredth of that, and for a Save the disk's time.
//
// # Security
//
// The file says who talks to whom, and which keys are verified. It is written with mode 0600, in a
// folder that is made with mode 0700 if it is missing. Refused with a [*FileError] are a file that
// others may write, that belongs to neither the user nor root, or that is no regular file (symbolic
// links are not followed), the same of the lock file, and a folder in which others could exchange or
// remove the file: without it every key would be the first one of its contact, and no change would be
// noticed. Folders above that one are not looked at. On Windows who may write is not asked, so there the folder
// must be private. Fingerprints and trust are not signed: whoever can write the file can mark a key
// as verified.
package filestore
