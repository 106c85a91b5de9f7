package command

import (
	"strings"

	"github.com/otrchat/otrchat/notify/internal/plain"
)

// head keeps the beginning of what is written to it.
type head struct{ kept []byte }

func (h *head) Write(b []byte) (int, error) {
	h.kept = append(h.kept, b[:min(len(b), maxOutput-len(h.kept))]...)
	return len(b), nil
}

// tail keeps the end of what is written to it.
type tail struct {
	kept []byte
	cut  bool
}

func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b[max(0, len(b)-maxOutput):]...)
	if over := len(t.kept) - maxOutput; over > 0 || len(b) > maxOutput {
		t.kept = append(t.kept[:0], t.kept[max(0, over):]...)
		t.cut = true
	}
	return len(b), nil
}

// String begins with a whole word, because hide knows no others.
func (t *tail) String() string {
	s := string(t.kept)
	if t.cut {
		_, s, _ = strings.Cut(s, " ")
	}
	return s
}

// hide makes one line of a program's output, without the words that nobody may read.
func (c *Command) hide(output string) string {
	return plain.Hide(plain.Line(output, maxOutput), append([]string{c.Stdin, c.Hide}, c.Args...)...)
}
