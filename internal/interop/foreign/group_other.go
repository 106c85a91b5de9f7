//go:build !linux

package foreign

import (
	"os"
	"os/exec"
)

var (
	interrupt = os.Interrupt
	terminate = os.Kill
	kill      = os.Kill
)

func group(*exec.Cmd) {}

func (p *Process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }
