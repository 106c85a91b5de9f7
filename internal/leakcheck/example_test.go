package leakcheck_test

import (
	"fmt"

	"github.com/otrchat/otrchat/internal/leakcheck"
)

// A package that starts goroutines has this line in one of its test files:
//
//	func TestMain(m *testing.M) { leakcheck.Main(m) }
func Example() {
	fmt.Println("a goroutine may take", leakcheck.Patience, "to end")
	// Output: a goroutine may take 5s to end
}
