// Package leakcheck fails a test run that leaves goroutines behind.
//
// "After Close returns no goroutine of ours runs" is a promise of every package of this module that starts one.
// [Main] holds it for a whole package and [Check] for one test:
//
//	func TestMain(m *testing.M) { leakcheck.Main(m) }
//
// A goroutine counts as left behind when it still runs [Patience] after the tests have ended. Goroutines of the
// runtime, of package testing and of os/signal do not count.
//
// # Concurrency
//
// Check compares the goroutines of the whole process, so it is not for a test that runs in parallel with others,
// nor for the inside of a testing/synctest bubble, which finds its own leaks. Use Main there.
//
// # Limits
//
// The stack dump of the process is read up to 16 MiB; goroutines behind that are not seen.
//
// # Security
//
// The report holds stack traces only, no memory contents.
package leakcheck
