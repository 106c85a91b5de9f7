// Package tap records what passes a program's TCP connections, byte for byte. The quickstart shows with it how a
// message stood on the wire, and the leak tests search it for the user's words.
//
// Wrap a listener with [Listener], or one connection with [Conn]; both ends of the wire stay as they are. What is wrapped around a TLS
// listener sees what TLS carries, as the program does.
//
// # Concurrency
//
// A [Recorder] may serve any number of connections from any number of goroutines. What is written is recorded before
// the network has it, and what is read before the reader has it, so an answer never stands before its question.
//
// # Limits
//
// A Recorder keeps Options.Limit bytes and counts the rest; a search that must not miss anything asks [Recorder.Lost].
//
// # Security
//
// A recording holds everything, secrets sent in the clear included: it is for demonstrations and tests. The live view
// replaces control characters, so a peer cannot send commands to the terminal.
package tap
