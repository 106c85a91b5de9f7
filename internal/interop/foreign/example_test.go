package foreign_test

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/otrchat/otrchat/internal/interop/foreign"
)

// An interop test names its program, starts it, and waits for the line that says it is ready.
func Example() {
	_ = func(t *testing.T) {
		sipp := foreign.Need(t, "sipp")
		p := foreign.Start(t, exec.Command(sipp, "-sf", "uas.xml", "-nostdin"))
		if err := p.WaitFor("listening", 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("stopped at the end of the test")
	// Output: stopped at the end of the test
}
