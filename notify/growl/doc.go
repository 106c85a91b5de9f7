// Package growl shows notifications by a Growl server, on this machine or another: Growl for Windows, growl-for-linux, Snarl, Growl for OS X and
// whatever else speaks the Growl Notification Transport Protocol (GNTP) 1.0. docs/gntp.md lists what of the protocol is supported.
//
// The [Notifier] registers its program and the kinds of notifications when it has the first one to deliver, and again when the server has
// forgotten them. A Critical notification stays until the user has seen it, and a notification replaces the last one of the same Topic,
// where the server knows how.
//
// # Concurrency
//
// A [Notifier] may be used from any number of goroutines; it delivers one notification after the other, over one connection for each request, and has no
// goroutine and no connection between the calls, so there is nothing to close.
//
// # Limits
//
// A title is cut to 256 bytes and a body to 4,096, an icon has at most 256 KiB, and of an answer at most 16 KiB are read. A call takes at most 10 seconds,
// including those before it that it waited for; a server that does not answer is given up when that time or the context ends.
//
// # Security
//
// Title and body may come from the peer. They are one header each: control characters are removed, but for the line breaks of a body, which the
// protocol writes as a bare LF, so no text can begin a header of its own, and none can pass for a reference to an image. The address of a contact is
// sent only where the title or the body holds it. The number by which a notification replaces another is a hash of the address: whoever guesses the address
// can check the guess. Errors hold neither a text of a notification nor the password.
//
// GNTP is of 2008. Without [Options.Password] it has no security at all, and is for this machine only, unless [Options.AllowPlaintext] is set; every local
// user can listen on the port while no server does. With a password, whoever sees a message on the way can guess passwords at the speed of a hash: take a long
// random one. Encryption is AES-192 in CBC without authentication. Whoever can change what is on the way can garble a notification, show again one that
// they saw, or suppress one and report success, since answers prove nothing. A Notifier with a password never sends anything without it, nor with a lesser hash
// or cipher than those of its Options, whatever a server answers.
package growl
