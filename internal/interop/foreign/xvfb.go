package foreign

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const xPatience = 20 * time.Second

// StartX starts Xvfb, an X server with a screen of 800 by 600 pixels that nobody sees, and returns the value of DISPLAY for its programs. It
// chooses a display that is free. More arguments of Xvfb may be given. Without Xvfb the test is skipped, or fails when CI is set.
func StartX(t testing.TB, args ...string) (display string) {
	t.Helper()
	program := Need(t, "Xvfb")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatalf("foreign: %v", err)
	}
	defer read.Close()
	cmd := exec.Command(program, append([]string{"-displayfd", "3", "-screen", "0", "800x600x24", "-nolisten", "tcp",
		"-noreset"}, args...)...) // a server that resets when its last client leaves turns away the next one meanwhile
	cmd.ExtraFiles = []*os.File{write}
	p := Start(t, cmd)
	write.Close()
	_ = read.SetReadDeadline(time.Now().Add(xPatience)) // the read says if it failed
	number, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatalf("foreign: Xvfb: %v: %s", err, p.Output())
	}
	return ":" + strings.TrimSpace(number)
}
