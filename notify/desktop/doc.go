// Package desktop shows notifications on the user's desktop.
//
// On Linux and the BSDs it speaks the Desktop Notifications Specification 1.2 of freedesktop.org over D-Bus, which GNOME, KDE Plasma, Xfce, dunst, mako
// and others implement. On macOS and Windows it runs what the system brings along: osascript, and Windows PowerShell, which shows a toast.
//
//	                                      freedesktop.org        Windows                   macOS
//	title, body, name of the program      yes                    yes                       yes
//	replaces the last of the same Topic   yes                    yes                       no, it is stacked
//	urgency                               low, normal, critical  critical is shown longer  no
//	icon                                  name or file           file                      no
//
// # Concurrency
//
// A [Notifier] may be used from any number of goroutines; it shows one notification after the other. It has no goroutine of its own but those of its
// connection to the session's bus, which is made by the first notification and ends with [Notifier.Close].
//
// # Limits
//
// A title is cut to 256 bytes and a body to 1,024; a body is cut more where a toast of Windows would be longer than 5,000 bytes of XML. A notification takes
// at most 30 seconds; a bus or a program that does not answer is given up when that time, the context or the Notifier ends. A broken connection is made
// anew. The numbers of 256 notifications are remembered, to be replaced; a contact has at most one of each kind on the screen, but many contacts have
// many: [notify.Queue] bounds and paces them.
//
// # Security
//
// Title, body and contact may come from the peer. Control characters and those that turn the direction of text are removed, markup is escaped where the
// desktop reads any, and programs get constant arguments and the text on their standard input, so neither a shell nor the list of processes sees it.
// What is shown can be read over a shoulder, on a locked screen and in the history of the desktop, and every program of the user's session that may
// watch the bus can read it. The bus and the service are trusted: they are the user's own. On Linux a bus of another user's, but root, is refused: once
// the user's has ended, others may take its address. A bus is never started, and file descriptors are not accepted. Errors hold no text of a
// notification. A notification is replaced only at the service, and on the connection, that gave it its number: elsewhere it would be another
// program's.
package desktop
