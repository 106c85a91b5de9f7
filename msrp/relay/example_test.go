package relay_test

import (
	"fmt"
	"log"
	"net"

	"github.com/otrchat/otrchat/msrp/relay"
)

// The Authenticator of a real relay looks HA1s up in a database. TLS is left out here, which only tests may do: see Options.AllowTCP.
func Example() {
	r, err := relay.New(&relay.Options{
		Host:          "127.0.0.1",
		Authenticator: relay.Users{"alice": "secret"},
		AllowTCP:      true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if err := r.Serve(l); err != nil {
		log.Fatal(err)
	}
	fmt.Println("clients may come")
	// Output: clients may come
}
