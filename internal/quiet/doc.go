// Package quiet keeps the noise of github.com/coyim/otr3 off the standard
// output of our programs and tests. With Go 1.24 and later the pinned version
// writes "Unsupported wipe kind: …" there several times for each message, and
// once a warning where memory cannot be locked. It writes by way of os.Stdout,
// which nothing but a replacement of that variable can catch.
//
// [Stdout] is for main functions and examples:
//
//	defer quiet.Stdout()()
//
// and for TestMain, through leakcheck:
//
//	func TestMain(m *testing.M) { leakcheck.Main(m, quiet.Stdout) }
//
// A program that leaves with os.Exit calls the returned function first.
//
// # Concurrency
//
// Between Stdout and the call of the function that it returns, os.Stdout is
// the writing end of a pipe, and one goroutine copies from the other end. Call
// Stdout before other goroutines use os.Stdout, and the returned function after
// they are done: the variable itself has no lock. That function may be called
// any number of times, from any goroutine; the first call does the work.
//
// # Limits
//
// Only whole lines of exactly that form are left out. Everything else gets
// through at once, a prompt without a line end too: what is held back is at most
// the beginning of a line that can still become noise, which is less than 200
// bytes. What a program writes to file descriptor 1 by other means than
// os.Stdout passes it by.
//
// # Security
//
// The package drops output, so what it drops is spelt out in full: a line has
// to match from its first to its last byte.
package quiet
