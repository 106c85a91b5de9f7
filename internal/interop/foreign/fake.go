package foreign

import (
	"os"
	"path/filepath"
	"testing"
)

// Fake puts a program before all others on PATH that stands for a foreign one: a shell script that adds its arguments, with a NUL after each, to
// dir/args and what it reads to dir/input, and then does what the script then says, in dir. Without a Unix shell the test is skipped, or fails when CI is set.
func Fake(t testing.TB, name, then string) (dir string) {
	t.Helper()
	sh := Need(t, "sh")
	if sh == "" {
		return ""
	}
	dir = t.TempDir()
	script := "#!" + sh + "\nPATH=/usr/bin:/bin\ncd \"${0%/*}\"\nfor a; do printf '%s\\0' \"$a\"; done >>args\ncat >>input\n" + then + "\n"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
		t.Fatalf("foreign: %v", err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return dir
}
