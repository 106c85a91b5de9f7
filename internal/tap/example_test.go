package tap_test

import (
	"io"
	"net"
	"os"

	"github.com/otrchat/otrchat/internal/tap"
)

func Example() {
	alice, bob := net.Pipe()
	rec := tap.New(&tap.Options{Local: "Bob", Remote: "Alice", Live: os.Stdout})
	bob = tap.Conn(bob, rec)
	go func() {
		_, _ = io.WriteString(alice, "MSRP a786 SEND\r\n")
		_ = alice.Close()
	}()
	_, _ = io.ReadAll(bob)
	// Output:
	// Alice → Bob
	//     MSRP a786 SEND
}
