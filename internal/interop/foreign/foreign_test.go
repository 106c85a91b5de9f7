package foreign

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// verdict stands for a test that needs something: it keeps whether it was skipped or failed.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper()                     {}
func (v *verdict) Skipf(f string, args ...any) { v.skipped = fmt.Sprintf(f, args...) }
func (v *verdict) Fatalf(f string, args ...any) {
	v.failed = fmt.Sprintf(f, args...)
}

func TestNeed(t *testing.T) {
	needs := []struct {
		what  string
		need  func(testing.TB) string
		found bool
	}{
		{"the program sh", func(t testing.TB) string { return Need(t, "sh") }, true},
		{"the program no-such-program", func(t testing.TB) string { return Need(t, "no-such-program") }, false},
		{"the C header no-such/header.h", func(t testing.TB) string { return NeedHeader(t, "no-such/header.h") }, false},
		{"the C header stdio.h", func(t testing.TB) string { return NeedHeader(t, "stdio.h") }, true},
	}
	for _, n := range needs {
		t.Run(n.what, func(t *testing.T) {
			switch {
			case strings.Contains(n.what, "header"):
				Need(t, "cc")
			case n.found:
				Need(t, "sh")
			}
			at, ci := &verdict{TB: t}, &verdict{TB: t}
			t.Setenv("CI", "")
			path := n.need(at)
			t.Setenv("CI", "true")
			n.need(ci)
			if n.found {
				assert.NotEmpty(t, path)
				assert.Empty(t, at.skipped+at.failed+ci.skipped+ci.failed)
				return
			}
			assert.Empty(t, path)
			assert.Equal(t, "foreign: "+n.what+" is missing", at.skipped)
			assert.Empty(t, at.failed)
			assert.Equal(t, "foreign: "+n.what+" is missing, and CI is set", ci.failed)
			assert.Empty(t, ci.skipped)
		})
	}
}

func sh(script string) *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }

func TestProcessOutput(t *testing.T) {
	Need(t, "sh")
	p := Start(t, sh("echo out; echo err >&2; exit 3"))
	<-p.Done()
	assert.Equal(t, "out\nerr\n", p.Output())
	assert.Equal(t, 3, p.ExitCode())
	require.NoError(t, p.WaitFor("err", time.Minute))
	require.ErrorContains(t, p.WaitFor("never", time.Minute), "ended")
}

func TestProcessReadsItsInput(t *testing.T) {
	Need(t, "sh")
	cmd := sh("read line; echo got $line; read line")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	p := Start(t, cmd)
	_, err = io.WriteString(in, "hello\n")
	require.NoError(t, err)
	require.NoError(t, p.WaitFor("got hello", time.Minute))
	assert.Equal(t, -1, p.ExitCode(), "it still runs")
	require.ErrorContains(t, p.WaitFor("never", time.Millisecond), "timed out")
	require.NoError(t, in.Close())
	<-p.Done()
}

func TestRun(t *testing.T) {
	Need(t, "sh")
	assert.Equal(t, "out\n", string(Run(t, time.Minute, sh("echo out; echo err >&2"))))
	_, err := runCmd(t, time.Minute, sh("echo reason >&2; exit 2"))
	require.ErrorContains(t, err, "exit status 2: reason")
	_, err = runCmd(t, time.Millisecond, sh("sleep 1000"))
	require.ErrorContains(t, err, "longer than 1ms")
}

func TestOutputIsBounded(t *testing.T) {
	o := &output{grown: make(chan struct{})}
	for range 3 {
		_, err := o.Write([]byte(strings.Repeat("x", maxOutput-1)))
		require.NoError(t, err)
	}
	_, err := o.Write([]byte("end"))
	require.NoError(t, err)
	assert.Len(t, o.String(), maxOutput)
	assert.True(t, strings.HasSuffix(o.String(), "xend"))
}
