package speech

import (
	"strings"
	"unicode"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/plain"
)

// maxSpoken bounds the text in bytes: 40 seconds of English. A warning with the longest name that a catalogue puts into it stays whole.
const maxSpoken = 600

// words is what is to be said of n: one line that begins with a letter or a digit, or nothing. It holds letters, digits and what stands among them in
// a sentence. All else is left out, so nothing is markup, a phoneme or a command to any synthesiser: no "<", no "[[", no "!-!" at the beginning.
func words(n notify.Notification) string {
	text := n.Spoken
	if strings.TrimSpace(text) == "" {
		body := strings.ReplaceAll(n.Body, n.Fingerprint, "") // forty hexadecimal digits are for eyes
		text = join(plain.Line(n.Title, maxSpoken), plain.Line(body, maxSpoken))
	}
	text = strings.Map(speakable, plain.Line(text, maxSpoken))
	text = strings.TrimLeftFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.Join(strings.Fields(text), " ")
}

// join makes two sentences of a title and a body.
func join(title, body string) string {
	if title == "" || body == "" || strings.ContainsAny(title[len(title)-1:], ".!?:") {
		return title + " " + body
	}
	return title + ". " + body
}

func speakable(r rune) rune {
	switch {
	case unicode.In(r, unicode.L, unicode.M, unicode.Nd), strings.ContainsRune(" .,;:!?'’-()/@%+", r):
		return r
	case r == '\u200c' || r == '\u200d': // joiners, which some scripts need
		return r
	}
	return ' '
}
