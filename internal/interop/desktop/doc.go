// Package desktop holds tests that show notifications on a real desktop: dunst, a notification service that we did not write, on an X server without a screen
// (Xvfb) and a message bus of its own (dbus-daemon). What dunst has shown is read back from its history. The tests skip where one of the programs
// (Debian packages dunst, xvfb, dbus-daemon) is missing, and fail there when CI is set.
//
// # Concurrency
//
// There is nothing to call in this package. Each test has programs of its own.
//
// # Limits
//
// Nobody looks at the screen: what is checked is what dunst was about to draw. Urgency is seen by the format that the rules of dunst give it.
//
// # Security
//
// The bus is a socket in the test's temporary folder, and takes the user of the test alone. No service is started by it.
package desktop
