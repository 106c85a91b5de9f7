// Package command runs one program for a notifier: a speech synthesiser, or what shows a notification. [Find] looks a program up, [Command.Run] runs it with
// its text on the standard input and tells why it failed. No shell ever reads such a text: for what Windows can do by PowerShell alone, [PowerShellArgs] takes
// a constant script, to which the text is data.
//
// # Concurrency
//
// Everything may be called from several goroutines. After Run has returned neither a goroutine nor, on Unix, a process of the program's group runs.
//
// # Limits
//
// Run keeps the first 4 KiB of the standard output and the last 4 KiB of the standard error. When the context ends the program is killed, on Unix
// with its whole process group, elsewhere alone; pipes that something else still holds open are given up a second later. What leaves its process
// group, as a daemon does, is not followed.
//
// # Security
//
// Programs are found by PATH and never in the current folder, and run in their own, so that nothing is loaded from where the user happens to be.
// Arguments go to the program as they are: the caller puts "--" before what a peer chose. Of the error output words that stand in the input or in the
// arguments are left out, and control characters are left out, so the error of a notifier can be logged.
package command
