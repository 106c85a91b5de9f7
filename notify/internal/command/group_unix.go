//go:build unix

package command

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// group gives the program a process group of its own and lets the end of the context kill all of it.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd) }
}

// killRest ends what the program, which has ended, left behind in its group. The number of a group is given to no other process while somebody is in it.
func killRest(cmd *exec.Cmd) { _ = killGroup(cmd) }

func killGroup(cmd *exec.Cmd) error {
	err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
