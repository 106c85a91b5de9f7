// Package postgres starts a PostgreSQL server for a test. A test without PostgreSQL's programs (Debian: postgresql) is skipped, or fails when CI is set.
//
// # Concurrency
//
// The methods of a Server belong to the goroutine of its test; any number of clients may use the server itself.
//
// # Limits
//
// Starting takes a minute at most. The server syncs nothing to the disk.
//
// # Security
//
// The server listens on a socket in a folder of the test's own, and lets everybody on the machine in as anybody. As PostgreSQL refuses to run as root,
// the user "nobody" then runs it.
package postgres
