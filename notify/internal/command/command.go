package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	maxOutput = 4 << 10
	// waitDelay is how long Run waits, after the program has ended or was killed, for whoever still holds its pipes.
	waitDelay = time.Second
)

// Find returns the absolute path of the program name, as PATH has it. What stands in the current folder, or in a relative one of PATH, is not taken.
// The error is an *exec.Error.
func Find(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	if err == nil && !filepath.IsAbs(path) {
		return "", &exec.Error{Name: name, Err: exec.ErrDot}
	}
	return path, err
}

// Command is one run of a program.
type Command struct {
	Path  string   // the program: absolute, see [Find]
	Args  []string // its arguments, without its name
	Env   []string // "NAME=value": added to the environment of this process, in place of a variable of that name
	Stdin string   // what it reads
	// FailsWith begins the line on the standard error by which the program says that it failed, for one whose exit status does not tell. Default: the
	// exit status tells.
	FailsWith string
	// Hide is text that no error tells a word of, as it tells none of Args and Stdin: what stands there encoded.
	Hide string
}

var errSaid = errors.New("failed")

// Error says why a program did not do its work.
type Error struct {
	// Program is the last part of its path.
	Program string
	// Output is the end of what it wrote to its standard error, at most 4 KiB on one line, without control characters, and with "…" for each word that
	// stood in its input or its arguments.
	Output string
	// Err is an *exec.ExitError, the context's error when the program was stopped, why it could not be started, or that it said so by FailsWith.
	Err error
}

// Error is one line of text.
func (e *Error) Error() string {
	if e.Output == "" {
		return fmt.Sprintf("%s: %v", e.Program, e.Err)
	}
	return fmt.Sprintf("%s: %v: %s", e.Program, e.Err, e.Output)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Run runs the program to its end and returns the first 4 KiB of its standard output. When ctx ends the program is killed. The error is an *[Error].
func (c *Command) Run(ctx context.Context) (stdout string, err error) {
	if !filepath.IsAbs(c.Path) {
		return "", c.failed(exec.ErrDot, "")
	}
	if ctx.Err() != nil {
		return "", c.failed(ctx.Err(), "")
	}
	out, reason := head{}, tail{}
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Dir = filepath.Dir(c.Path)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdin = strings.NewReader(c.Stdin)
	cmd.Stdout, cmd.Stderr = &out, &reason
	cmd.WaitDelay = waitDelay
	group(cmd)
	err = run(cmd)
	switch {
	case err != nil && ctx.Err() != nil:
		err = ctx.Err()
	case err == nil && c.FailsWith != "" && strings.Contains("\n"+reason.String(), "\n"+c.FailsWith):
		err = errSaid
	}
	if err != nil {
		return "", c.failed(err, reason.String())
	}
	return string(out.kept), nil
}

// run leaves nothing of the program's group behind. A program that ended well has done its work, whoever still holds its pipes.
func run(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	err := cmd.Wait()
	killRest(cmd)
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

func (c *Command) failed(err error, output string) error {
	return &Error{Program: filepath.Base(c.Path), Output: c.hide(output), Err: err}
}
