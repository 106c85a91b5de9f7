package command

import (
	"os/exec"
	"syscall"
)

const createNoWindow = 0x08000000 // CREATE_NO_WINDOW

// group keeps a console program of a desktop application from opening a window. The end of the context kills the program alone.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: createNoWindow} }

func killRest(*exec.Cmd) {}
