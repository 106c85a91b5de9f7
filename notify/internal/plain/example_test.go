package plain_test

import (
	"fmt"

	"github.com/otrchat/otrchat/notify/internal/plain"
)

func Example() {
	fmt.Println(plain.Line("Bob\r\n\x1b[31m\u202eLevel: trusted", 40))
	fmt.Println(plain.Line("Bob, who has chosen a name that fills the screen", 20))
	// Output:
	// Bob [31mLevel: trusted
	// Bob, who has chos…
}
