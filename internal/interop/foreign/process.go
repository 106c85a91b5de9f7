package foreign

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"
)

const (
	maxOutput = 1 << 20
	grace     = 2 * time.Second
)

// Process is a started program. It is stopped at the end of the test at the latest.
type Process struct {
	cmd    *exec.Cmd
	output *output
	done   chan struct{}
	stop   sync.Once
}

// Start starts cmd, whose Stdin may be prepared by the caller. Where cmd has no Stdout or Stderr of its own, what the
// program writes is kept for [Process.Output]. A caller that reads the output itself sets cmd.Stdout to a writer
// (an [io.PipeWriter] will do) and not cmd.StdoutPipe, which would lose the end of the output.
// If the program cannot be started the test fails at once.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, output: &output{grown: make(chan struct{})}, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.output
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.output
	}
	cmd.WaitDelay = grace
	group(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatalf("foreign: start: %v", err)
	}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // the state is read from cmd.ProcessState
		p.signal(kill) // what it may have left behind in its group
	}()
	t.Cleanup(p.Stop)
	return p
}

// Stop ends the program, with SIGTERM first and with SIGKILL if it does not listen, and returns when it is gone.
// It is idempotent and safe from any goroutine.
func (p *Process) Stop() {
	p.stop.Do(func() {
		p.signal(terminate)
		select {
		case <-p.done:
		case <-time.After(grace):
			p.signal(kill)
		}
	})
	<-p.done
}

// Interrupt asks the program to end as Ctrl-C does and does not wait; see [Process.Done].
func (p *Process) Interrupt() { p.signal(interrupt) }

// Done is closed when the program has ended and its output is complete.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is the program's exit status, or -1 while it runs and when a signal ended it.
func (p *Process) ExitCode() int {
	if !p.ended() {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Output is what the program has written so far, standard output and standard error together, the last 1 MiB of it.
func (p *Process) Output() string { return p.output.String() }

// WaitFor returns nil when the program's output contains text, and an error with the output when the program has ended
// or the timeout has passed without it.
func (p *Process) WaitFor(text string, timeout time.Duration) error {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	for {
		// The order counts: a program that is done writes no more, so its output is looked at last.
		ended := p.ended()
		found, grown := p.output.contains(text)
		switch {
		case found:
			return nil
		case ended:
			return p.failed("ended", text)
		}
		select {
		case <-grown:
		case <-p.done:
		case <-deadline.C:
			return p.failed("timed out", text)
		}
	}
}

func (p *Process) failed(how, text string) error {
	return fmt.Errorf("foreign: %s %s before it wrote %q; it wrote:\n%s", p.cmd.Path, how, text, p.Output())
}

// output keeps the end of what is written to it, and closes grown at each write.
type output struct {
	mu    sync.Mutex
	buf   []byte
	grown chan struct{}
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, b...)
	if over := len(o.buf) - maxOutput; over > 0 {
		o.buf = append(o.buf[:0], o.buf[over:]...)
	}
	close(o.grown)
	o.grown = make(chan struct{})
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.buf)
}

func (o *output) contains(text string) (bool, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Contains(o.buf, []byte(text)), o.grown
}

// Run runs cmd to its end and returns its standard output. It fails the test when the program cannot be started, exits
// with another status than 0, or takes longer than timeout.
func Run(t testing.TB, timeout time.Duration, cmd *exec.Cmd) []byte {
	t.Helper()
	out, err := runCmd(t, timeout, cmd)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func runCmd(t testing.TB, timeout time.Duration, cmd *exec.Cmd) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout = &out
	p := Start(t, cmd)
	select {
	case <-p.done:
	case <-time.After(timeout):
		p.Stop()
		return nil, fmt.Errorf("foreign: %s took longer than %v: %s", cmd.Path, timeout, p.Output())
	}
	if code := p.ExitCode(); code != 0 {
		return nil, errors.New("foreign: " + cmd.Path + " ended with " + cmd.ProcessState.String() + ": " + p.Output())
	}
	return out.Bytes(), nil
}
