package foreign

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Need returns the path of an installed program. Without it the test is skipped, or fails when CI is set.
// Beside PATH it looks in the sbin folders, where Debian puts servers.
func Need(t testing.TB, program string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path
		}
	}
	Missing(t, "the program "+program)
	return ""
}

// NeedHeader returns the path of a C compiler that finds the header, for example "libotr/proto.h".
// Without either the test is skipped, or fails when CI is set.
func NeedHeader(t testing.TB, header string) (compiler string) {
	t.Helper()
	compiler = Need(t, "cc")
	if compiler == "" {
		return ""
	}
	cmd := exec.Command(compiler, "-x", "c", "-fsyntax-only", "-")
	cmd.Stdin = strings.NewReader("#include <" + header + ">\n")
	if cmd.Run() == nil {
		return compiler
	}
	Missing(t, "the C header "+header)
	return ""
}

// Missing skips the test, which lacks what it needs of this machine, or fails it when CI is set.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("foreign: %s is missing, and CI is set", what)
		return
	}
	t.Skipf("foreign: %s is missing", what)
}
