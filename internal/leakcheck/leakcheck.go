package leakcheck

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Patience is how long a goroutine may take to end after the tests that started it.
const Patience = 5 * time.Second

const maxDump = 16 << 20

// Main runs the tests of a package and ends the process: with the tests' own exit code when they fail, with 1 when they
// pass but leave goroutines behind, otherwise with 0.
//
// Each wrap is called before the tests, and what it returns (nil is fine) is called after them in reverse order, before
// goroutines are counted; a filter on standard output is put in place this way.
func Main(m *testing.M, wrap ...func() (undo func())) {
	os.Exit(run(m.Run, os.Stderr, Patience, wrap))
}

func run(tests func() int, report io.Writer, patience time.Duration, wrap []func() (undo func())) int {
	var undos []func()
	for _, w := range wrap {
		undos = append(undos, w())
	}
	code := tests()
	for i := len(undos) - 1; i >= 0; i-- {
		if undos[i] != nil {
			undos[i]()
		}
	}
	if code != 0 {
		return code
	}
	if left := leaked(nil, patience); len(left) > 0 {
		fmt.Fprintln(report, describe(left))
		return 1
	}
	return 0
}

// Check makes t fail when goroutines that were started after this call are still there at the end of t. Call it first in
// a test: cleanups run in reverse order, and what the test closes in its own cleanups is then closed before the count.
func Check(t testing.TB) {
	t.Helper()
	check(t, Patience)
}

func check(t testing.TB, patience time.Duration) {
	before := make(map[string]bool)
	for _, g := range goroutines() {
		before[g.id] = true
	}
	t.Cleanup(func() {
		if left := leaked(before, patience); len(left) > 0 {
			t.Error(describe(left))
		}
	})
}

// leaked waits until no goroutine is left but the caller's, those in before and those that are not ours.
// It returns those that outlast its patience.
func leaked(before map[string]bool, patience time.Duration) []goroutine {
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		var left []goroutine
		for _, g := range goroutines() {
			if !before[g.id] && !g.foreign() {
				left = append(left, g)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pause)
	}
}

func describe(left []goroutine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "leakcheck: %d goroutines left behind:\n", len(left))
	for _, g := range left {
		fmt.Fprintf(&b, "\n%s\n", g.stack)
	}
	return b.String()
}

type goroutine struct{ id, stack string }

// goroutines lists every goroutine but the caller's, which stands first in the dump.
func goroutines() []goroutine {
	var all []goroutine
	stacks := bytes.Split(bytes.TrimSpace(dump()), []byte("\n\n"))
	for _, s := range stacks[1:] {
		rest, ok := strings.CutPrefix(string(s), "goroutine ")
		if !ok {
			continue
		}
		id, _, _ := strings.Cut(rest, " ")
		all = append(all, goroutine{id, string(s)})
	}
	return all
}

func dump() []byte {
	for size := 64 << 10; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= maxDump {
			return buf[:n]
		}
	}
}

// foreign tells whether the standard library started g for the sake of the test run or of the process.
func (g goroutine) foreign() bool {
	for _, creator := range []string{"runtime.", "runtime/", "testing.", "internal/fuzz.", "os/signal."} {
		if strings.Contains(g.stack, "\ncreated by "+creator) {
			return true
		}
	}
	return g.id == "1" // the main goroutine, which waits for the tests
}
