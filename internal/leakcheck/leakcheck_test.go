package leakcheck

import (
	"bytes"
	"os"
	"os/signal"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { Main(m) }

// recorder stands for the test under check: it keeps the cleanups and the failure.
type recorder struct {
	testing.TB
	cleanups []func()
	failed   string
}

func (r *recorder) Helper()           {}
func (r *recorder) Cleanup(f func())  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Error(args ...any) { r.failed = args[0].(string) }

func leakOne(t *testing.T) (stop func()) {
	release, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		<-release
	}()
	stop = func() { close(release); <-ended }
	t.Cleanup(func() { require.Empty(t, leaked(nil, Patience)) })
	return stop
}

func TestCheckFindsALeak(t *testing.T) {
	r := &recorder{TB: t}
	check(r, 10*time.Millisecond)
	stop := leakOne(t)
	defer stop()
	r.cleanups[0]()
	assert.Contains(t, r.failed, "1 goroutines left behind")
	assert.Contains(t, r.failed, "leakcheck.leakOne")
}

func TestCheckOverlooksWhatRanBefore(t *testing.T) {
	stop := leakOne(t)
	defer stop()
	r := &recorder{TB: t}
	check(r, 10*time.Millisecond)
	r.cleanups[0]()
	assert.Empty(t, r.failed)
}

func TestCheckWaitsForAGoroutineThatEnds(t *testing.T) {
	r := &recorder{TB: t}
	check(r, Patience)
	stop := leakOne(t)
	go stop()
	r.cleanups[0]()
	assert.Empty(t, r.failed)
}

func TestStandardLibraryGoroutinesDoNotCount(t *testing.T) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	defer signal.Stop(c)
	assert.Empty(t, leaked(nil, 10*time.Millisecond))
}

func TestRun(t *testing.T) {
	var order []string
	note := func(s string) func() { return func() { order = append(order, s) } }
	wraps := []func() func(){
		func() func() { note("first")(); return note("undo first") },
		func() func() { note("second")(); return note("undo second") },
		func() func() { note("third")(); return nil },
	}
	tests := func(code int) func() int {
		return func() int { note("tests")(); return code }
	}

	var report bytes.Buffer
	assert.Equal(t, 0, run(tests(0), &report, Patience, wraps))
	assert.Equal(t, []string{"first", "second", "third", "tests", "undo second", "undo first"}, order)
	assert.Empty(t, report.String())

	stop := leakOne(t)
	assert.Equal(t, 1, run(tests(0), &report, 10*time.Millisecond, wraps))
	assert.Contains(t, report.String(), "leakcheck.leakOne")
	report.Reset()
	assert.Equal(t, 3, run(tests(3), &report, 10*time.Millisecond, wraps))
	assert.Empty(t, report.String(), "a failed run speaks for itself")
	stop()

	order = nil
	undone := func() func() {
		stop := leakOne(t)
		return stop
	}
	assert.Equal(t, 0, run(tests(0), &report, Patience, []func() func(){undone}), "a wrap's own goroutine ends with its undo")
}
