// Package desktop starts a desktop, for its own tests of notify/desktop and for those of others: dunst, a notification service that we did not write,
// on an X server without a screen (Xvfb) and a message bus of its own (dbus-daemon). What dunst has shown is read back from its history. The tests skip
// where one of the programs (Debian packages dunst, xvfb, dbus-daemon) is missing, and fail there when CI is set.
//
// # Concurrency
//
// A [Session] belongs to one goroutine. Each has programs of its own.
//
// # Limits
//
// Nobody looks at the screen: what is checked is what dunst was about to draw. Urgency is seen by the format that the rules of dunst give it.
//
// # Security
//
// The bus is a socket in the test's temporary folder, and takes the user of the test alone. No service is started by it.
package desktop
