package quiet_test

import (
	"fmt"

	"github.com/otrchat/otrchat/internal/quiet"
)

func Example() {
	restore := quiet.Stdout()
	fmt.Println("one line")
	fmt.Println("Unsupported wipe kind: int")
	fmt.Println("another line")
	restore()
	// Output:
	// one line
	// another line
}
