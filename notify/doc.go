// Package notify is how a warning of off-the-record chat reaches a person: that a contact came with
// another key, or ended encryption. A [Notifier] is anything that takes a [Notification]: a
// desktop, a voice, a log. [Func] makes one of a function, [Multi] one of several, [Slog] one of a
// logger. Urgencies are those of the Desktop Notifications Specification of freedesktop.org.
//
// What a notification says comes from a [Catalogue], by its [Kind]. [English] is built in; an application brings its own words or another
// language, wholly or in part, as a Go map or from JSON.
//
// A person can be reached slowly and a peer can be quick. [Queue] stands between them: it never keeps its caller waiting, delivers what is urgent first, and
// neither fills the screen nor forgets a warning when a peer does the same thing over and over. Multi of several Queues lets a slow voice hold up no
// desktop; [Filter] gives each notifier what is for it alone.
//
// # Concurrency
//
// Notifiers may be used from any number of goroutines. A call runs until its notifiers have
// returned, and its context bounds it; nothing runs afterwards. A Queue is the exception: its calls return at once, and it delivers
// on goroutines of its own, until Close. None of them runs while there is nothing to deliver.
//
// # Limits
//
// A Notification is not bounded by itself. Catalogue.Fill cuts what it puts in: a name to 100 bytes, an address or a fingerprint to 256, a text of the
// other side's to 1,024; each text that it makes is at most 4,096 bytes long. Slog cuts each text to 1,024 bytes; Multi starts one
// goroutine for each notifier of a call. A notifier that ignores its context keeps the call waiting.
//
// In a Queue 64 notifications wait, one delivery runs at a time and takes a minute at most, and after three of the same
// Topic there is one every ten seconds; [QueueOptions] change these numbers, but for the three. Each text is cut to 4,096 bytes. The pace of 1,024
// topics is remembered. A peer that comes under more addresses than that is not slowed down, but what it causes is still bounded
// by the length of the Queue, in which the urgent ones stay.
//
// # Security
//
// A notification never holds a key, a password or an SMP secret, nor the text of a message unless the person asked for that: what a
// notifier shows may be read over a shoulder or kept in a log. Slog writes no such text. Title, Body, Spoken, Contact and DisplayName may hold text
// that came from the peer. Notifiers must pass it on as data, never as markup, as an argument that
// could be an option, or as part of a command line. What Catalogue.Fill puts into a text is cleaned of control characters and of those that turn the
// direction of writing, and cannot bring a placeholder of its own. The error of a panic names the type of its value only.
package notify
