// Package cpim reads and writes message/cpim, the envelope of instant messages that MSRP carries
// (RFC 3862, RFC 4975): who wrote to whom and when, in headers of its own, around one MIME
// body. [Append] writes a [Message], [Parse] reads one.
//
// Writing keeps to the RFC: CRLF, UTF-8, quoted display names, escapes, absolute URIs, prefixes that are
// declared before they are used. Reading also takes what Blink and other clients write: bare LF after any
// header line, display names without quotes, folded MIME headers, a MIME part without Content-Type, an empty
// Content-Transfer-Encoding, the charset utf8, escapes by number, and Required in place of Require.
// Headers that the package does not know, such as those of IMDN (RFC 5438), are kept with their namespaces
// and written back, see [Message.Header] and [Message.Resolve].
//
// Parse and Append are for the two ends of a conversation. Who only passes messages on must not change a byte
// of them (RFC 3862 §6), so not even parse and write them anew.
//
// # Concurrency
//
// Functions share nothing and may be called from any number of goroutines. A Message has no lock:
// while one goroutine changes it no other may use it, nor the buffer that its Body aliases.
//
// # Limits
//
// The headers of a message, those of the MIME part included, take at most [MaxHeaderBytes] bytes
// and [MaxHeaders] lines in both directions, else the error is [ErrTooLarge]. The body is as long as
// the buffer that it came in: MSRP bounds it.
//
// # Security
//
// From, To and cc are what the sender wrote. Only the session that brought a message, or a
// conference that is trusted to check them, tells who sent it. Texts are unescaped, so a display
// name, subject or header value may hold line ends and other control characters, but never NUL:
// quote them before they reach a log or a terminal. What could be read in two ways is refused: a
// second URI in an address, a second From, DateTime or Content-Type, a prefix declared twice, a header
// of the RFC's under another default namespace. Append escapes control characters in texts, and
// refuses them where there is no escape. A message that names something in Require which the program
// does not know must not be shown as if it were understood; only the caller can tell.
// Errors hold no values.
package cpim
