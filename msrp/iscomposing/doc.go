// Package iscomposing tells a chat partner that a message is being written, and learns it from the partner: the
// application/im-iscomposing+xml documents of RFC 3994 and the state machines of both sides.
//
// [Append] writes a [Document], [Parse] reads one. A [Sender] turns what the user does into documents: the program calls
// Composing at each keystroke and ContentSent when a message goes out, and sends what Next returns. A [Receiver] turns the
// documents and messages that come in into changes that a user interface shows. Both know their timers and nothing of
// connections: documents travel like any other message, as they are or inside message/cpim (section 3.5), to a peer that
// lists [MediaType] among the types that it accepts (section 4).
//
// The defaults are the RFC's. Blink, for comparison, calls its user idle after 5 s and announces a refresh after 60 s:
//
//	iscomposing.NewSender(&iscomposing.SenderOptions{IdleTimeout: 5 * time.Second, Refresh: time.Minute})
//
// # Concurrency
//
// Functions share nothing. All methods of Sender and Receiver may be called from any number of goroutines, but Next of
// one object from one goroutine at a time. Next is the only one that waits; there are no goroutines, no callbacks and nothing to
// close. What Next has not fetched yet is merged: only the latest state counts.
//
// # Limits
//
// A document has at most [MaxBytes] bytes, and keeps its composer active for at most [MaxRefresh]. A Receiver knows at most
// [MaxComposers] active composers at a time.
//
// # Security
//
// When somebody writes, pauses and gives up is private (section 7): send documents only where the messages themselves may
// go, under the same encryption, and let the user turn them off. A Sender gives away no times and nothing of the text. Documents that come
// in are read by a parser that knows no external entities, refuses document type declarations and any encoding but UTF-8, and
// keeps no text of the peer's but a media type in printable ASCII. Who composes is what the caller says: take it from the session or from
// the envelope whose sender was checked. Errors hold nothing of the peer's.
package iscomposing
