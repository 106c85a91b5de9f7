package foreign

import (
	"os/exec"
	"syscall"
)

const (
	interrupt = syscall.SIGINT
	terminate = syscall.SIGTERM
	kill      = syscall.SIGKILL
)

// group puts the program into a process group of its own and lets the kernel end it with the test binary. What else the caller has set, such as the user
// it runs as, stays.
func group(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
}

// signal reaches every process of the group, also those that the program started and left behind. Once the program
// is done its number may belong to another process, so nothing is sent then.
func (p *Process) signal(s syscall.Signal) {
	if p.ended() {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, s) // ESRCH: the group is gone, as it should be
}
