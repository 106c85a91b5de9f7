// Package growl holds tests in which notify/growl and internal/gntp talk to programs that others wrote: growl-for-linux shows our notifications on the
// screen of an X server of its own, and gntp-send sends to a listener of ours.
//
// The test binary starts itself anew in a network namespace, since growl-for-linux listens on GNTP's port on all addresses and knows no other. What it
// took is read from its database, and what it shows from the memory of its screen. The tests need root, or the right to make namespaces, and
// growl-for-linux, gntp-send, Xvfb, iproute2 and Python 3 (Debian: growl-for-linux, gntp-send, xvfb, iproute2, python3). Without them they skip, or
// fail when CI is set.
//
// What growl-for-linux 0.8.5 gets wrong, which the tests allow for: it does not compare the hash of the key, so that it finds out about a wrong password only
// where something was encrypted with it; it takes a part of its own memory for the initialization vector of DES and 3DES, which garbles the first eight
// bytes; it knows no SHA512; and it does not show an image that came with a request, though it keeps it.
//
// # Concurrency
//
// [Listen] may be called from any goroutine; what it returns belongs to one.
//
// # Limits
//
// A test that waits for a foreign program gives up after 20 seconds.
//
// # Security
//
// Nothing is changed outside the namespace and the tests' own folders, and nothing outside can connect to what listens in it.
package growl
