// Package foreign finds, starts and stops the programs that the interop tests talk to and that we did not write.
//
// A test that needs one skips with a plain reason on a machine without it. With the environment variable CI set it
// fails instead, so a test run that proves nothing cannot pass unseen.
//
// # Concurrency
//
// A [Process] is safe for use from several goroutines.
//
// # Limits
//
// Of a program's output the last 1 MiB is kept. A program gets 2 seconds between SIGTERM and SIGKILL. On Linux the
// whole process group is stopped, also when the test binary itself dies; elsewhere only the program.
//
// # Security
//
// Programs run with the rights of the test. The package starts what the test names and nothing else.
package foreign
