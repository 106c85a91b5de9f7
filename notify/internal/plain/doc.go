// Package plain cleans text that came from a peer before a notifier shows, speaks or logs it: [Line] for one line, [Text] for several,
// [Cut] for what may stay as it is but not as long. [Hide] takes such text out of what others say.
//
// # Concurrency
//
// All functions may be called from any number of goroutines.
//
// # Limits
//
// A result is never longer than its bound, in bytes, and shares no memory with a text that was cut. The cost is that of the bound, not of the text:
// Line and Text read at most four times as many bytes as they may return, so a text of invisible characters alone gives "…".
//
// # Security
//
// What Line and Text return is valid UTF-8 without control characters (but "\n", of Text), without the characters that turn the direction of
// writing (Unicode's Bidi_Control) and without noncharacters. It may still hold markup, leading dashes and letters that look like others: what
// these mean depends on the medium, so escaping is for the notifier.
package plain
