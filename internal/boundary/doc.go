// Package boundary has no code of its own. Its tests hold the rules of this repository that no compiler holds:
//
//   - who may import whom: msrp, sip, otrsession, contacts and notify know nothing of each other, only the facade, the
//     examples and the interop tests join them, and each may use the outside modules that are named for it and no more
//   - no type of an outside module stands in an exported signature
//   - no library package writes to the terminal or to the process-wide loggers
//   - every package has a doc.go with its chapters and an Example, and every exported identifier a comment
//
// A new dependency is a new line in a table of these tests, argued for in its commit.
//
// # Concurrency
//
// The tests start the go command and read the source; they change nothing.
//
// # Limits
//
// The rules are checked for the operating system that the tests run on and for the main module; files of other systems
// and nested modules are not seen.
//
// # Security
//
// A small import graph is a small attack surface: that is what the tables are for.
package boundary
