// Package certtest makes TLS certificates for tests: for servers that we start ourselves, in this process or as foreign programs.
//
// # Concurrency
//
// New may be called from several goroutines.
//
// # Limits
//
// A certificate is valid for an hour.
//
// # Security
//
// A certificate is trusted only through the pool that comes with it, and its key is never used twice.
package certtest
