// Package speech speaks notifications: by speech-dispatcher (its client spd-say) or espeak-ng or espeak, on macOS by say, on Windows by the voices of
// SAPI, through PowerShell. What of these the machine has is found at each notification; where a program fails the next one is tried.
//
// A warning that is heard reaches a person who is not looking at the screen. What is spoken is Notification.Spoken, where the catalogue leaves the
// fingerprint out, or else title and body.
//
// # Concurrency
//
// A [Notifier] may be used from any number of goroutines, and speaks one notification at a time. It has no goroutines of its own, and no program of
// its own runs when Notify has returned. A process that ends calls [Notifier.Close] before, or it may leave a voice behind that speaks to its end.
// The daemon of speech-dispatcher, which spd-say may start, belongs to the user's session.
//
// # Limits
//
// At most 600 bytes of a notification are spoken. At most 8 notifications wait for the voice; of more the oldest of the least urgent fails with
// [ErrBusy]. A program that has not ended after 5 seconds and 150 ms for each byte of the text is killed, with its children on Unix, and the next one
// is tried. The other bounds are those of one program's run: 4 KiB of its error output.
//
// A program can only tell that it has played a sound, not that anybody heard it. spd-say never ends where its daemon finds no sound device, so there
// the next program speaks only after the time above; the following notifications begin with the one that has spoken.
//
// # Security
//
// A peer chooses part of what is spoken. Only letters, digits, spaces and the marks of a sentence reach a program, on its standard input, never in
// its arguments, which every user of a machine can read, and no shell is used. So there is no markup, no phoneme code and no command of any
// synthesiser in it. Programs are looked for in PATH and never in the current folder. An error tells what the program wrote to its standard error,
// without the words of the text.
//
// Whoever is in the room hears what is spoken: quiet hours are one answer, notify.Filter is another.
package speech
