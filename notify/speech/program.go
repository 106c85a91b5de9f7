package speech

import (
	"context"
	"slices"
	"time"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/command"
)

// utterance is what a program is to say. The text is of [words]: one line that begins with a letter or a digit and holds no character that means
// something to a synthesiser.
type utterance struct {
	text, language string
	urgency        notify.Urgency
	limit          time.Duration
}

// program is a synthesiser. It reads the text from its standard input.
type program struct {
	name string
	args func(utterance) []string
	// input is what it reads. Default: the text as one line.
	input func(utterance) string
	// failsWith: see command.Command.
	failsWith string
	// stop are the arguments that silence what a program, which was killed, has set in motion elsewhere.
	stop []string
	path string // where it was found
}

var (
	spdSay = program{name: "spd-say", args: func(u utterance) []string {
		// Without --pipe-mode the text would stand among the arguments, which every user of the machine can read. In that mode a line that begins with
		// "!-!" is a command to the server: see words.
		return []string{"--pipe-mode", "--wait", "--application-name", "otrchat", "--priority", priority(u.urgency), "--language", u.language}
	}, stop: []string{"-S"}} // its long form does not work in version 0.11
	espeakNG   = program{name: "espeak-ng", args: espeakArgs, failsWith: "error: "}
	espeak     = program{name: "espeak", args: espeakArgs, failsWith: "error: "}
	say        = program{name: "say", args: func(utterance) []string { return []string{"-f", "-"} }}
	powershell = program{
		name:  "powershell",
		args:  func(utterance) []string { return command.PowerShellArgs(sapi) },
		input: func(u utterance) string { return command.PowerShellInput(u.text) },
	}
	allPrograms = []program{spdSay, espeakNG, espeak, say, powershell}
)

// espeakArgs make it read lines of up to 999 bytes of UTF-8. With --stdin espeak-ng 1.51 says, after the text, what happens to stand behind it in its
// memory.
func espeakArgs(u utterance) []string { return []string{"-b", "1", "-v", u.language} }

// sapi speaks plain text with Windows' own voices.
const sapi = `Add-Type -AssemblyName System.Speech
$voice = New-Object System.Speech.Synthesis.SpeechSynthesizer
try { $voice.SelectVoiceByHints('NotSet', 'NotSet', 0, [Globalization.CultureInfo]$env:OTRCHAT_LANGUAGE) } catch { }
$voice.Speak($text)`

// programsOf are the programs of an operating system in the order of preference.
func programsOf(goos string) []program {
	switch goos {
	case "darwin", "ios":
		return []program{say, espeakNG, espeak}
	case "windows":
		return []program{powershell, espeakNG, espeak}
	}
	return []program{spdSay, espeakNG, espeak}
}

func programNamed(name string) (program, bool) {
	i := slices.IndexFunc(allPrograms, func(p program) bool { return p.name == name })
	if i < 0 {
		return program{}, false
	}
	return allPrograms[i], true
}

// preferred has the program of that name first and keeps the order of the others.
func preferred(programs []program, first string) []program {
	slices.SortStableFunc(programs, func(a, b program) int {
		switch first {
		case b.name:
			return 1
		case a.name:
			return -1
		}
		return 0
	})
	return programs
}

// priority is that of speech-dispatcher: an "important" message comes before what other programs say, a "message" waits for its turn. Lesser ones it
// may leave out.
func priority(u notify.Urgency) string {
	if u >= notify.Critical {
		return "important"
	}
	return "message"
}

// limit is how long a program may take for a text; one that takes longer hangs. Speech takes 70 ms for a character at the usual rate.
func limit(text string) time.Duration {
	return 5*time.Second + time.Duration(len(text))*150*time.Millisecond
}

// stopTime is how long a program may take to stop what it has begun.
const stopTime = time.Second

// say returns when the program has spoken. What a program that had to be killed has set in motion elsewhere is stopped.
func (p program) say(ctx context.Context, u utterance) error {
	bounded, cancel := context.WithTimeout(ctx, u.limit)
	defer cancel()
	c := command.Command{
		Path: p.path, Args: p.args(u), Env: []string{"OTRCHAT_LANGUAGE=" + u.language}, Stdin: u.text + "\n", Hide: u.text, FailsWith: p.failsWith,
	}
	if p.input != nil {
		c.Stdin = p.input(u)
	}
	_, err := c.Run(bounded)
	if err != nil && bounded.Err() != nil && p.stop != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		_, _ = (&command.Command{Path: p.path, Args: p.stop}).Run(stopping) // the first error tells what is wrong
	}
	return err
}
