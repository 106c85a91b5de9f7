package quiet

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
)

// Stdout replaces os.Stdout by a pipe and copies everything but the noise to
// where it went before. The returned function puts os.Stdout back, once what
// was written has been passed on. Where no pipe can be had, it changes nothing.
func Stdout() (restore func()) {
	before := os.Stdout
	r, w, err := os.Pipe()
	if err != nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.Close()
		f := filter{to: before}
		io.Copy(&f, r)
		f.flush()
	}()
	os.Stdout = w
	return sync.OnceFunc(func() {
		if os.Stdout == w {
			os.Stdout = before
		}
		w.Close()
		<-done
	})
}

// What otr3 writes: the beginnings of its lines, and the words that can follow.
const (
	wipe = "Unsupported wipe kind: "
	lock = "Warning: couldn't lock memory pages containing sensitive material: "
)

// maxNoise bounds a line that is held back in case it is noise.
const maxNoise = 200

// filter passes on what is written to it, but for lines that are noise.
type filter struct {
	to   io.Writer
	held []byte // the beginning of a line that may become noise
	pass bool   // the line has been passed on in part, so all of it goes
}

// Write takes any piece of the output. It never fails: a writer that is gone
// must not make the copying stop, and the program behind the pipe with it.
func (f *filter) Write(b []byte) (int, error) {
	n := len(b)
	var out []byte
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n') + 1
		part := b
		if end > 0 {
			part = b[:end]
		}
		b = b[len(part):]
		out = append(out, f.line(part, end > 0)...)
	}
	if len(out) > 0 {
		f.to.Write(out)
	}
	return n, nil
}

// line takes a part of one line, and returns what can go on already.
func (f *filter) line(part []byte, ends bool) []byte {
	f.held = append(f.held, part...)
	text := strings.TrimSuffix(string(f.held), "\n")
	if !f.pass && (ends && isNoise(text) || !ends && mayBeNoise(text)) {
		if ends {
			f.held = nil
		}
		return nil
	}
	out := f.held
	f.held, f.pass = nil, !ends
	return out
}

// flush passes on what has been held back.
func (f *filter) flush() {
	if len(f.held) > 0 {
		f.to.Write(f.held)
	}
	f.held = nil
}

// isNoise matches a whole line, without its end.
func isNoise(line string) bool {
	if kind, ok := strings.CutPrefix(line, wipe); ok {
		return isWord(kind)
	}
	return len(line) <= maxNoise && strings.HasPrefix(line, lock)
}

// mayBeNoise matches the beginning of a line.
func mayBeNoise(line string) bool {
	if kind, ok := strings.CutPrefix(line, wipe); ok {
		return kind == "" || isWord(kind)
	}
	return strings.HasPrefix(wipe, line) || strings.HasPrefix(lock, line) ||
		len(line) <= maxNoise && strings.HasPrefix(line, lock)
}

// isWord matches the name of a reflect.Kind, such as int, ptr and unsafe.Pointer.
func isWord(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.') {
			return false
		}
	}
	return s != "" && len(s) <= len("unsafe.Pointer")
}
