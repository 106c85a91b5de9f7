//go:build unix

package growl

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/leakcheck"
)

// inside is set in the environment of a test binary that has a network of its own.
const inside = "OTRCHAT_GROWL_NETWORK"

// TestMain starts the test binary anew, in its place, in a network namespace with nothing but a loopback interface. Where there may be none the
// tests run as they are, and needNetwork skips those that it is for.
func TestMain(m *testing.M) {
	if os.Getenv(inside) == "" {
		for _, rights := range [][]string{{"--net"}, {"--map-root-user", "--net"}} {
			enter(rights)
		}
	}
	leakcheck.Main(m)
}

// enter returns if it cannot be done.
func enter(rights []string) {
	script := `PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && exec "$0" "$@"`
	args := append(append([]string{"unshare"}, rights...), "--", "sh", "-c", script)
	path, err := exec.LookPath(args[0])
	if err != nil || exec.Command(path, append(args[1:], "true")...).Run() != nil {
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	_ = syscall.Exec(path, append(append(args, self), os.Args[1:]...), append(os.Environ(), inside+"=1")) // it returns only if it fails
}

func needNetwork(t *testing.T) {
	t.Helper()
	if os.Getenv(inside) == "" {
		foreign.Missing(t, "the right to make network namespaces, or a program for it (unshare, ip),")
	}
}
